//! A run of entries packed into one allocation.
//!
//! Layout: the field names of the first entry (the segment's shape), then entries. An entry is
//! one byte of flags with the low bits of the step from the previous entry's millisecond, the
//! rest of that step and the sequence where they are needed, and then its values; field names
//! and their number only when they differ from the shape. A same-shaped entry of one 64-byte
//! value in the millisecond of its predecessor takes 66 bytes.
//!
//! Invariants: ids rise strictly through the bytes, the first is the segment's base (its key in
//! the log) until compaction, `last` is the greatest id ever
//! written here. Segments end where macro nodes of Redis end (`node_size`).
//!
//! Costs: append O(entry); find, mark and read O(entries before it), about 2 ns each.

use smallvec::SmallVec;

use super::entry::{DEAD, Entries, Entry, MS_LOW, MS_MORE, MS_SHIFT, SEQ_NEXT, SHARED};
use super::id::StreamId;
use super::node_size;
use super::varint;
use crate::store::ledger::Tally;

/// Entries between marks: a walk of 40 ns at most.
const MARK_ENTRIES: u32 = 16;

/// Dead bytes below which a segment is not worth rewriting.
const COMPACT_BYTES_MIN: usize = 256;

/// Where segments end; the settings `stream-node-max-bytes` and `stream-node-max-entries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// Bytes of a node as Redis counts them; 0 means no bound but the gibibyte.
    pub bytes: u64,
    /// Entries of a node, dead ones included; 0 means no bound.
    pub entries: u64,
}

impl NodeLimits {
    /// No node grows past this, whatever the settings say, as in Redis.
    pub const BYTES_MAX: u64 = 1 << 30;
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            bytes: 4096,
            entries: 100,
        }
    }
}

/// A packed run of entries.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    bytes: Vec<u8>,
    /// Greatest id ever written here, dead or alive.
    last: StreamId,
    /// Sum of names and values of live entries.
    payload_bytes: u64,
    /// Bytes of a Redis node without its two counters. Dead entries stay in, as in Redis.
    node_bytes: u32,
    /// Bytes of dead entries that compaction would give back.
    dead_bytes: u32,
    /// Offset before which every entry is dead, so that what leaves from the front is not walked
    /// over again.
    head: u32,
    /// Id from which the entry at `head` steps.
    head_from: StreamId,
    /// Offset of one of the last entries, so that readers at the end need not walk to it.
    mark: u32,
    /// Id from which the entry at `mark` steps.
    mark_from: StreamId,
    live: u32,
    /// Entries deleted here, compacted or not: Redis counts them against the node's bound.
    dead: u32,
}

impl Segment {
    /// A segment that holds one entry; `pairs` are fields and values in turn. `bytes_hint` is
    /// what a segment of such entries is expected to take in the end, 0 if nobody knows.
    pub fn open<A: AsRef<[u8]>>(id: StreamId, pairs: &[A], bytes_hint: usize) -> Self {
        let names = || pairs.iter().step_by(2).map(AsRef::as_ref);
        let raw_bytes: usize = pairs.iter().map(|part| part.as_ref().len() + 1).sum();
        let mut bytes = Vec::with_capacity(bytes_hint.max(raw_bytes + 8));
        varint::put(&mut bytes, names().len() as u64);
        for name in names() {
            varint::put_bytes(&mut bytes, name);
        }
        let mut segment = Self {
            head: narrow(bytes.len() as u64),
            head_from: before(id),
            mark: narrow(bytes.len() as u64),
            mark_from: before(id),
            bytes,
            last: before(id),
            payload_bytes: 0,
            node_bytes: narrow(node_size::shape_bytes(names())),
            dead_bytes: 0,
            live: 0,
            dead: 0,
        };
        segment.push(id, id, pairs);
        segment
    }

