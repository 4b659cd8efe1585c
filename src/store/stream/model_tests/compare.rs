//! Everything readable, side by side.

use super::*;

impl Pair {
    pub(super) fn compare_log(&mut self) {
        let (from, to) = (self.some_id(), self.some_id());
        let (log, entries) = (self.real.log(), &self.model.entries);
        assert_eq!(log.len(), entries.len() as u64);
        assert_eq!(log.entries_added(), self.model.added);
        assert_eq!(
            log.entries_added(),
            log.len() + self.model.removed,
            "in = held + lost"
        );
        assert_eq!(
            log.payload_bytes(),
            entries.values().map(payload).sum::<u64>()
        );
        assert_eq!(log.last_id(), self.model.last_id);
        let last_live = entries
            .last_key_value()
            .map_or(StreamId::MIN, |(id, _)| *id);
        assert_eq!(log.last_live_id(), last_live);
        let all = log.range(StreamId::MIN, StreamId::MAX).map(owned);
        assert!(all.eq(entries.iter().map(|(id, pairs)| (*id, pairs.clone()))));
        let backwards = log.range_rev(StreamId::MIN, StreamId::MAX).map(|e| e.id);
        assert!(backwards.eq(entries.keys().rev().copied()));
        if from <= to {
            let some = entries.range(from..=to).map(|(id, _)| *id);
            assert!(log.range(from, to).map(|e| e.id).eq(some.clone()));
            assert!(log.range_rev(from, to).map(|e| e.id).eq(some.rev()));
        } else {
            assert!(log.range(from, to).next().is_none());
        }
        let mut seeker = log.seeker();
        for id in [from, to, from.next().expect("not the last id"), from] {
            assert_eq!(log.get(id).map(owned), seeker.seek(id).map(owned));
            assert_eq!(log.get(id).is_some(), entries.contains_key(&id));
        }
    }

    pub(super) fn compare_groups(&mut self) {
        let (from, to) = (self.some_id(), StreamId::MAX);
        let min_idle_ms = self.dice.below(500);
        let now_ms = self.now_ms;
        for (name, model) in &self.model.groups {
            let real = self.real.group(name).expect("the group is there");
            assert_eq!(real.last_id(), model.last_id);
            assert_eq!(real.pending(), model.pending.len() as u64);
            let released = model.pending.values().filter(|p| p.owner.is_none()).count();
            assert_eq!(real.released(), released as u64);
            let bounds = model
                .pending
                .keys()
                .next()
                .zip(model.pending.keys().next_back());
            assert_eq!(real.pending_bounds(), bounds.map(|(a, b)| (*a, *b)));
            let consumers = real
                .consumers()
                .map(|(_, c)| (c.name(), c.seen_ms, c.active_ms));
            let expected = model.consumers.iter().map(|(n, t)| (&n[..], t.0, t.1));
            assert!(consumers.eq(expected));
            let query = PendingQuery {
                from,
                to,
                count: 9,
                min_idle_ms,
                owner: None,
                now_ms,
            };
            let mut listed = Vec::new();
            real.pending_range(query, |p| listed.push(p));
            let wanted = model.pending.range(from..);
            let wanted = wanted.filter(|(id, _)| model.idle(**id, now_ms) >= min_idle_ms);
            let wanted: Vec<_> = wanted.take(9).collect();
            assert_eq!(listed.len(), wanted.len());
            for (got, (id, expected)) in listed.iter().zip(wanted) {
                assert_eq!((got.id, got.deliveries), (*id, expected.deliveries));
                assert_eq!(got.delivered_ms, expected.delivered_ms);
                let owner = got.owner.map(|index| real.consumer(index).name().to_vec());
                assert_eq!(owner, expected.owner);
            }
            for (index, consumer) in real.consumers() {
                let name = Some(consumer.name().to_vec());
                let owned = model.pending.iter().filter(|(_, p)| p.owner == name);
                let query = PendingQuery {
                    owner: Some(index),
                    from: StreamId::MIN,
                    ..query
                };
                let mut listed = Vec::new();
                real.pending_range(
                    PendingQuery {
                        count: u64::MAX,
                        min_idle_ms: 0,
                        ..query
                    },
                    |p| {
                        listed.push(p.id);
                    },
                );
                assert!(listed.iter().eq(owned.clone().map(|(id, _)| id)));
                assert!(real.consumer_pending(index).map(|p| p.id).eq(listed));
                assert_eq!(consumer.pending(), owned.count() as u64);
            }
        }
    }
}
