//! The entries of a stream: segments by first id, and what is known of them without looking.
//!
//! Consumer groups read the log and never change it, which is why it stands apart from them.
//! Invariants: segments are disjoint and in order; `first_id` is the first live
//! entry's id (`0-0` when there is none); `last_id` never goes back.
//!
//! Costs, for s segments: append O(entry); find O(log s) and a walk within one segment; a range
//! the same once, then what it returns; dropping a whole segment O(log s).

use super::entry::Entry;
use super::id::{StreamId, parse_u64};
use super::radix::added_nodes;
#[cfg(any(test, feature = "verify"))]
use super::radix::count_nodes;
use super::range::{Range, RangeRev, Seeker, Spot};
use super::segment::{NodeLimits, Segment};
use super::sorted::{Keyed, Sorted};
use crate::store::ledger::Tally;

/// The id an entry is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: the present millisecond, or the last id's if the clock is behind it.
    Auto,
    /// `<ms>-*`: the next free sequence number of that millisecond.
    AutoSeq(u64),
    /// Exactly this one.
    Exact(StreamId),
}

impl NewId {
    /// Reads what XADD takes for an id: `*`, `<ms>-*`, `<ms>-<seq>` or `<ms>`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"*" => Some(Self::Auto),
            [ms @ .., b'-', b'*'] if text.len() < 128 => parse_u64(ms).map(Self::AutoSeq),
            _ => StreamId::parse(text, 0).map(Self::Exact),
        }
    }
}

/// Why an entry was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// The id is not greater than the last one.
    NotGreater,
    /// `0-0` was asked for.
    Zero,
    /// The last id is the greatest there is.
    Exhausted,
    /// Names and values together pass a gibibyte.
    TooLarge,
    /// The policy of the stream refuses what does not fit: this is what came.
    Full(Tally),
}

/// Why the last id was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetIdError {
    /// Below the last live entry.
    BelowLastEntry,
    /// Below the greatest deleted id.
    BelowMaxDeleted,
    /// Fewer entries added than there are.
    AddedBelowLen,
}

/// A segment in the directory, with its first id, from which its own ids step.
#[derive(Clone, Debug)]
pub(super) struct Based {
    pub base: StreamId,
    pub segment: Segment,
}

impl Keyed for Based {
    type Key = StreamId;

    #[inline]
    fn key(&self) -> StreamId {
        self.base
    }
}

/// What becomes of a segment whose last live entry is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// It goes.
    Drop,
    /// Its place stays and is filled up by what comes next, without the bytes of what was: so
    /// does Redis when MINID trims the live entries of a node that ends in deleted ones, and the
    /// ends of nodes are visible.
    Keep,
}

/// The entries of a stream.
#[derive(Debug, Default)]
pub struct Log {
    pub(super) segments: Sorted<Based>,
    len: u64,
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    payload_bytes: u64,
    heap_bytes: u64,
    /// Nodes beside the root that Redis would keep for the segments.
    nodes: u64,
    /// Counts the changes after which a [`Spot`] may not mean what it did.
    epoch: u64,
}

impl Clone for Log {
    fn clone(&self) -> Self {
        let segments = self.segments.clone();
        // A copied segment is allocated as it is, without room to grow.
        let heap_bytes = segments.iter().map(|b| b.segment.heap_bytes()).sum();
        Self {
            segments,
            heap_bytes,
            ..*self
        }
    }
}

impl Log {
    /// Live entries.
    #[inline]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no live entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Id of the first live entry, `0-0` when there is none.
    #[inline]
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// Greatest id ever given, or set by XSETID.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// Greatest id ever deleted by name; trimming does not count.
    #[inline]
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// Entries ever added.
    #[inline]
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Bytes of the names and values of live entries.
    #[inline]
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Segments, each of which stands for one macro node of Redis.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Bytes allocated for entries, the directory included.
    pub fn heap_bytes(&self) -> u64 {
        self.heap_bytes + self.segments.heap_bytes()
    }

