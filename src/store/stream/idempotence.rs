//! What producers have added already: XADD IDMP and IDMPAUTO.
//!
//! Per producer, the ids it gave its latest entries (or digests of their contents) and the
//! entries they became, in the order they were recorded. An id is remembered for a while and
//! while it is among the latest; within that, adding it again answers with the first entry's id,
//! whether that entry still exists or not.
//!
//! The age of an id is the time since it was recorded, not since its entry's id: a stream whose
//! ids run ahead of the clock forgets all the same. Record and find are O(1), expiry O(expired).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::id::StreamId;

/// How long and how many ids are remembered; XCFGSET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotenceLimits {
    /// Milliseconds for which an id is remembered.
    pub duration_ms: u64,
    /// Ids remembered for each producer.
    pub len_max: usize,
}

impl Default for IdempotenceLimits {
    fn default() -> Self {
        Self {
            duration_ms: 100_000,
            len_max: 100,
        }
    }
}

/// What tells an entry from another of the same producer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EntryMark {
    /// The producer's own id for it.
    Given(Arc<[u8]>),
    /// A digest of its fields and values, whatever their order.
    Content(u128),
}

impl EntryMark {
    /// The mark of a content: names and values in turn. Equal for equal pairs in any order.
    pub fn of_content<A: AsRef<[u8]>>(pairs: &[A]) -> Self {
        // Fixed seeds: a mark must mean the same in every copy of a stream. Two digests make a
        // collision, which would swallow an entry, unlikely beyond concern.
        let left = ahash::RandomState::with_seeds(0x6d61_726b, 1, 2, 3);
        let right = ahash::RandomState::with_seeds(0x6461_7368, 5, 7, 11);
        let mut digest = 0u128;
        for pair in pairs.chunks_exact(2) {
            let pair = (pair[0].as_ref(), pair[1].as_ref());
            let wide = (u128::from(left.hash_one(pair)) << 64) | u128::from(right.hash_one(pair));
            digest = digest.wrapping_add(wide);
        }
        Self::Content(digest)
    }
}

type Marks = hashbrown::HashMap<EntryMark, StreamId, ahash::RandomState>;

/// One producer's latest marks.
#[derive(Clone, Debug)]
struct Producer {
    entries: Marks,
    /// Marks in the order they were recorded, with the time of it.
    order: VecDeque<(u64, EntryMark)>,
}

impl Producer {
    fn new() -> Self {
        let seeds = ahash::RandomState::with_seeds(13, 17, 19, 23);
        Self {
            entries: Marks::with_hasher(seeds),
            order: VecDeque::new(),
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, mark)) = self.order.pop_front() {
            self.entries.remove(&mark);
        }
    }

    fn expire(&mut self, recorded_before_ms: u64) {
        while self
            .order
            .front()
            .is_some_and(|&(recorded_ms, _)| recorded_ms <= recorded_before_ms)
        {
            self.forget_first();
        }
    }
}

/// What a stream remembers of its producers.
#[derive(Clone, Debug, Default)]
pub struct Idempotence {
    limits: IdempotenceLimits,
    producers: BTreeMap<Box<[u8]>, Producer>,
    added: u64,
    duplicates: u64,
}

impl Idempotence {
    /// Remembers nothing yet.
    pub fn new(limits: IdempotenceLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// How long and how many.
    pub fn limits(&self) -> IdempotenceLimits {
        self.limits
    }

    /// Sets how long and how many. Forgets everything if that is a change.
    pub fn set_limits(&mut self, limits: IdempotenceLimits) {
        if limits != self.limits {
            self.limits = limits;
            self.producers.clear();
        }
    }

    /// The entry that this mark stands for already; counts it as a duplicate.
    pub fn find(&mut self, producer: &[u8], mark: &EntryMark, now_ms: u64) -> Option<StreamId> {
        let id = self.get(producer, mark, now_ms);
        self.duplicates += u64::from(id.is_some());
        id
    }

    /// The entry that this mark stands for already.
    pub fn get(&mut self, producer: &[u8], mark: &EntryMark, now_ms: u64) -> Option<StreamId> {
        let known = self.producers.get_mut(producer)?;
        known.expire(expiry_ms(self.limits, now_ms)?);
        known.entries.get(mark).copied()
    }

    /// Remembers that the mark became this entry, which was just added.
    pub fn record(&mut self, producer: &[u8], mark: EntryMark, id: StreamId, now_ms: u64) {
        self.remember(producer, mark, id, now_ms);
        self.added += 1;
    }

    /// Remembers that a mark, which is not known, stands for this entry.
    pub fn remember(&mut self, producer: &[u8], mark: EntryMark, id: StreamId, now_ms: u64) {
        if !self.producers.contains_key(producer) {
            self.producers.insert(producer.into(), Producer::new());
        }
        let Some(known) = self.producers.get_mut(producer) else {
            return;
        };
        while known.order.len() >= self.limits.len_max {
            known.forget_first();
        }
        known.entries.insert(mark.clone(), id);
        known.order.push_back((now_ms, mark));
    }

    /// Forgets what is too old, producers without marks included; for the background tick.
    pub fn expire(&mut self, now_ms: u64) {
        let Some(before_ms) = expiry_ms(self.limits, now_ms) else {
            return;
        };
        self.producers.retain(|_, known| {
            known.expire(before_ms);
            !known.order.is_empty()
        });
    }

    /// Producers with something remembered.
    pub fn producers(&self) -> usize {
        self.producers.len()
    }

    /// Marks remembered for all producers.
    pub fn marks(&self) -> usize {
        self.producers.values().map(|known| known.order.len()).sum()
    }

    /// Entries ever added with a mark.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Entries that were not added because their mark was known.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

/// Marks recorded at this time or before are too old; `None` when none can be.
fn expiry_ms(limits: IdempotenceLimits, now_ms: u64) -> Option<u64> {
    now_ms.checked_sub(limits.duration_ms).or(Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &[u8]) -> EntryMark {
        EntryMark::Given(text.into())
    }

    #[test]
    fn a_mark_is_known_until_it_is_old_or_crowded_out() {
        let limits = IdempotenceLimits {
            duration_ms: 1000,
            len_max: 2,
        };
        let mut known = Idempotence::new(limits);
        let entry = StreamId::new(u64::MAX, 0);
        known.record(b"p", given(b"a"), entry, 5000);
        assert_eq!(known.find(b"p", &given(b"a"), 5999), Some(entry));
        assert_eq!(known.find(b"q", &given(b"a"), 5999), None);
        assert_eq!(known.find(b"p", &given(b"a"), 6000), None, "too old");
        for text in [b"b", b"c", b"d"] {
            known.record(b"p", given(text), entry, 6000);
        }
        assert_eq!(known.find(b"p", &given(b"b"), 6000), None, "crowded out");
        assert_eq!(known.find(b"p", &given(b"c"), 6000), Some(entry));
        assert_eq!((known.producers(), known.marks()), (1, 2));
        assert_eq!((known.added(), known.duplicates()), (4, 2));
        known.set_limits(limits);
        assert_eq!(known.marks(), 2, "no change, nothing forgotten");
        known.expire(7000);
        assert_eq!((known.producers(), known.marks()), (0, 0));
    }

    #[test]
    fn a_content_is_the_same_in_any_order_of_its_fields() {
        let mark = EntryMark::of_content(&["a", "1", "b", "2"]);
        assert_eq!(mark, EntryMark::of_content(&["b", "2", "a", "1"]));
        for other in [&["a", "2", "b", "1"][..], &["a", "1"], &["ab", "12"]] {
            assert_ne!(mark, EntryMark::of_content(other));
        }
    }
}
