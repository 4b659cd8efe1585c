//! One contiguous buffer of messages, readable and poppable from both sides.
//!
//! A record is `length, payload, length`, where a length is one byte below 128 and two bytes
//! otherwise, the second of which is read last from either side: `low 7 bits | 0x80, high bits`
//! before the payload, mirrored behind it. So a walk can go either way, and popping is moving a
//! bound.
//!
//! Bytes are only ever appended at the high side. A segment that is filled at the queue's front
//! is `reversed`: its records lie high to low in the order of the queue. That way a fresh buffer
//! is never zeroed or touched before it is used, at either end and without `unsafe`, and the two
//! directions are the same code. Room at the low side, which pops leave, is used only to put a
//! message back.
//!
//! Never empty while it is in a queue. "Low" and "high" are sides of the buffer, "front" and
//! "back" ends of the queue; `position` counts from the low side, `index` from the front.

use std::ops::Range;

use super::arrivals::Arrivals;
use super::message::End;
use crate::store::ledger::Tally;

/// Messages that a full-grown segment should have room for. More make it slow to seek in and to
/// edit; fewer waste too much of it, as half a message at its end stays unused on average.
const SEGMENT_MESSAGES: usize = 1024;
/// Least capacity of a full-grown segment, so that opening one is rare: an allocation and a place
/// in the list for some 64 KiB.
const SEGMENT_BYTES_FULL: usize = 64 << 10;
/// Most capacity of a segment, whatever its messages: what one edit may have to move, and what a
/// queue may hold in vain. At 1024 bytes a message it wastes 0.2 %, where 64 KiB waste 1.3 %.
pub const SEGMENT_BYTES_MAX: usize = 256 << 10;
/// Smallest capacity, for a queue with one tiny message.
const SEGMENT_BYTES_MIN: usize = 32;
/// Longest message that is packed into a segment. A longer one wastes too much at the end of a
/// segment, and is worth sharing with the replies that carry it.
pub const PACKED_BYTES_MAX: usize = 8 << 10;
/// Capacity up to which a segment is given room generously, to be moved down seldom.
const SEGMENT_BYTES_SMALL: usize = 4 << 10;
/// Shortest length that takes two bytes.
const LONG: usize = 1 << 7;

const _: () = assert!(PACKED_BYTES_MAX < 1 << 14, "a length fits two bytes");
const _: () = assert!(SEGMENT_BYTES_MAX < 1 << 31, "positions fit 32 bits");
const _: () = assert!(
    PACKED_BYTES_MAX <= SEGMENT_BYTES_FULL / 8,
    "a little waste at the end"
);

/// Messages packed end to end; see the file head.
#[derive(Debug)]
pub(super) struct Segment {
    /// Records from `start` to its end. Its capacity is the segment's.
    buffer: Vec<u8>,
    /// Where the lowest record begins.
    start: u32,
    /// Number of records.
    len: u32,
    /// Sum of their payload bytes.
    payload: u32,
    /// Whether the queue's order is high to low.
    reversed: bool,
    /// Arrival ticks, low to high.
    arrivals: Arrivals,
}

/// Where a record and its payload lie in the buffer.
#[derive(Clone, Debug)]
pub(super) struct Record {
    start: usize,
    end: usize,
    header: usize,
}

impl Record {
    #[inline]
    fn payload(&self) -> Range<usize> {
        self.start + self.header..self.end - self.header
    }

    #[inline]
    pub(super) fn payload_bytes(&self) -> usize {
        self.end - self.start - 2 * self.header
    }
}

/// Sizes and positions in a segment fit 32 bits, which the assertions above see to.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "bounded by SEGMENT_BYTES_MAX"
)]
fn narrow(size: usize) -> u32 {
    debug_assert!(size <= SEGMENT_BYTES_MAX);
    size as u32
}

/// Bytes a payload takes in a segment.
#[inline]
pub(super) fn record_bytes(payload: usize) -> usize {
    payload + if payload < LONG { 2 } else { 4 }
}