    /// The id that `new` would get now.
    #[inline]
    pub fn next_id(&self, new: NewId, now_ms: u64) -> Result<StreamId, AddError> {
        let last = self.last_id;
        let Some(after_last) = last.next() else {
            return Err(AddError::Exhausted);
        };
        match new {
            NewId::Auto if now_ms > last.ms => Ok(StreamId::new(now_ms, 0)),
            NewId::Auto => Ok(after_last),
            NewId::AutoSeq(ms) if ms > last.ms => Ok(StreamId::new(ms, 0)),
            NewId::AutoSeq(ms) if ms == after_last.ms => Ok(after_last),
            NewId::Exact(StreamId::MIN) => Err(AddError::Zero),
            NewId::Exact(id) if id > last => Ok(id),
            NewId::AutoSeq(_) | NewId::Exact(_) => Err(AddError::NotGreater),
        }
    }

    /// Appends an entry; `pairs` are names and values in turn, at least one pair.
    ///
    /// # Panics
    /// When `pairs` is empty or odd: the command layer has checked it.
    #[inline]
    pub fn append<A: AsRef<[u8]>>(
        &mut self,
        new: NewId,
        pairs: &[A],
        limits: NodeLimits,
        now_ms: u64,
    ) -> Result<StreamId, AddError> {
        assert!(!pairs.is_empty() && pairs.len().is_multiple_of(2));
        let id = self.next_id(new, now_ms)?;
        let raw_bytes: u64 = pairs.iter().map(|part| part.as_ref().len() as u64).sum();
        if raw_bytes > NodeLimits::BYTES_MAX {
            return Err(AddError::TooLarge);
        }
        let mut bytes_hint = 0;
        let mut end = self.segments.last_mut();
        if end.as_ref().is_some_and(|end| end.segment.last() >= id) {
            self.clear_above(id);
            end = self.segments.last_mut();
        }
        if let Some(Based { base, segment }) = end {
            let before = segment.heap_bytes();
            if segment.fits(raw_bytes, limits) {
                segment.push(*base, id, pairs);
                self.heap_bytes = self.heap_bytes - before + segment.heap_bytes();
                self.note_added(id, raw_bytes);
                return Ok(id);
            }
            segment.seal();
            self.heap_bytes = self.heap_bytes - before + segment.heap_bytes();
            // The next segment will most likely hold the like, and grow to the like.
            bytes_hint = segment.len_bytes().min(NODE_BYTES_HINT_MAX) + 8;
        }
        let segment = Segment::open(id, pairs, bytes_hint);
        self.heap_bytes += segment.heap_bytes();
        self.nodes += added_nodes(&self.segments, id);
        self.segments.insert(Based { base: id, segment });
        self.note_added(id, raw_bytes);
        Ok(id)
    }

    /// Makes sure that no dead entry stands at or above an id that is to be added: XSETID may
    /// have taken the last id back below some.
    #[cold]
    fn clear_above(&mut self, id: StreamId) {
        self.epoch += 1;
        while let Some(end) = self.segments.end() {
            let Based { base, segment } = self.segments.at_mut(end);
            if segment.last() < id {
                return;
            }
            let base = *base;
            if segment.live() == 0 {
                let nothing = self.drop_segment(base);
                debug_assert!(nothing.is_zero());
                continue;
            }
            let before = segment.heap_bytes();
            segment.rewrite(base);
            self.heap_bytes = self.heap_bytes - before + segment.heap_bytes();
        }
    }

    #[inline]
    fn note_added(&mut self, id: StreamId, payload_bytes: u64) {
        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.entries_added += 1;
        self.last_id = id;
        self.payload_bytes += payload_bytes;
    }

    /// Takes all segments, for freeing them elsewhere; the log is worthless after.
    pub(super) fn take_segments(&mut self) -> Sorted<Based> {
        std::mem::take(&mut self.segments)
    }