    /// Whether Redis would put an entry of `raw_bytes` of names and values into this node.
    #[inline]
    pub fn fits(&self, raw_bytes: u64, limits: NodeLimits) -> bool {
        let bound = match limits.bytes {
            0 => NodeLimits::BYTES_MAX,
            bytes => bytes.min(NodeLimits::BYTES_MAX),
        };
        let node = u64::from(self.node_bytes)
            + node_size::counter_bytes(self.live)
            + node_size::counter_bytes(self.dead);
        let entries = u64::from(self.live) + u64::from(self.dead);
        node + raw_bytes < bound && (limits.entries == 0 || entries < limits.entries)
    }

    /// Appends an entry. The id must be greater than every id here; `base` is the segment's key.
    pub fn push<A: AsRef<[u8]>>(&mut self, base: StreamId, id: StreamId, pairs: &[A]) {
        let shared = self.has_shape(pairs);
        let fields = pairs.len() / 2;
        let ms_step = id.ms.wrapping_sub(self.last.ms);
        let (seq_next, seq_step) = if ms_step == 0 {
            let expected = self.last.seq.wrapping_add(1);
            (id.seq == expected, id.seq.wrapping_sub(expected))
        } else {
            (id.seq == 0, id.seq)
        };
        let mut flags = ((ms_step & MS_LOW) as u8) << MS_SHIFT;
        if shared {
            flags |= SHARED;
        }
        if seq_next {
            flags |= SEQ_NEXT;
        }
        if ms_step > MS_LOW {
            flags |= MS_MORE;
        }
        let mut parts_bytes = 0;
        for pair in pairs.chunks_exact(2) {
            if !shared {
                parts_bytes += varint::framed(pair[0].as_ref().len());
            }
            parts_bytes += varint::framed(pair[1].as_ref().len());
        }
        let ms_more = if ms_step > MS_LOW { ms_step } else { 0 };
        self.make_room(parts_bytes + 1 + varint::width(ms_more) + varint::width(seq_step));
        if self
            .live
            .wrapping_add(self.dead)
            .is_multiple_of(MARK_ENTRIES)
        {
            self.mark = narrow(self.bytes.len() as u64);
            self.mark_from = self.last;
        }
        self.bytes.push(flags);
        if ms_step > MS_LOW {
            varint::put(&mut self.bytes, ms_step >> MS_SHIFT);
        }
        if !seq_next {
            varint::put(&mut self.bytes, seq_step);
        }
        if !shared {
            varint::put(&mut self.bytes, fields as u64);
        }
        let mut node_bytes = node_size::entry_bytes(
            id.ms.wrapping_sub(base.ms),
            id.seq.wrapping_sub(base.seq),
            fields,
            shared,
        );
        let mut payload_bytes = 0;
        for pair in pairs.chunks_exact(2) {
            let (name, value) = (pair[0].as_ref(), pair[1].as_ref());
            if !shared {
                node_bytes += node_size::element_bytes(name);
                varint::put_bytes(&mut self.bytes, name);
            }
            node_bytes += node_size::element_bytes(value);
            varint::put_bytes(&mut self.bytes, value);
            payload_bytes += (name.len() + value.len()) as u64;
        }
        self.node_bytes = self.node_bytes.saturating_add(narrow(node_bytes));
        self.payload_bytes += payload_bytes;
        self.last = id;
        self.live += 1;
    }

    /// Makes room for `need` bytes in steps that a full segment wastes little of: what is needed
    /// while there is next to nothing, then doubling, then an eighth.
    #[inline]
    fn make_room(&mut self, need: usize) {
        let len = self.bytes.len();
        if self.bytes.capacity() - len < need {
            let step = match len {
                // Streams of one entry may be many.
                0..16 => need,
                16..512 => need.max(len),
                _ => need.max(len / 8),
            };
            self.bytes.reserve_exact(step);
        }
    }