/// The length before a payload; the one behind it is its mirror image.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "the low byte is what is meant"
)]
fn header(payload: usize) -> [u8; 2] {
    [payload as u8 | 0x80, (payload >> 7) as u8]
}

/// Writes a record into `room`, which is exactly as long.
fn write_record(room: &mut [u8], message: &[u8]) {
    let length = header(message.len());
    if message.len() < LONG {
        room[0] = length[0] & 0x7f;
        room[1..=message.len()].copy_from_slice(message);
        room[message.len() + 1] = length[0] & 0x7f;
    } else {
        room[..2].copy_from_slice(&length);
        room[2..2 + message.len()].copy_from_slice(message);
        room[2 + message.len()..].copy_from_slice(&[length[1], length[0]]);
    }
}

impl Segment {
    /// What stands in a queue's list for a moment while its neighbours are moved.
    pub(super) fn vacant() -> Self {
        Self::with_capacity(0, false, 0)
    }

    /// An empty segment with room for `bytes`, to be filled at once.
    pub(super) fn with_capacity(bytes: usize, reversed: bool, tick: u64) -> Self {
        Self {
            buffer: Vec::with_capacity(bytes),
            start: 0,
            len: 0,
            payload: 0,
            reversed,
            arrivals: Arrivals::new(tick),
        }
    }

    /// A segment with one message, as small as can be.
    pub(super) fn with_message(message: &[u8], reversed: bool, tick: u64) -> Self {
        let mut segment =
            Self::with_capacity(first_capacity(record_bytes(message.len())), reversed, tick);
        segment.append(message, tick);
        segment
    }

    /// Number of messages.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Messages and payload bytes.
    pub(super) fn held(&self) -> Tally {
        Tally {
            messages: u64::from(self.len),
            bytes: u64::from(self.payload),
        }
    }

    /// Whether the queue's order is high to low.
    #[inline]
    pub(super) fn reversed(&self) -> bool {
        self.reversed
    }

