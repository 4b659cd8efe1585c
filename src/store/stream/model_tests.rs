//! Every public operation of a stream against a model made of ordered maps.
//!
//! Seeded; a failure prints its seed through the panic's location and the `seed` in scope of
//! `check`. After every step the invariants hold, and at intervals everything readable is equal.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::*;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;
type Name = Vec<u8>;

#[derive(Clone, Debug, PartialEq)]
struct ModelPending {
    owner: Option<Name>,
    delivered_ms: u64,
    deliveries: u64,
    /// Order among released entries.
    release: u64,
}

#[derive(Clone, Debug, Default)]
struct ModelGroup {
    last_id: StreamId,
    /// Seen and active times.
    consumers: BTreeMap<Name, (u64, Option<u64>)>,
    pending: BTreeMap<StreamId, ModelPending>,
    releases: u64,
}

#[derive(Clone, Debug, Default)]
struct Model {
    entries: BTreeMap<StreamId, Pairs>,
    last_id: StreamId,
    added: u64,
    removed: u64,
    groups: BTreeMap<Name, ModelGroup>,
}

fn payload(pairs: &Pairs) -> u64 {
    pairs.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum()
}

fn owned(entry: Entry<'_>) -> (StreamId, Pairs) {
    let fields = entry.fields.map(|(n, v)| (n.to_vec(), v.to_vec()));
    (entry.id, fields.collect())
}

impl ModelGroup {
    fn idle(&self, id: StreamId, now_ms: u64) -> u64 {
        let pending = &self.pending[&id];
        match pending.owner {
            Some(_) => now_ms.saturating_sub(pending.delivered_ms),
            None => u64::MAX,
        }
    }

    fn deliver(&mut self, id: StreamId, owner: &[u8], delivered_ms: u64, deliveries: u64) {
        let owner = Some(owner.to_vec());
        let pending = ModelPending {
            owner,
            delivered_ms,
            deliveries,
            release: 0,
        };
        self.pending.insert(id, pending);
    }

    /// Ids of due entries: released in order of release, then by time and id.
    fn due(&self, min_idle_ms: u64, now_ms: u64) -> Vec<StreamId> {
        let mut due: Vec<_> = self
            .pending
            .iter()
            .filter(|(id, _)| self.idle(**id, now_ms) >= min_idle_ms)
            .map(|(id, p)| (p.owner.is_some(), p.release, p.delivered_ms, *id))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(.., id)| id).collect()
    }
}