    /// Whether the names in `pairs` are the segment's shape.
    #[inline]
    fn has_shape<A: AsRef<[u8]>>(&self, pairs: &[A]) -> bool {
        let mut at = 0;
        if varint::take_len(&self.bytes, &mut at) != pairs.len() / 2 {
            return false;
        }
        pairs
            .iter()
            .step_by(2)
            .all(|name| varint::take_bytes(&self.bytes, &mut at) == name.as_ref())
    }

    /// Gives back what the allocation has too much, because nothing more will be written. An
    /// allocator may leave a shrunk block where it is, so this copies into one that fits.
    pub fn seal(&mut self) {
        let spare = self.bytes.capacity() - self.bytes.len();
        if spare > self.bytes.len() / 16 {
            self.bytes = self.bytes.as_slice().to_vec();
        }
    }

    /// Every entry from the first live one on, dead ones between included.
    #[inline]
    pub fn entries(&self) -> Entries<'_> {
        let mut names = 0;
        let names_len = varint::take_len(&self.bytes, &mut names);
        Entries {
            bytes: &self.bytes,
            names: &self.bytes[names..],
            names_len,
            at: self.head as usize,
            previous: self.head_from,
        }
    }

    /// Entries from `id` on, and possibly some before it.
    #[inline]
    pub fn entries_from(&self, id: StreamId) -> Entries<'_> {
        let mut entries = self.entries();
        // Ids wrap only in what the first entry steps from, and then the head is as good.
        if self.mark > self.head && self.mark_from < id {
            entries.at = self.mark as usize;
            entries.previous = self.mark_from;
        }
        entries
    }

    /// Entries from an offset on at which one starts, and which steps from this id.
    #[inline]
    pub fn entries_at(&self, at: usize, previous: StreamId) -> Entries<'_> {
        Entries {
            at,
            previous,
            ..self.entries()
        }
    }

    /// Moves the head past dead entries.
    fn renew_head(&mut self) {
        let mut entries = self.entries();
        let mut head = entries.clone();
        while let Some(placed) = entries.next() {
            if !placed.dead {
                break;
            }
            head = entries.clone();
        }
        let (at, previous) = (head.at, head.previous);
        self.head = narrow(at as u64);
        self.head_from = previous;
    }

    /// Marks the entry dead and returns its payload bytes. It must be alive.
    pub fn kill(&mut self, start: usize, end: usize, payload_bytes: u64) {
        self.bytes[start] |= DEAD;
        self.live -= 1;
        self.dead += 1;
        self.payload_bytes -= payload_bytes;
        self.dead_bytes = self.dead_bytes.saturating_add(narrow((end - start) as u64));
        if start == self.head as usize {
            self.renew_head();
        }
    }

    /// Marks live entries dead from the front on while `goes` says so of them; returns their
    /// payload bytes and the id of the first one that stays.
    pub fn kill_front(
        &mut self,
        mut goes: impl FnMut(&Entry<'_>) -> bool,
    ) -> (u64, Option<StreamId>) {
        let mut starts: SmallVec<[usize; 8]> = SmallVec::new();
        let (mut payload_bytes, mut dead_bytes) = (0, 0);
        let mut kept = None;
        let mut entries = self.entries();
        let mut head = (entries.at, entries.previous);
        while let Some(placed) = entries.next() {
            if !placed.dead {
                if !goes(&placed.entry) {
                    kept = Some(placed.entry.id);
                    break;
                }
                starts.push(placed.start);
                payload_bytes += placed.entry.fields.payload_bytes();
                dead_bytes += placed.end - placed.start;
            }
            head = (entries.at, entries.previous);
        }
        (self.head, self.head_from) = (narrow(head.0 as u64), head.1);
        for &start in &starts {
            self.bytes[start] |= DEAD;
            self.live -= 1;
            self.dead += 1;
        }
        self.payload_bytes -= payload_bytes;
        self.dead_bytes = self.dead_bytes.saturating_add(narrow(dead_bytes as u64));
        (payload_bytes, kept)
    }

    /// Rewrites the segment without its dead entries once they are the greater part of it.
    pub fn compact(&mut self, base: StreamId) {
        let dead_bytes = self.dead_bytes as usize;
        let worthwhile = dead_bytes >= COMPACT_BYTES_MIN && dead_bytes >= self.bytes.len() / 2;
        if self.live > 0 && !worthwhile {
            return;
        }
        let last = self.last;
        self.rewrite(base);
        if self.last != last {
            // The next entry steps from the last one written: it stays, without its fields.
            let (start, node_bytes) = (self.bytes.len(), self.node_bytes);
            self.push::<&[u8]>(base, last, &[]);
            self.bytes[start] |= DEAD;
            self.live -= 1;
            self.node_bytes = node_bytes;
            self.renew_head();
        }
    }

    /// Rewrites the segment without its dead entries; [`Segment::last`] falls to the last live
    /// id. What counts towards the node's bounds stays.
    pub fn rewrite(&mut self, base: StreamId) {
        let names_end = self.shape_end();
        let mut kept = Self {
            bytes: Vec::with_capacity(self.bytes.len() - self.dead_bytes as usize + 16),
            last: before(base),
            head: narrow(names_end as u64),
            head_from: before(base),
            mark: narrow(names_end as u64),
            mark_from: before(base),
            payload_bytes: 0,
            live: 0,
            ..*self
        };
        kept.bytes.extend_from_slice(&self.bytes[..names_end]);
        let mut pairs: Vec<&[u8]> = Vec::new();
        for placed in self.entries().filter(|placed| !placed.dead) {
            pairs.clear();
            pairs.extend(placed.entry.fields.flat_map(|(name, value)| [name, value]));
            kept.push(base, placed.entry.id, &pairs);
        }
        kept.node_bytes = self.node_bytes;
        kept.dead_bytes = 0;
        *self = kept;
    }

    /// Offset past the names of the shape.
    fn shape_end(&self) -> usize {
        let mut at = 0;
        for _ in 0..varint::take_len(&self.bytes, &mut at) {
            varint::take_bytes(&self.bytes, &mut at);
        }
        at
    }

    /// Greatest id ever written here.
    #[inline]
    pub fn last(&self) -> StreamId {
        self.last
    }

    /// Live entries.
    #[inline]
    pub fn live(&self) -> u64 {
        u64::from(self.live)
    }

    /// Names and values of live entries.
    #[inline]
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Live entries with their names and values.
    pub fn held(&self) -> Tally {
        Tally {
            messages: self.live(),
            bytes: self.payload_bytes,
        }
    }

    /// Bytes written, dead ones included.
    #[inline]
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes allocated.
    #[inline]
    pub fn heap_bytes(&self) -> u64 {
        self.bytes.capacity() as u64
    }

    /// Checks that counts and order are what the bytes say.
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self, base: StreamId) {
        let (mut live, mut payload_bytes) = (0, 0);
        let mut previous = None;
        let mut all = self.entries();
        (all.at, all.previous) = (self.shape_end(), before(base));
        let mut first_live = None;
        for placed in all {
            assert!(previous < Some(placed.entry.id), "ids rise");
            assert!(placed.entry.id >= base, "no id before the base");
            previous = Some(placed.entry.id);
            if !placed.dead {
                first_live = first_live.or(Some(placed.start));
                live += 1;
                payload_bytes += placed.entry.fields.payload_bytes();
            }
        }
        assert_eq!(live, self.live);
        assert_eq!(payload_bytes, self.payload_bytes);
        assert_eq!(previous, Some(self.last), "steps start from the last id");
        assert_eq!(first_live.unwrap_or(self.bytes.len()), self.head as usize);
    }
}

/// The id that a first entry steps from; wraps, as the step itself does.
#[inline]
fn before(id: StreamId) -> StreamId {
    StreamId::new(id.ms, id.seq.wrapping_sub(1))
}

/// Node sizes fit 32 bits: an entry is below a gibibyte, and so is a node before its last one.
fn narrow(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