    /// Bytes on the heap.
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        self.buffer.capacity() + self.arrivals.heap_bytes()
    }

    /// Bytes of records.
    #[inline]
    pub(super) fn used_bytes(&self) -> usize {
        self.buffer.len() - self.start as usize
    }

    /// Bytes the buffer can hold.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether `end` of the queue is the side that grows.
    #[inline]
    pub(super) fn grows_at(&self, end: End) -> bool {
        self.reversed == (end == End::Front)
    }

    /// The payload of a record.
    #[inline]
    pub(super) fn payload_of(&self, record: &Record) -> &[u8] {
        &self.buffer[record.payload()]
    }

    /// Tick of the message at one end.
    #[inline]
    pub(super) fn arrival_at(&self, end: End) -> u64 {
        if self.grows_at(end) {
            self.arrivals.last()
        } else {
            self.arrivals.first()
        }
    }

    /// Something from the memory of the record at one end, and of the list of arrivals.
    pub(super) fn ask(&self, end: End) -> u64 {
        let record = self.record_at(end);
        (record.start ^ record.end ^ self.arrivals.ask_list()) as u64
    }

    /// Something from the memory of the runs of arrivals.
    pub(super) fn ask_arrivals(&self) -> u64 {
        self.arrivals.ask().into()
    }

    /// Tick of the message at `index`.
    pub(super) fn arrival(&self, index: usize) -> u64 {
        self.arrivals.get(self.position(index), self.len)
    }

    /// How many messages arrived at `tick` or later.
    pub(super) fn came_since(&self, tick: u64) -> u64 {
        let runs = self.arrivals.runs(self.len);
        let late = runs.filter(|&(arrival, _)| arrival >= tick);
        late.map(|(_, count)| u64::from(count)).sum()
    }

    /// Ticks of all messages in the queue's order.
    pub(super) fn arrivals_in_order(&self) -> Vec<u64> {
        let mut ticks: Vec<u64> = self.arrivals.ticks(self.len).collect();
        if self.reversed {
            ticks.reverse();
        }
        ticks
    }

    /// All messages from `end` on, with their ticks. A step reads one length.
    pub(super) fn messages(&self, end: End) -> impl Iterator<Item = (&[u8], u64)> {
        let mut arrivals = self.arrivals_in_order();
        if end == End::Back {
            arrivals.reverse();
        }
        let mut last: Option<Record> = None;
        arrivals.into_iter().map(move |arrival| {
            let record = match &last {
                None => self.record_at(end),
                Some(last) => self.record_beside(last, end.opposite()),
            };
            let payload = self.payload_of(&record);
            last = Some(record);
            (payload, arrival)
        })
    }

    /// Whether a message arrived at one of these rising ticks. O(runs).
    pub(super) fn has_arrival(&self, ticks: &[u64]) -> bool {
        let mut runs = self.arrivals.runs(self.len);
        runs.any(|(tick, _)| ticks.binary_search(&tick).is_ok())
    }

    /// Index from the front to position from the low side, or back.
    #[inline]
    fn position(&self, index: usize) -> u32 {
        let index = narrow(index);
        if self.reversed {
            self.len - 1 - index
        } else {
            index
        }
    }

    /// The record that begins at `at`.
    #[inline]
    fn record_from(&self, at: usize) -> Record {
        let first = usize::from(self.buffer[at]);
        let (payload, header) = if first < LONG {
            (first, 1)
        } else {
            (first & 0x7f | usize::from(self.buffer[at + 1]) << 7, 2)
        };
        Record {
            start: at,
            end: at + payload + 2 * header,
            header,
        }
    }

    /// The record that ends at `at`.
    #[inline]
    fn record_until(&self, at: usize) -> Record {
        let last = usize::from(self.buffer[at - 1]);
        let (payload, header) = if last < LONG {
            (last, 1)
        } else {
            (last & 0x7f | usize::from(self.buffer[at - 2]) << 7, 2)
        };
        Record {
            start: at - payload - 2 * header,
            end: at,
            header,
        }
    }

    /// The record at one end of the queue's order.
    #[inline]
    pub(super) fn record_at(&self, end: End) -> Record {
        if self.grows_at(end) {
            self.record_until(self.buffer.len())
        } else {
            self.record_from(self.start as usize)
        }
    }

    /// The neighbour of `record` towards `end`; there must be one.
    #[inline]
    pub(super) fn record_beside(&self, record: &Record, end: End) -> Record {
        if self.grows_at(end) {
            self.record_from(record.end)
        } else {
            self.record_until(record.start)
        }
    }

    /// The record at `index`; walks from the nearer side.
    pub(super) fn record(&self, index: usize) -> Record {
        let from_back = self.len() - 1 - index;
        let (end, steps) = if index <= from_back {
            (End::Front, index)
        } else {
            (End::Back, from_back)
        };
        let mut record = self.record_at(end);
        for _ in 0..steps {
            record = self.record_beside(&record, end.opposite());
        }
        record
    }

    /// Appends at the growing side if there is room and the tick is that of the message before:
    /// the hot path. Never allocates.
    #[inline]
    pub(super) fn append_fast(&mut self, message: &[u8], tick: u64) -> bool {
        let room = self.buffer.capacity() - self.buffer.len();
        if room < record_bytes(message.len()) || !self.arrivals.repeat_high(tick) {
            return false;
        }
        self.write(message);
        true
    }

    /// Appends at the growing side, where [`Self::make_room`] was asked before.
    pub(super) fn append(&mut self, message: &[u8], tick: u64) {
        if self.len == 0 {
            self.arrivals = Arrivals::new(tick);
        } else {
            self.arrivals.push_high(tick, self.len);
        }
        self.write(message);
    }

    /// Writes a record behind the last and counts it.
    #[inline]
    fn write(&mut self, message: &[u8]) {
        let length = header(message.len());
        if message.len() < LONG {
            let length = length[0] & 0x7f;
            self.buffer.push(length);
            self.buffer.extend_from_slice(message);
            self.buffer.push(length);
        } else {
            self.buffer.extend_from_slice(&length);
            self.buffer.extend_from_slice(message);
            self.buffer.extend_from_slice(&[length[1], length[0]]);
        }
        self.len += 1;
        self.payload += narrow(message.len());
    }

    /// Capacity of a full-grown segment of messages like these.
    pub(super) fn full_bytes(&self) -> usize {
        let mean = self.used_bytes() / self.len().max(1);
        let wanted = (mean * SEGMENT_MESSAGES).next_power_of_two();
        wanted.clamp(SEGMENT_BYTES_FULL, SEGMENT_BYTES_MAX)
    }

    /// Makes room for `record` more bytes at the growing side by moving the records down or into
    /// a buffer twice as large, unless the segment is full-grown. Amortised O(1) a byte: what is
    /// moved is no more than what was appended since.
    pub(super) fn make_room(&mut self, record: usize) -> bool {
        let (used, capacity) = (self.used_bytes(), self.capacity());
        if capacity - self.buffer.len() >= record {
            return true;
        }
        let full = self.full_bytes();
        let roomy = capacity <= SEGMENT_BYTES_SMALL || capacity >= full;
        if used + record <= if roomy { capacity / 4 } else { capacity / 2 } {
            self.buffer.drain(..self.start as usize);
            self.start = 0;
            return true;
        }
        if capacity >= full || used + record > full {
            return false;
        }
        self.rehouse((2 * capacity).min(full).max(first_capacity(used + record)));
        true
    }

    /// Whether so little of the buffer is used that the records should move to a smaller one.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        let capacity = self.capacity();
        capacity > SEGMENT_BYTES_SMALL && self.used_bytes() < capacity / 8
    }

    /// Moves the records into a smaller buffer, with room to grow in.
    pub(super) fn condense(&mut self) {
        self.rehouse(first_capacity(4 * self.used_bytes()));
    }

    /// Moves the records into a buffer of another capacity.
    fn rehouse(&mut self, capacity: usize) {
        let mut buffer = Vec::with_capacity(capacity.min(SEGMENT_BYTES_MAX));
        buffer.extend_from_slice(&self.buffer[self.start as usize..]);
        self.buffer = buffer;
        self.start = 0;
    }

    /// Puts a message back below the lowest, where a pop has left room; false if there is none.
    pub(super) fn put_below(&mut self, message: &[u8], tick: u64) -> bool {
        let bytes = record_bytes(message.len());
        let Some(start) = (self.start as usize).checked_sub(bytes) else {
            return false;
        };
        self.arrivals.push_low(tick, self.len);
        write_record(&mut self.buffer[start..start + bytes], message);
        self.start = narrow(start);
        self.len += 1;
        self.payload += narrow(message.len());
        true
    }

    /// Takes the message at `end` away, which is `record`; others remain. Returns the bytes that
    /// left the heap.
    #[inline]
    pub(super) fn pop(&mut self, end: End, record: &Record) -> usize {
        self.len -= 1;
        self.payload -= narrow(record.payload_bytes());
        if self.grows_at(end) {
            self.buffer.truncate(record.start);
            self.arrivals.pop_high()
        } else {
            self.start = narrow(record.end);
            self.arrivals.pop_low()
        }
    }

    /// Takes the `count` messages at `end` away; others remain. O(count).
    pub(super) fn drop_end(&mut self, end: End, count: usize) -> Tally {
        let mut bytes = 0;
        let mut record = self.record_at(end);
        for left in (0..count).rev() {
            bytes += narrow(record.payload_bytes());
            if left > 0 {
                record = self.record_beside(&record, end.opposite());
            }
        }
        let messages = narrow(count);
        if self.grows_at(end) {
            self.buffer.truncate(record.start);
            self.arrivals.drop_high(messages);
        } else {
            self.start = narrow(record.end);
            self.arrivals.drop_low(messages);
        }
        self.len -= messages;
        self.payload -= bytes;
        Tally {
            messages: u64::from(messages),
            bytes: u64::from(bytes),
        }
    }

    /// How many messages at `end`, one after the other, arrived before `tick`. O(runs).
    pub(super) fn older_than(&self, end: End, tick: u64) -> usize {
        let old = if self.grows_at(end) {
            self.arrivals.older_high(tick, self.len)
        } else {
            self.arrivals.older_low(tick, self.len)
        };
        old as usize
    }

    /// Gives back what an open segment keeps for messages to come, other than its buffer.
    pub(super) fn close(&mut self) {
        self.arrivals.shrink();
    }

    /// Replaces the message at `index`, keeping its arrival; false if that does not fit.
    pub(super) fn set(&mut self, index: usize, message: &[u8]) -> bool {
        let record = self.record(index);
        let (old, new) = (record.end - record.start, record_bytes(message.len()));
        if !self.fits(new.saturating_sub(old)) {
            return false;
        }
        self.payload -= narrow(record.payload_bytes());
        self.payload += narrow(message.len());
        if old == new {
            write_record(&mut self.buffer[record.start..record.end], message);
        } else {
            self.splice(record.start..record.end, message);
        }
        true
    }

    /// Puts a message in before the one at `index`, which there must be; false if it does not fit.
    pub(super) fn insert(&mut self, index: usize, message: &[u8], tick: u64) -> bool {
        if !self.fits(record_bytes(message.len())) {
            return false;
        }
        let record = self.record(index);
        let position = self.position(index);
        let (at, position) = if self.reversed {
            (record.end, position + 1)
        } else {
            (record.start, position)
        };
        self.arrivals.insert(position, tick, self.len);
        self.splice(at..at, message);
        self.len += 1;
        self.payload += narrow(message.len());
        true
    }

    /// Whether `more` bytes fit without growing past the full size.
    fn fits(&self, more: usize) -> bool {
        self.buffer.len() + more <= self.full_bytes().max(self.capacity())
    }

    /// Writes a record in place of `old`, moving what lies above.
    fn splice(&mut self, old: Range<usize>, message: &[u8]) {
        let bytes = record_bytes(message.len());
        let needed = self.buffer.len() - old.len() + bytes;
        if needed > self.capacity() {
            let capacity = (2 * self.capacity()).max(first_capacity(needed));
            let more = capacity.min(SEGMENT_BYTES_MAX) - self.buffer.len();
            self.buffer.reserve_exact(more);
        }
        let at = old.start;
        drop(self.buffer.splice(old, std::iter::repeat_n(0, bytes)));
        write_record(&mut self.buffer[at..at + bytes], message);
    }

    /// Takes the messages of the given `indexes` (rising, not all of them) away. O(segment), or
    /// O(messages that go) at one end.
    pub(super) fn remove(&mut self, indexes: &[usize]) {
        let count = indexes.len();
        if indexes.last() == Some(&(count - 1)) {
            let _ = self.drop_end(End::Front, count);
        } else if indexes.first() == Some(&(self.len() - count)) {
            let _ = self.drop_end(End::Back, count);
        } else {
            self.remove_records(indexes);
        }
        if self.is_sparse() {
            self.condense();
        }
    }

    fn remove_records(&mut self, indexes: &[usize]) {
        if let [index] = *indexes {
            let record = self.record(index);
            let position = self.position(index);
            self.arrivals.remove(position, self.len);
            self.payload -= narrow(record.payload_bytes());
            self.len -= 1;
            if record.start == self.start as usize {
                self.start = narrow(record.end);
            } else {
                self.buffer.drain(record.start..record.end);
            }
            return;
        }
        let mut gone: Vec<u32> = indexes.iter().map(|&index| self.position(index)).collect();
        if self.reversed {
            gone.reverse();
        }
        self.remove_positions(&gone);
    }

    /// Rewrites the segment without the messages at the rising positions `gone`.
    fn remove_positions(&mut self, gone: &[u32]) {
        let mut gone = gone.iter().copied().peekable();
        let mut kept = Self::with_capacity(self.capacity(), self.reversed, 0);
        let mut at = self.start as usize;
        for (position, tick) in (0..self.len).zip(self.arrivals.ticks(self.len)) {
            let record = self.record_from(at);
            at = record.end;
            if gone.next_if_eq(&position).is_none() {
                kept.append(self.payload_of(&record), tick);
            }
        }
        *self = kept;
    }

    /// Splits before `index` into what comes first in the queue's order, which stays here, and
    /// the rest; neither is empty.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        debug_assert!(0 < index && index < self.len());
        let record = self.record(index);
        // The message at `index` is the lowest of the high part, or the highest of the low one.
        let (cut, low_len) = if self.reversed {
            (record.end, self.len() - index)
        } else {
            (record.start, index)
        };
        let low_payload = self.payload_between(self.start as usize, cut);
        let mut high = Self::with_capacity(self.buffer.len() - cut, self.reversed, 0);
        high.buffer.extend_from_slice(&self.buffer[cut..]);
        high.arrivals = self.arrivals.split_off(narrow(low_len), self.len);
        high.len = self.len - narrow(low_len);
        high.payload = self.payload - low_payload;
        self.buffer.truncate(cut);
        self.len = narrow(low_len);
        self.payload = low_payload;
        if self.reversed {
            std::mem::swap(self, &mut high);
        }
        high
    }

    /// Payload bytes of the records from `from` to `until`.
    fn payload_between(&self, from: usize, until: usize) -> u32 {
        let (mut at, mut bytes) = (from, 0);
        while at < until {
            let record = self.record_from(at);
            bytes += narrow(record.payload_bytes());
            at = record.end;
        }
        bytes
    }

    /// Takes in the messages of `next`, which follows in the queue's order and runs the same way.
    pub(super) fn merge(&mut self, mut next: Self) {
        debug_assert_eq!(self.reversed, next.reversed);
        if self.reversed {
            std::mem::swap(self, &mut next);
        }
        let bytes = self.used_bytes() + next.used_bytes();
        self.rehouse(first_capacity(bytes));
        self.buffer
            .extend_from_slice(&next.buffer[next.start as usize..]);
        self.arrivals.append(self.len, &next.arrivals, next.len);
        self.len += next.len;
        self.payload += next.payload;
    }
}

