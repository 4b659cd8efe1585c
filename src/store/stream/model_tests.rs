//! Every public operation of a stream against a model made of ordered maps.
//!
//! Seeded; a failure prints its seed through the panic's location and the `seed` in scope of
//! `check`. After every step the invariants hold, and at intervals everything readable is equal.
#![allow(
    clippy::cast_possible_truncation,
    reason = "a dice below a length is an index"
)]

mod claims;
mod compare;
mod groups;

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
            NewId::AutoSeq(ms) if ms > last.ms => Ok(StreamId::new(ms, 0)),
            NewId::Auto | NewId::AutoSeq(_) => Ok(StreamId::new(last.ms, last.seq + 1)),
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
        let held = groups
            .values()
            .any(|g| g.last_id < id || g.pending.contains_key(&id));
        if references == References::Acked && held {
            return Deleted::Referenced;
        }
        if references == References::Delete {
            for group in groups.values_mut() {
                group.pending.remove(&id);
            }
        }
        match self.model.entries.remove(&id) {
            Some(pairs) => {
                self.model.removed += 1;
                Deleted::Gone(Tally {
                    messages: 1,
                    bytes: payload(&pairs),
                })
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
        let mut expected = Tally::default();
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
            if let Deleted::Gone(gone) = self.model_remove(id, references) {
                expected += gone;
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
        let mut expected = Tally::default();
        while let Some((&id, pairs)) = self.model.entries.first_key_value()
            && id < min_id
            && expected.messages < lost.messages
        {
            expected.messages += 1;
            expected.bytes += payload(pairs);
            self.model.entries.remove(&id);
            self.model.removed += 1;
        }
        assert_eq!(lost, expected);
        let first = self.model.entries.first_key_value();
        assert_eq!(more, first.is_some_and(|(&id, _)| id < min_id));
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
