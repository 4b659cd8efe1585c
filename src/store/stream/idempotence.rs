//! What producers have added already: XADD IDMP and IDMPAUTO.
//!
//! Per producer, the ids it gave its latest entries (or digests of their contents) and the
//! entries they became, in the order they were recorded. An id is remembered for a while and
//! while it is among the latest; within that, adding it again answers with the first entry's id,
//! whether that entry still exists or not.
//!
//! The age of an id is the time since it was recorded, not since its entry's id: a stream whose
//! ids run ahead of the clock forgets all the same. Record and find cost O(log producers), and so
//! does each mark or producer that expires: producers stand in an index by the time of their
//! oldest mark, each once, at a time that may be earlier than that and is never later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;

use super::id::StreamId;
use crate::store::reclaim::{self, SLICE_BYTES, Shed};

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
    /// Bytes that it holds beside its own.
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Given(id) => ARC_BYTES + id.len(),
            Self::Content(_) => 0,
        }
    }

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
    /// Where it stands in the index by time.
    noted_ms: u64,
    /// Bytes of the ids that it gave.
    given_bytes: usize,
}

impl Producer {
    fn new(now_ms: u64) -> Self {
        let seeds = ahash::RandomState::with_seeds(13, 17, 19, 23);
        Self {
            entries: Marks::with_hasher(seeds),
            order: VecDeque::new(),
            noted_ms: now_ms,
            given_bytes: 0,
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, mark)) = self.order.pop_front() {
            self.given_bytes -= mark.heap_bytes();
            self.entries.remove(&mark);
        }
    }

    /// Bytes allocated, its name and its places among the others included.
    fn heap_bytes(&self, name: &[u8]) -> usize {
        let places = size_of::<(Name, Self)>() + size_of::<(u64, Name)>();
        let order = self.order.capacity() * size_of::<(u64, EntryMark)>();
        let own = ARC_BYTES + name.len() + self.given_bytes;
        places + order + self.entries.allocation_size() + own
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

/// A producer's name, which two indexes share.
type Name = Arc<[u8]>;

/// What an `Arc` allocates beside what it holds.
const ARC_BYTES: usize = 2 * size_of::<usize>();

/// What a stream remembers of its producers.
#[derive(Clone, Debug, Default)]
pub struct Idempotence {
    limits: IdempotenceLimits,
    producers: BTreeMap<Name, Producer>,
    /// Every producer, by a time that is not after that of its oldest mark.
    by_age: BTreeSet<(u64, Name)>,
    /// Bytes that the producers take.
    bytes: usize,
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
            let fresh = Self {
                added: self.added,
                duplicates: self.duplicates,
                ..Self::new(limits)
            };
            let forgotten = mem::replace(self, fresh);
            let bytes = forgotten.bytes;
            reclaim::free(forgotten, bytes);
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
        let before = known.heap_bytes(producer);
        known.expire(expiry_ms(self.limits, now_ms)?);
        self.bytes = self.bytes + known.heap_bytes(producer) - before;
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
            let (name, known): (Name, _) = (producer.into(), Producer::new(now_ms));
            self.bytes += known.heap_bytes(producer);
            self.by_age.insert((now_ms, Arc::clone(&name)));
            self.producers.insert(name, known);
        }
        let Some(known) = self.producers.get_mut(producer) else {
            return;
        };
        let before = known.heap_bytes(producer);
        while known.order.len() >= self.limits.len_max {
            known.forget_first();
        }
        known.given_bytes += mark.heap_bytes();
        known.entries.insert(mark.clone(), id);
        known.order.push_back((now_ms, mark));
        self.bytes = self.bytes + known.heap_bytes(producer) - before;
    }

    /// Forgets what is too old, producers without marks included; for the background tick.
    /// Ends with the producer at which it has seen this many producers and old marks, and returns
    /// how many it has seen.
    pub fn expire(&mut self, now_ms: u64, looks_max: usize) -> usize {
        let Some(before_ms) = expiry_ms(self.limits, now_ms) else {
            return 0;
        };
        let mut looks = 0;
        while looks < looks_max
            && self.by_age.first().is_some_and(|&(ms, _)| ms <= before_ms)
            && let Some((_, name)) = self.by_age.pop_first()
        {
            looks += 1;
            let Some(known) = self.producers.get_mut(&name) else {
                continue;
            };
            self.bytes -= known.heap_bytes(&name);
            let marks = known.order.len();
            known.expire(before_ms);
            looks += marks - known.order.len();
            if let Some(&(oldest_ms, _)) = known.order.front() {
                known.noted_ms = oldest_ms;
                self.bytes += known.heap_bytes(&name);
                self.by_age.insert((oldest_ms, name));
            } else {
                self.producers.remove(&name);
            }
        }
        looks
    }

    /// When there is something to forget, if ever; it may come to nothing then.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        let &(oldest_ms, _) = self.by_age.first()?;
        Some(oldest_ms.saturating_add(self.limits.duration_ms))
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> u64 {
        (size_of::<Self>() + self.bytes) as u64
    }

    /// Frees up to so many bytes of what is remembered; true while there is more.
    pub(super) fn shed_some(&mut self, left: &mut usize) -> bool {
        while *left > 0
            && let Some((name, known)) = self.producers.pop_first()
        {
            let bytes = known.heap_bytes(&name);
            self.by_age.remove(&(known.noted_ms, name));
            self.bytes -= bytes;
            *left = left.saturating_sub(bytes);
        }
        !self.producers.is_empty()
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

impl Shed for Idempotence {
    fn shed(&mut self) -> bool {
        self.shed_some(&mut SLICE_BYTES.clone())
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
        let mut changed = known.clone();
        changed.set_limits(IdempotenceLimits::default());
        let empty = Idempotence::default().heap_bytes();
        assert_eq!((changed.marks(), changed.heap_bytes()), (0, empty));
        assert_eq!((changed.next_expiry_ms(), changed.duplicates()), (None, 2));
        known.expire(7000, usize::MAX);
        assert_eq!((known.producers(), known.marks()), (0, 0));
    }

    #[test]
    fn only_producers_with_old_marks_are_looked_at() {
        let mut known = Idempotence::new(IdempotenceLimits {
            duration_ms: 1000,
            len_max: 2,
        });
        let empty_bytes = known.heap_bytes();
        for number in 0..100_u64 {
            let name = number.to_string();
            known.record(name.as_bytes(), given(b"a"), StreamId::MIN, number);
        }
        assert!(known.heap_bytes() > empty_bytes + 100 * size_of::<EntryMark>() as u64);
        assert_eq!(known.next_expiry_ms(), Some(1000));
        assert_eq!((known.expire(1009, 6), known.producers()), (6, 97));
        assert_eq!((known.expire(1009, 99), known.producers()), (14, 90));
        // Later marks crowd the first out; it is looked at for it once and stays.
        for text in [b"b", b"c"] {
            known.record(b"10", given(text), StreamId::MIN, 500);
        }
        assert_eq!((known.expire(1010, 99), known.producers()), (1, 90));
        assert_eq!(known.expire(1010, 99), 0);
        assert_eq!(known.get(b"11", &given(b"a"), 1011), None);
        assert_eq!((known.expire(1499, 999), known.producers()), (177, 1));
        assert_eq!((known.expire(1500, 999), known.producers()), (3, 0));
        assert_eq!(
            (known.heap_bytes(), known.next_expiry_ms()),
            (empty_bytes, None)
        );
        for number in 0..100_u64 {
            let name = number.to_string();
            known.record(name.as_bytes(), given(b"a"), StreamId::MIN, number);
        }
        while known.shed_some(&mut 1000) {}
        assert_eq!(
            (known.heap_bytes(), known.next_expiry_ms()),
            (empty_bytes, None)
        );
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