    /// Live entries with `from <= id <= to`, in order.
    pub fn range(&self, from: StreamId, to: StreamId) -> Range<'_> {
        Range::new(self, from, to)
    }

    /// Goes on where a range stood, if the log still allows it: spares the search and the walk.
    #[inline]
    pub(super) fn resume(&self, spot: Spot, from: StreamId) -> Option<Range<'_>> {
        (spot.epoch == self.epoch).then(|| Range::resume(self, spot, from))
    }

    /// See [`Spot`].
    #[inline]
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Live entries with `from <= id <= to`, in reverse order.
    pub fn range_rev(&self, from: StreamId, to: StreamId) -> RangeRev<'_> {
        RangeRev::new(self, from, to)
    }

    /// The live entry with this id.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let segment = self.segment_before(id)?;
        if segment.last() < id {
            return None;
        }
        segment
            .entries_from(id)
            .find(|placed| placed.entry.id >= id)
            .filter(|placed| placed.entry.id == id && !placed.dead)
            .map(|placed| placed.entry)
    }

    /// Finds many ids, cheaply when they rise.
    pub fn seeker(&self) -> Seeker<'_> {
        Seeker::new(self)
    }

    /// Id of the last live entry, `0-0` when there is none.
    pub fn last_live_id(&self) -> StreamId {
        self.range_rev(StreamId::MIN, StreamId::MAX)
            .next()
            .map_or(StreamId::MIN, |entry| entry.id)
    }

    /// Removes the entry and returns it with its payload bytes; `None` when it does not exist.
    ///
    /// Does not touch [`Log::max_deleted_id`]: trimming an entry is not deleting it.
    pub(super) fn remove(&mut self, id: StreamId, emptied: Emptied) -> Option<Tally> {
        let place = self.segments.floor(id)?;
        let Based { base, segment } = self.segments.at_mut(place);
        let base = *base;
        if segment.last() < id {
            return None;
        }
        let placed = segment
            .entries_from(id)
            .find(|placed| placed.entry.id >= id)
            .filter(|placed| placed.entry.id == id && !placed.dead)?;
        let payload_bytes = placed.entry.fields.payload_bytes();
        let (start, end) = placed.place();
        self.epoch += 1;
        let before = segment.heap_bytes();
        if segment.live() == 1 && emptied == Emptied::Drop {
            self.heap_bytes -= before;
            self.segments.remove(base);
            self.nodes -= added_nodes(&self.segments, base);
        } else {
            segment.kill(start, end, payload_bytes);
            segment.compact(base);
            self.heap_bytes = self.heap_bytes - before + segment.heap_bytes();
        }
        self.len -= 1;
        self.payload_bytes -= payload_bytes;
        if id == self.first_id {
            self.renew_first_id();
        }
        Some(Tally {
            messages: 1,
            bytes: payload_bytes,
        })
    }

    /// Notes that `id` was deleted by name.
    pub(super) fn note_deleted(&mut self, id: StreamId) {
        self.max_deleted_id = self.max_deleted_id.max(id);
    }

    /// The first segment at or after `base`, with its key.
    pub(super) fn segment_from(&self, base: StreamId) -> Option<(StreamId, &Segment)> {
        let found = match base {
            StreamId::MIN => self.segments.first()?,
            base => self.segments.iter_from(base).next()?,
        };
        Some((found.base, &found.segment))
    }

    /// Drops a whole segment; returns its live entries and their payload bytes.
    pub(super) fn drop_segment(&mut self, base: StreamId) -> Tally {
        let Some(Based { segment, .. }) = self.segments.remove(base) else {
            return Tally::default();
        };
        self.nodes -= added_nodes(&self.segments, base);
        self.epoch += 1;
        self.heap_bytes -= segment.heap_bytes();
        self.len -= segment.live();
        self.payload_bytes -= segment.payload_bytes();
        if base <= self.first_id {
            self.renew_first_id();
        }
        segment.held()
    }

    /// Removes live entries from the front of the first segment that has any, while `goes` says
    /// so of them; returns how many and their payload bytes. The segment is not rewritten:
    /// what is trimmed from the front will soon be gone as a whole.
    pub(super) fn trim_front(
        &mut self,
        base: StreamId,
        emptied: Emptied,
        goes: impl FnMut(&Entry<'_>) -> bool,
    ) -> Tally {
        let Some(place) = self.segments.floor(base) else {
            return Tally::default();
        };
        self.epoch += 1;
        let segment = &mut self.segments.at_mut(place).segment;
        let live = segment.live();
        let (bytes, first_kept) = segment.kill_front(goes);
        let removed = live - segment.live();
        self.len -= removed;
        self.payload_bytes -= bytes;
        match first_kept {
            Some(id) => self.first_id = id,
            None if emptied == Emptied::Drop => {
                let nothing = self.drop_segment(base);
                debug_assert!(nothing.is_zero());
            }
            None => {
                let before = segment.heap_bytes();
                segment.compact(base);
                self.heap_bytes = self.heap_bytes - before + segment.heap_bytes();
                self.renew_first_id();
            }
        }
        Tally {
            messages: removed,
            bytes,
        }
    }

    fn renew_first_id(&mut self) {
        self.first_id = self
            .range(self.first_id, StreamId::MAX)
            .next()
            .map_or(StreamId::MIN, |entry| entry.id);
    }

    /// Sets the last id, and what else XSETID may set, after checking that it can be true.
    pub fn set_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        if last_id < self.max_deleted_id {
            return Err(SetIdError::BelowMaxDeleted);
        }
        if self.len > 0 {
            if last_id < self.last_live_id() {
                return Err(SetIdError::BelowLastEntry);
            }
            if entries_added.is_some_and(|added| added < self.len) {
                return Err(SetIdError::AddedBelowLen);
            }
        }
        self.last_id = last_id;
        if let Some(added) = entries_added {
            self.entries_added = added;
        }
        if let Some(id) = max_deleted_id
            && id != StreamId::MIN
        {
            self.max_deleted_id = id;
        }
        Ok(())
    }

    /// Whether an id past `after` may have been deleted by name: then counting entries from
    /// there on does not tell how many were added.
    #[inline]
    pub(super) fn tombstone_after(&self, after: StreamId) -> bool {
        self.len > 0
            && self.max_deleted_id != StreamId::MIN
            && self.first_id <= self.max_deleted_id
            && after <= self.max_deleted_id
    }

    /// Whether a group that stands at `last_id` and knows its read counter may go on counting.
    #[inline]
    pub(super) fn counts_on_from(&self, last_id: StreamId) -> bool {
        last_id >= self.first_id && !self.tombstone_after(last_id)
    }

    /// How many entries were ever added up to and with `id`, in the cases in which Redis says
    /// that it can be told: at both ends, and before the first entry.
    pub(super) fn position(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let tombstones =
            self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= self.first_id;
        if tombstones || id > self.first_id {
            return None;
        }
        let removed = self.entries_added.saturating_sub(self.len);
        Some(removed + u64::from(id == self.first_id))
    }

    /// Nodes of the radix tree that Redis would keep for these segments, which XINFO reports.
    pub fn radix_nodes(&self) -> u64 {
        1 + self.nodes
    }

    /// The only segment that may hold `id`.
    pub(super) fn segment_before(&self, id: StreamId) -> Option<&Segment> {
        Some(&self.segments.at(self.segments.floor(id)?).segment)
    }

    /// Checks that every count is what the segments say.
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        let mut previous: Option<StreamId> = None;
        let (mut len, mut payload_bytes, mut heap_bytes) = (0, 0, 0);
        self.segments.verify();
        for Based { base, segment } in self.segments.iter() {
            let base = *base;
            assert!(previous < Some(base), "segments are disjoint");
            segment.verify(base);
            previous = Some(segment.last());
            len += segment.live();
            payload_bytes += segment.payload_bytes();
            heap_bytes += segment.heap_bytes();
        }
        assert_eq!(len, self.len);
        assert_eq!(payload_bytes, self.payload_bytes);
        assert_eq!(heap_bytes, self.heap_bytes);
        let keys: Vec<[u8; 16]> = self.segments.iter().map(|b| b.base.sort_bytes()).collect();
        assert_eq!(count_nodes(&keys, 0), self.radix_nodes());
        let first = self.range(StreamId::MIN, StreamId::MAX).next();
        assert_eq!(first.map_or(StreamId::MIN, |entry| entry.id), self.first_id);
    }
}

/// A segment is never made larger than this in advance: one large entry is no forecast.
const NODE_BYTES_HINT_MAX: usize = 8192;
