//! Groups and consumers: life, reading, acknowledging.

use super::*;

impl Pair {
    pub(super) fn group_life(&mut self) {
        let (group, consumer) = self.names();
        let id = self.some_id();
        match self.dice.below(8) {
            0..4 => {
                let created = self.real.create_group(&group, id, None);
                assert_eq!(created, !self.model.groups.contains_key(&group));
                let entry = self.model.groups.entry(group);
                entry.or_insert_with(|| ModelGroup {
                    last_id: id,
                    ..ModelGroup::default()
                });
            }
            4 if self.dice.chance(20) => {
                let destroyed = self.real.destroy_group(&group).is_some();
                assert_eq!(destroyed, self.model.groups.remove(&group).is_some());
            }
            5 => {
                let (Some(mut real), Some(model)) = (
                    self.real.group_mut(&group),
                    self.model.groups.get_mut(&group),
                ) else {
                    return;
                };
                if self.dice.chance(50) {
                    real.set_id(id, None);
                    model.last_id = id;
                } else {
                    real.raise_last_id(id);
                    model.last_id = model.last_id.max(id);
                }
            }
            6 => {
                let (Some(mut real), Some(model)) = (
                    self.real.group_mut(&group),
                    self.model.groups.get_mut(&group),
                ) else {
                    return;
                };
                let created = real.create_consumer(&consumer, self.now_ms);
                assert_eq!(created, !model.consumers.contains_key(&consumer));
                model
                    .consumers
                    .entry(consumer)
                    .or_insert((self.now_ms, None));
            }
            _ => {
                let (Some(mut real), Some(model)) = (
                    self.real.group_mut(&group),
                    self.model.groups.get_mut(&group),
                ) else {
                    return;
                };
                let held = |p: &ModelPending| p.owner.as_deref() == Some(&consumer[..]);
                let expected = model.consumers.remove(&consumer).map(|_| {
                    let before = model.pending.len();
                    model.pending.retain(|_, p| !held(p));
                    (before - model.pending.len()) as u64
                });
                assert_eq!(real.delete_consumer(&consumer), expected);
            }
        }
    }

    pub(super) fn read(&mut self) {
        let (group, consumer) = self.names();
        let (noack, count) = (self.dice.chance(15), 1 + self.dice.below(12));
        let after = self.some_id();
        let now_ms = self.now_ms;
        let (Some(mut real), Some(model)) = (
            self.real.group_mut(&group),
            self.model.groups.get_mut(&group),
        ) else {
            return;
        };
        let (reader, created) = real.consumer(&consumer, now_ms);
        assert_eq!(created, !model.consumers.contains_key(&consumer));
        let times = model.consumers.entry(consumer.clone()).or_insert((0, None));
        times.0 = now_ms;
        if self.dice.chance(75) {
            let mut got = Vec::new();
            let delivered = real.read_new(reader, count, noack, now_ms, |e| got.push(owned(e)));
            let expected: Vec<_> = self
                .model
                .entries
                .range((
                    std::ops::Bound::Excluded(model.last_id),
                    std::ops::Bound::Unbounded,
                ))
                .take(count as usize)
                .map(|(id, pairs)| (*id, pairs.clone()))
                .collect();
            assert_eq!(delivered, expected.len() as u64);
            assert_eq!(got, expected);
            for (id, _) in &expected {
                model.last_id = *id;
                if !noack {
                    times.1 = Some(now_ms);
                    let owner = Some(consumer.clone());
                    let fresh = ModelPending {
                        owner,
                        delivered_ms: now_ms,
                        deliveries: 1,
                        release: 0,
                    };
                    model.pending.insert(*id, fresh);
                }
            }
        } else {
            let mut got = Vec::new();
            real.read_history(reader, after, count, now_ms, |id, e| {
                got.push((id, e.map(owned)));
            });
            let entries = &self.model.entries;
            let expected: Vec<_> = model
                .pending
                .iter_mut()
                .filter(|(id, p)| **id > after && p.owner.as_ref() == Some(&consumer))
                .take(count as usize)
                .map(|(id, p)| {
                    let pairs = entries.get(id);
                    if pairs.is_some() {
                        p.delivered_ms = now_ms;
                        p.deliveries = (p.deliveries + 1).min(DELIVERIES_MAX);
                    }
                    (*id, pairs.map(|pairs| (*id, pairs.clone())))
                })
                .collect();
            assert_eq!(got, expected);
        }
    }

    pub(super) fn ack_or_nack(&mut self) {
        let (group, _) = self.names();
        let id = self.pending_id(&group);
        let mode = [
            NackMode::Silent,
            NackMode::Fail,
            NackMode::Fatal,
            NackMode::Count(7),
        ][self.dice.below(4) as usize];
        let (nack, force) = (self.dice.chance(40), self.dice.chance(20));
        let exists = self.model.entries.contains_key(&id);
        let (Some(mut real), Some(model)) = (
            self.real.group_mut(&group),
            self.model.groups.get_mut(&group),
        ) else {
            return;
        };
        if !nack {
            assert_eq!(real.ack(id), model.pending.remove(&id).is_some());
            return;
        }
        let old = model.pending.get(&id).map(|p| p.deliveries);
        let found = old.is_some() || (force && exists);
        assert_eq!(real.nack(id, mode, force), found);
        if found {
            let old = old.unwrap_or(0);
            model.releases += 1;
            let deliveries = match mode {
                NackMode::Silent => old.saturating_sub(1),
                NackMode::Fail => old,
                NackMode::Fatal => DELIVERIES_MAX,
                NackMode::Count(count) => count,
            };
            let release = model.releases;
            let released = ModelPending {
                owner: None,
                delivered_ms: 0,
                deliveries,
                release,
            };
            model.pending.insert(id, released);
        }
    }

    pub(super) fn expire_consumers(&mut self) {
        let (group, _) = self.names();
        let (Some(mut real), Some(model)) = (
            self.real.group_mut(&group),
            self.model.groups.get_mut(&group),
        ) else {
            return;
        };
        let consumer_idle_ms_max = 3000;
        real.set_policy(GroupPolicy {
            deliveries_max: 0,
            consumer_idle_ms_max,
        });
        let before = model.consumers.len();
        let pending = &model.pending;
        model.consumers.retain(|name, (seen_ms, _)| {
            self.now_ms - *seen_ms < consumer_idle_ms_max
                || pending.values().any(|p| p.owner.as_ref() == Some(name))
        });
        let expected = (before - model.consumers.len()) as u64;
        assert_eq!(real.expire_consumers(self.now_ms), expected);
    }
}