impl Clone for Segment {
    /// As small as its messages allow.
    fn clone(&self) -> Self {
        let mut buffer = Vec::with_capacity(first_capacity(self.used_bytes()));
        buffer.extend_from_slice(&self.buffer[self.start as usize..]);
        Self {
            buffer,
            start: 0,
            arrivals: self.arrivals.clone(),
            ..*self
        }
    }
}

/// Capacity for a segment that begins with `bytes`: as little as allocators have a class for.
fn first_capacity(bytes: usize) -> usize {
    bytes
        .next_multiple_of(16)
        .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
}

#[cfg(any(test, feature = "verify"))]
impl Segment {
    /// Panics if the records, their counts and their arrivals do not agree.
    pub(super) fn check(&self) {
        assert!(self.len > 0, "no empty segment stays in a queue");
        assert!(self.capacity() <= SEGMENT_BYTES_MAX);
        let (mut at, mut len, mut payload) = (self.start as usize, 0, 0);
        while at < self.buffer.len() {
            let record = self.record_from(at);
            let mirrored = self.record_until(record.end);
            assert_eq!(
                mirrored.start, at,
                "a record reads the same from both sides"
            );
            assert_eq!(mirrored.header, record.header);
            at = record.end;
            len += 1;
            payload += narrow(record.payload_bytes());
        }
        assert_eq!(at, self.buffer.len(), "records fill the buffer");
        assert_eq!((len, payload), (self.len, self.payload));
        self.arrivals.check(self.len);
    }
}