struct Pair {
    real: Stream,
    model: Model,
    dice: Dice,
    now_ms: u64,
    limits: NodeLimits,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let limits = match dice.below(3) {
            0 => NodeLimits::default(),
            1 => NodeLimits {
                bytes: 0,
                entries: 2 + dice.below(9),
            },
            _ => NodeLimits {
                bytes: 120 + dice.below(500),
                entries: 0,
            },
        };
        Self {
            real: Stream::new(),
            model: Model::default(),
            dice,
            now_ms: 1_000_000,
            limits,
        }
    }

    fn some_id(&mut self) -> StreamId {
        let ids = &self.model.entries;
        if !ids.is_empty() && self.dice.chance(80) {
            let index = self.dice.below(ids.len() as u64) as usize;
            return *ids.keys().nth(index).expect("index below len");
        }
        let seq = self.dice.below(3);
        StreamId::new(
            self.model.last_id.ms.saturating_sub(self.dice.below(60)),
            seq,
        )
    }

    fn names(&mut self) -> (Name, Name) {
        let group = [b"blue".to_vec(), b"red".to_vec()];
        let consumer = format!("worker-{}", self.dice.below(4)).into_bytes();
        (group[self.dice.below(2) as usize].clone(), consumer)
    }

    fn pending_id(&mut self, group: &[u8]) -> StreamId {
        let pending = self.model.groups.get(group).map(|g| &g.pending);
        match pending {
            Some(pending) if !pending.is_empty() && self.dice.chance(85) => {
                let index = self.dice.below(pending.len() as u64) as usize;
                *pending.keys().nth(index).expect("index below len")
            }
            _ => self.some_id(),
        }
    }

    fn add(&mut self) {
        let len = 1 + self.dice.below(3);
        let same = self.dice.chance(70);
        let mut flat: Vec<Vec<u8>> = Vec::new();
        for index in 0..len {
            let name = if same { index } else { self.dice.below(9) };
            flat.push(format!("field-{name}").into_bytes());
            let value_len = if self.dice.chance(3) {
                5000
            } else {
                self.dice.below(90)
            };
            flat.push(vec![b'a' + (index as u8); value_len as usize]);
        }
        let last = self.model.last_id;
        let new = match self.dice.below(6) {
            0 => NewId::AutoSeq(last.ms),
            1 => NewId::AutoSeq(last.ms + self.dice.below(40)),
            2 => NewId::Exact(StreamId::new(
                last.ms + self.dice.below(5000),
                self.dice.below(9),
            )),
            3 => NewId::Exact(self.some_id()),
            _ => NewId::Auto,
        };
        let expected = match new {
            NewId::Auto if self.now_ms > last.ms => Ok(StreamId::new(self.now_ms, 0)),
            NewId::Auto => Ok(StreamId::new(last.ms, last.seq + 1)),
            NewId::AutoSeq(ms) if ms > last.ms => Ok(StreamId::new(ms, 0)),
            NewId::AutoSeq(_) => Ok(StreamId::new(last.ms, last.seq + 1)),
            NewId::Exact(StreamId::MIN) => Err(AddError::Zero),
            NewId::Exact(id) if id > last => Ok(id),
            NewId::Exact(_) => Err(AddError::NotGreater),
        };
        let got = self.real.add(new, &flat, self.limits, self.now_ms);
        assert_eq!(got, expected);
        if let Ok(id) = expected {
            let pairs = flat
                .chunks(2)
                .map(|p| (p[0].clone(), p[1].clone()))
                .collect();
            self.model.entries.insert(id, pairs);
            self.model.last_id = id;
            self.model.added += 1;
        }
    }

    fn model_remove(&mut self, id: StreamId, references: References) -> Deleted {
        let groups = &mut self.model.groups;
        let referenced = groups
            .values()
            .any(|g| g.last_id < id || g.pending.contains_key(&id));
        if references == References::Acked && referenced {
            return Deleted::Referenced;
        }
        if references == References::Delete {
            groups
                .values_mut()
                .for_each(|g| drop(g.pending.remove(&id)));
        }
        match self.model.entries.remove(&id) {
            Some(pairs) => {
                self.model.removed += 1;
                Deleted::Gone(payload(&pairs))
            }
            None => Deleted::NotFound,
        }
    }

    fn references(&mut self) -> References {
        [References::Keep, References::Delete, References::Acked][self.dice.below(3) as usize]
    }

    fn delete(&mut self) {
        let (id, references) = (self.some_id(), self.references());
        let expected = self.model_remove(id, references);
        assert_eq!(self.real.delete(id, references), expected);
        if matches!(expected, Deleted::Gone(_)) {
            assert!(self.real.log().max_deleted_id() >= id);
        }
    }

    fn ack_delete(&mut self) {
        let (group, _) = self.names();
        let (id, references) = (self.pending_id(&group), self.references());
        let pending = self.model.groups.get_mut(&group).map(|g| &mut g.pending);
        let expected = match pending.map(|pending| pending.remove(&id)) {
            None => None,
            Some(None) => Some(Deleted::NotFound),
            Some(Some(_)) => Some(match self.model_remove(id, references) {
                Deleted::NotFound => Deleted::GoneBefore,
                deleted => deleted,
            }),
        };
        assert_eq!(self.real.ack_delete(&group, id, references), expected);
    }

    fn trim(&mut self) {
        let to = if self.dice.chance(50) {
            let len = self.model.entries.len() as u64;
            TrimTo::MaxLen(len.saturating_sub(self.dice.below(30)))
        } else {
            TrimTo::MinId(self.some_id())
        };
        let approximate = self.dice.chance(40);
        let references = self.references();
        let limit = if approximate {
            self.dice.below(3) * 40
        } else {
            0
        };
        let lost = self.real.trim(Trim {
            to,
            approximate,
            limit,
            references,
        });
        let mut expected = Lost::default();
        let ids: Vec<StreamId> = self.model.entries.keys().copied().collect();
        for id in ids {
            // Approximate trimming stops early, at a place that only segments know.
            let real_gone = self.real.log().get(id).is_none();
            let beyond = match to {
                TrimTo::MaxLen(len_max) => self.model.entries.len() as u64 <= len_max,
                TrimTo::MinId(min_id) => id >= min_id,
            };
            if beyond || (approximate && !real_gone && references == References::Keep) {
                break;
            }
            if approximate && !real_gone {
                continue;
            }
            // Exact trimming with ACKED ends with the segment in which it came to the bound.
            if references == References::Acked && !real_gone {
                continue;
            }
            if let Deleted::Gone(bytes) = self.model_remove(id, references) {
                expected.entries += 1;
                expected.bytes += bytes;
            }
        }
        assert_eq!(
            lost, expected,
            "{to:?} {references:?} approximate {approximate}"
        );
    }

    fn expire(&mut self) {
        let age_ms_max = self.dice.below(20_000);
        let segments_max = 1 + self.dice.below(20) as usize;
        let min_id = StreamId::new(self.now_ms - age_ms_max, 0);
        let (lost, more) = self.real.expire(self.now_ms, age_ms_max, segments_max);
        let mut expected = Lost::default();
        while let Some((&id, pairs)) = self.model.entries.first_key_value()
            && id < min_id
            && expected.entries < lost.entries
        {
            expected.entries += 1;
            expected.bytes += payload(pairs);
            self.model.entries.remove(&id);
            self.model.removed += 1;
        }
        assert_eq!(lost, expected);
        let first = self.model.entries.first_key_value();
        assert_eq!(more, first.is_some_and(|(&id, _)| id < min_id));
    }

    fn group_life(&mut self) {
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

    fn read(&mut self) {
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
                got.push((id, e.map(owned)))
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
                        p.deliveries += 1;
                    }
                    (*id, pairs.map(|pairs| (*id, pairs.clone())))
                })
                .collect();
            assert_eq!(got, expected);
        }
    }

    fn ack_or_nack(&mut self) {
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

    fn claim(&mut self) {
        let (group, consumer) = self.names();
        let ids: Vec<_> = (0..1 + self.dice.below(4))
            .map(|_| self.pending_id(&group))
            .collect();
        let (force, just_id) = (self.dice.chance(20), self.dice.chance(30));
        let way = self.dice.below(3);
        let count = 1 + self.dice.below(6);
        let min_idle_ms = [0, 50, 400][self.dice.below(3) as usize];
        let deliveries_max = [0, 0, 3][self.dice.below(3) as usize];
        let now_ms = self.now_ms;
        let (Some(mut real), Some(model)) = (
            self.real.group_mut(&group),
            self.model.groups.get_mut(&group),
        ) else {
            return;
        };
        real.set_policy(GroupPolicy {
            deliveries_max,
            consumer_idle_ms_max: 0,
        });
        let (claimer, _) = real.consumer(&consumer, now_ms);
        model
            .consumers
            .entry(consumer.clone())
            .or_insert((0, None))
            .0 = now_ms;
        let mut active = false;
        let options = ClaimOptions {
            min_idle_ms,
            delivered_ms: now_ms - 10,
            deliveries: None,
            force,
            just_id,
        };
        let auto = AutoclaimOptions {
            count,
            min_idle_ms,
            just_id,
        };
        let start = ids[0];
        let claimed = match way {
            0 => real.claim(claimer, &ids, options, now_ms),
            1 => real.autoclaim(claimer, start, auto, now_ms),
            _ => real.claim_due(claimer, min_idle_ms, count, now_ms),
        };
        let candidates = match way {
            0 => ids,
            1 => model
                .pending
                .keys()
                .copied()
                .filter(|id| *id >= start)
                .collect(),
            _ => model.due(min_idle_ms, now_ms),
        };
        let (mut looks, mut left) = match way {
            0 => (u64::MAX, u64::MAX),
            1 => (count * 10, count),
            _ => (u64::MAX, count),
        };
        let (mut entries, mut gone, mut spent) = (Vec::new(), Vec::new(), Vec::new());
        let mut cursor = StreamId::MIN;
        for id in candidates {
            if looks == 0 || left == 0 {
                cursor = id;
                break;
            }
            looks -= 1;
            let Some(pairs) = self.model.entries.get(&id) else {
                if model.pending.remove(&id).is_some() {
                    gone.push(id);
                    left -= u64::from(way == 1);
                }
                continue;
            };
            let (idle_ms, before) = match model.pending.get(&id) {
                Some(p) => (model.idle(id, now_ms), p.deliveries),
                None if way == 0 && force => (u64::MAX, 1),
                None => continue,
            };
            if idle_ms < min_idle_ms {
                continue;
            }
            left -= 1;
            let at_bound = deliveries_max > 0 && before >= deliveries_max;
            if at_bound && (way == 2 || !just_id) && model.pending.remove(&id).is_some() {
                spent.push((id, before));
                continue;
            }
            let delivered_ms = if way == 0 { now_ms - 10 } else { now_ms };
            let counted = u64::from(way == 2 || !just_id);
            let deliveries = (before + counted).min(DELIVERIES_MAX);
            model.deliver(id, &consumer, delivered_ms, deliveries);
            active = true;
            entries.push(((id, pairs.clone()), idle_ms, before));
        }
        if active && let Some(times) = model.consumers.get_mut(&consumer) {
            times.1 = Some(now_ms);
        }
        let got = claimed
            .entries
            .iter()
            .map(|c| (owned(c.entry), c.idle_ms, c.deliveries));
        assert!(got.eq(entries), "way {way}");
        assert_eq!(claimed.deleted, gone, "way {way}");
        let exhausted = claimed.exhausted.iter().map(|e| (e.entry.id, e.deliveries));
        assert!(exhausted.eq(spent));
        if way == 1 {
            assert_eq!(claimed.cursor, cursor);
        }
    }

    fn expire_consumers(&mut self) {
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

    fn step(&mut self) {
        self.now_ms += self.dice.below(60);
        match self.dice.below(100) {
            0..40 => self.add(),
            40..45 => self.delete(),
            45..50 => self.ack_delete(),
            50..53 => self.trim(),
            53 => self.expire(),
            54..60 => self.group_life(),
            60..75 => self.read(),
            75..88 => self.ack_or_nack(),
            88..99 => self.claim(),
            _ => self.expire_consumers(),
        }
        self.real.verify();
    }

    fn compare_log(&mut self) {
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

    fn compare_groups(&mut self) {
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

/// Runs one seed.
fn check(seed: u64, steps: u64) {
    let mut pair = Pair::new(seed);
    for step in 0..steps {
        pair.step();
        if step % 16 == 0 {
            pair.compare_log();
            pair.compare_groups();
        }
        if step % 500 == 499 {
            // A copy goes on as the original would have.
            pair.real = pair.real.clone();
        }
    }
}

#[test]
fn behaves_as_the_model() {
    for seed in 0..60 {
        check(seed, 1500);
    }
}
