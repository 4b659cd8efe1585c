//! Claims in their three ways, against a walk over the model.

use super::*;

/// How a claim is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Named,
    Walked,
    Timed,
}

struct Ask {
    way: Way,
    ids: Vec<StreamId>,
    count: u64,
    deliveries_max: u64,
    options: ClaimOptions,
}

/// What the model says a claim comes to.
#[derive(Default)]
struct Expected {
    entries: Vec<((StreamId, Pairs), u64, u64)>,
    gone: Vec<StreamId>,
    spent: Vec<(StreamId, u64)>,
    cursor: StreamId,
}

impl Pair {
    fn ask(&mut self, group: &[u8]) -> Ask {
        let way = [Way::Named, Way::Walked, Way::Timed][self.dice.below(3) as usize];
        let ids = (0..=self.dice.below(4)).map(|_| self.pending_id(group));
        let ids = ids.collect();
        let by_id = way == Way::Named;
        let options = ClaimOptions {
            min_idle_ms: [0, 50, 400][self.dice.below(3) as usize],
            delivered_ms: self.now_ms - if by_id { 10 } else { 0 },
            deliveries: None,
            force: by_id && self.dice.chance(20),
            just_id: way != Way::Timed && self.dice.chance(30),
        };
        Ask {
            way,
            ids,
            count: 1 + self.dice.below(6),
            deliveries_max: [0, 0, 3][self.dice.below(3) as usize],
            options,
        }
    }

    pub(super) fn claim(&mut self) {
        let (group, consumer) = self.names();
        let ask = self.ask(&group);
        let now_ms = self.now_ms;
        let Some(model) = self.model.groups.get_mut(&group) else {
            return;
        };
        model.consumers.entry(consumer.clone()).or_default().0 = now_ms;
        let expected = model.claim(&self.model.entries, &ask, &consumer, now_ms);
        let mut real = self.real.group_mut(&group).expect("the group is there");
        real.set_policy(GroupPolicy {
            deliveries_max: ask.deliveries_max,
            consumer_idle_ms_max: 0,
        });
        let (taker, _) = real.consumer(&consumer, now_ms);
        let min_idle_ms = ask.options.min_idle_ms;
        let walk = AutoclaimOptions {
            count: ask.count,
            min_idle_ms,
            just_id: ask.options.just_id,
        };
        let claimed = match ask.way {
            Way::Named => real.claim(taker, &ask.ids, ask.options, now_ms),
            Way::Walked => real.autoclaim(taker, ask.ids[0], walk, now_ms),
            Way::Timed => real.claim_due(taker, min_idle_ms, ask.count, now_ms),
        };
        let entries = claimed.entries.iter();
        let entries = entries.map(|c| (owned(c.entry), c.idle_ms, c.deliveries));
        assert!(entries.eq(expected.entries));
        assert_eq!(claimed.deleted, expected.gone);
        let spent = claimed.exhausted.iter().map(|e| (e.entry.id, e.deliveries));
        assert!(spent.eq(expected.spent));
        assert_eq!(claimed.cursor, expected.cursor);
    }
}

impl ModelGroup {
    fn claim(
        &mut self,
        entries: &BTreeMap<StreamId, Pairs>,
        ask: &Ask,
        consumer: &[u8],
        now_ms: u64,
    ) -> Expected {
        let mut expected = Expected::default();
        let walk = ask.way == Way::Walked;
        let candidates: Vec<StreamId> = match ask.way {
            Way::Named => ask.ids.clone(),
            Way::Walked => self
                .pending
                .range(ask.ids[0]..)
                .map(|(id, _)| *id)
                .collect(),
            Way::Timed => self.due(ask.options.min_idle_ms, now_ms),
        };
        let mut looks = if walk { ask.count * 10 } else { u64::MAX };
        let mut left = if ask.way == Way::Named {
            u64::MAX
        } else {
            ask.count
        };
        for id in candidates {
            if looks == 0 || left == 0 {
                expected.cursor = if walk { id } else { StreamId::MIN };
                break;
            }
            looks -= 1;
            let Some(pairs) = entries.get(&id) else {
                if self.pending.remove(&id).is_some() {
                    expected.gone.push(id);
                    left -= u64::from(walk);
                }
                continue;
            };
            let (idle_ms, deliveries) = match self.pending.get(&id) {
                Some(pending) => (self.idle(id, now_ms), pending.deliveries),
                None if expected.spent.iter().any(|&(spent, _)| spent == id) => continue,
                None if ask.options.force => (u64::MAX, 1),
                None => continue,
            };
            if idle_ms < ask.options.min_idle_ms {
                continue;
            }
            let spent = ask.deliveries_max > 0 && deliveries >= ask.deliveries_max;
            let counted = u64::from(!ask.options.just_id);
            left -= u64::from(!spent || ask.way != Way::Timed);
            if spent && counted > 0 && self.pending.remove(&id).is_some() {
                expected.spent.push((id, deliveries));
                continue;
            }
            let after = (deliveries + counted).min(DELIVERIES_MAX);
            self.deliver(id, consumer, ask.options.delivered_ms, after);
            let entry = ((id, pairs.clone()), idle_ms, deliveries);
            expected.entries.push(entry);
        }
        if !expected.entries.is_empty() {
            self.consumers.entry(consumer.to_vec()).or_default().1 = Some(now_ms);
        }
        expected
    }
}
