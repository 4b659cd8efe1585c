//! A queue: a double-ended list of messages, the value behind a Redis list key.
//!
//! A deque of chunks (see `chunks`). Most are segments, contiguous buffers in which messages lie
//! end to end with two bytes of overhead each (four from 128 bytes on); a message longer than
//! [`PACKED_BYTES_MAX`] is a chunk of its own, held by reference so that replies can share it.
//! Every message has its arrival tick, at next to no cost: see `arrivals`.
//!
//! A segment begins as small as its first message and doubles until it has room for about a
//! thousand (64 to 256 KiB); then another is opened. It is freed when its last message goes, and
//! the last one left moves into a smaller buffer as it empties. So a hundred thousand queues of
//! one message and one queue of ten million both fit, and a drained queue owns nothing.
//!
//! Invariants: no chunk is empty; what was pushed at the front (`reversed` chunks) lies in front
//! of what was pushed at the back; `came` less `gone`, and `heap`, are the sums over the chunks.
//!
//! Costs: push, pop and peek O(1) without allocation per message; seeking walks the chunks from
//! the nearer end and then one segment; changes in the middle rewrite one segment.
//!
//! Ticks are monotonic milliseconds that the caller hands in.
//!
//! Measured, 64-byte messages on a 2-core x86-64 VM, memory already resident: push 6 to 7 ns, pop
//! with a copy 5 ns, at either end; 14 and 8 if every message has its own tick. Resident bytes per
//! message of 16, 64 and 1024 bytes, 100 to a tick: 18.15, 66.3 and 1029.8. `benches/queue.rs` and
//! `benches/queue_memory.rs` say how.

mod arrivals;
mod bounded;
mod chunk;
mod chunks;
mod edit;
mod measure;
mod message;
mod segment;
mod stale;
#[cfg(test)]
mod tests;
mod ttl;
mod walk;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use crate::policy::Governed;

use super::ledger::{Cause, Ledger, Losses, Tally};
use super::meter::Meter;
use super::reclaim::{self, HEAVY_BYTES_MIN};
use chunk::Chunk;
use chunks::Chunks;
use segment::{Segment, record_bytes};
use ttl::Ttls;

pub use bounded::Letter;
pub use message::{End, Message, MessageRef, Popped};
pub use segment::{PACKED_BYTES_MAX, SEGMENT_BYTES_MAX};
pub use walk::Walk;

/// A double-ended queue of byte messages with their arrival ticks.
#[derive(Debug, Default)]
pub struct Queue {
    chunks: Chunks,
    /// What ever came. Less `gone` it is what is held, so that a push or a pop writes as little as
    /// if the queue knew its length only.
    came: Tally,
    /// What ever went, for whatever cause.
    gone: Tally,
    /// Bytes the chunks own on the heap, without the list of chunks itself.
    heap: usize,
    /// Whether its messages are in the account of a database: false for a copy on its way there.
    pub(super) is_booked: bool,
    /// The quarter of a second of the last touch: see `measure`.
    rolled: u32,
    /// How fast messages come, go and wait, once there is something to measure.
    meter: Option<Box<Meter>>,
    /// What most queues have nothing of.
    extra: Option<Box<Extra>>,
}

/// What only queues have that lost something or are under a policy.
#[derive(Debug, Default)]
struct Extra {
    /// The policy that holds for it.
    governed: Option<Arc<Governed>>,
    /// Went other than by being popped, by cause.
    lost: Losses,
    /// Went back to it.
    returned: Tally,
    /// The tick when it was last used, but for what its messages tell.
    active: u64,
    /// The tick when somebody last popped from it or waited for it.
    consumed: u64,
    /// The tick for which its shard has it on its list of queues to look after; 0 if it has not.
    scheduled: u64,
    /// When messages end that have a time of their own; absent where none has.
    ttls: Option<Box<Ttls>>,
    /// What is known of the dead letters that came last, oldest first.
    letters: VecDeque<Letter>,
}

impl Extra {
    /// Bytes that it takes, itself included.
    fn heap_bytes(&self) -> usize {
        let ttls = self.ttls.as_ref().map_or(0, |ttls| ttls.heap_bytes());
        let names: usize = self.letters.iter().map(|letter| letter.source.len()).sum();
        let letters = self.letters.capacity() * size_of::<Letter>() + names;
        size_of::<Self>() + self.lost.heap_bytes() + ttls + letters
    }
}

impl Queue {
    /// An empty queue; owns no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Messages held.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "they are in memory")]
    pub fn len(&self) -> usize {
        (self.came.messages - self.gone.messages) as usize
    }

    /// Whether there is no message.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.came.messages == self.gone.messages
    }

    /// Payload bytes held.
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.came.bytes - self.gone.bytes
    }

    /// Messages held and their payload bytes.
    #[inline]
    pub fn held(&self) -> Tally {
        self.came - self.gone
    }

    /// What ever came.
    #[inline]
    pub fn came(&self) -> Tally {
        self.came
    }

    /// What ever went, delivered or lost.
    #[inline]
    pub fn gone(&self) -> Tally {
        self.gone
    }

    /// All memory the queue owns beside itself, unused room included. O(dead letters it knows of).
    pub fn heap_bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| extra.heap_bytes());
        self.heap + self.chunks.heap_bytes() + self.meter_bytes() + extra
    }

    /// Adds a message at one end. O(1), amortised over the growth of small queues.
    #[inline]
    pub fn push(&mut self, end: End, message: &[u8], tick: u64) {
        self.came += Tally::one(message.len());
        if message.len() <= PACKED_BYTES_MAX
            && let Some(Chunk::Segment(segment)) = self.chunks.at_end_mut(end)
            && segment.grows_at(end)
            && segment.append_fast(message, tick)
        {
            return;
        }
        self.push_slow(end, message, tick);
    }

    /// Adds a message at one end; `keep` makes what is held of a large one.
    #[inline]
    pub fn push_kept(
        &mut self,
        end: End,
        message: &[u8],
        tick: u64,
        keep: impl FnOnce(&[u8]) -> Bytes,
    ) {
        if message.len() > PACKED_BYTES_MAX {
            self.push_shared(end, keep(message), tick);
        } else {
            self.push(end, message, tick);
        }
    }

    /// Adds a message at one end, by reference if it is large.
    pub fn push_shared(&mut self, end: End, message: Bytes, tick: u64) {
        if message.len() <= PACKED_BYTES_MAX {
            self.push(end, &message, tick);
            return;
        }
        self.came += Tally::one(message.len());
        self.push_chunk(end, Chunk::large(message, end == End::Front, tick));
    }

    /// Adds an owned message at one end, by reference if it is large.
    pub fn push_message(&mut self, end: End, message: Message, tick: u64) {
        match message.shared() {
            Some(_) => self.push_shared(end, message.into_bytes(), tick),
            None => self.push(end, &message, tick),
        }
    }

    /// Adds a message, already counted, that takes more than the hot path: a new tick, a larger
    /// segment, another segment, a large message.
    #[cold]
    #[inline(never)]
    fn push_slow(&mut self, end: End, message: &[u8], tick: u64) {
        let reversed = end == End::Front;
        let mut full_grown = None;
        if message.len() <= PACKED_BYTES_MAX
            && let Some(Chunk::Segment(segment)) = self.chunks.at_end_mut(end)
            && segment.grows_at(end)
        {
            let before = segment.heap_bytes();
            let fits = segment.make_room(record_bytes(message.len()));
            if fits {
                segment.append(message, tick);
            } else {
                segment.close();
                full_grown = Some(segment.full_bytes());
            }
            self.heap = self.heap - before + segment.heap_bytes();
            if fits {
                return;
            }
        }
        let chunk = if let Some(bytes) = full_grown {
            let mut segment = Segment::with_capacity(bytes, reversed, tick);
            segment.append(message, tick);
            Chunk::Segment(segment)
        } else {
            Chunk::single(message, reversed, tick)
        };
        self.push_chunk(end, chunk);
    }

    fn push_chunk(&mut self, end: End, chunk: Chunk) {
        self.heap += chunk.heap_bytes();
        self.chunks.push(end, chunk);
    }

    /// Takes the message at one end away and hands it to `take` with its arrival, in place. O(1),
    /// allocates nothing. If `take` panics the message stays.
    #[inline]
    pub fn pop_with<R>(
        &mut self,
        end: End,
        take: impl FnOnce(MessageRef<'_>, u64) -> R,
    ) -> Option<R> {
        let alone = self.chunks.len() == 1;
        match self.chunks.at_end_mut(end)? {
            Chunk::Segment(segment) => {
                let record = segment.record_at(end);
                let message = MessageRef::packed(segment.payload_of(&record));
                let result = take(message, segment.arrival_at(end));
                self.gone += Tally::one(record.payload_bytes());
                if segment.len() == 1 {
                    self.drop_chunk(end);
                } else {
                    self.heap -= segment.pop(end, &record);
                    if alone && segment.is_sparse() {
                        self.condense(end);
                    }
                }
                Some(result)
            }
            Chunk::Large(large) => {
                let result = take(MessageRef::by_reference(&large.bytes), large.arrival);
                self.gone += Tally::one(large.bytes.len());
                self.drop_chunk(end);
                Some(result)
            }
        }
    }

    /// Takes the message at one end away. [`Queue::pop_with`] copies less.
    pub fn pop(&mut self, end: End) -> Option<Popped> {
        self.pop_with(end, |message, arrival| Popped {
            message: message.to_message(),
            arrival,
        })
    }

    /// Puts a popped message back where it was, with its old arrival. It counts as one that came
    /// unless [`Queue::give_back`] says otherwise.
    pub fn unpop(&mut self, end: End, message: &[u8], arrival: u64) {
        if message.len() <= PACKED_BYTES_MAX
            && let Some(Chunk::Segment(segment)) = self.chunks.at_end_mut(end)
            && !segment.grows_at(end)
        {
            let before = segment.heap_bytes();
            if segment.put_below(message, arrival) {
                self.heap = self.heap - before + segment.heap_bytes();
                self.came += Tally::one(message.len());
                return;
            }
        }
        self.push(end, message, arrival);
    }

    /// Puts an owned popped message back where it was, by reference if it is large.
    pub fn unpop_message(&mut self, end: End, message: Message, arrival: u64) {
        match message.shared() {
            Some(_) => self.push_shared(end, message.into_bytes(), arrival),
            None => self.unpop(end, &message, arrival),
        }
    }

    /// Notes that what was just put back counts as never having been delivered.
    pub fn give_back(&mut self, message: Tally) {
        let out = self.out();
        self.extra.get_or_insert_default().returned += message;
        if out.messages >= message.messages && out.bytes >= message.bytes {
            self.came -= message;
            self.gone -= message;
        }
    }

    /// Notes for what cause messages went that are counted as gone already.
    #[inline]
    pub fn note_lost(&mut self, cause: Cause, lost: Tally) {
        if !lost.is_zero() {
            self.extra.get_or_insert_default().lost.add(cause, lost);
        }
    }

    /// Notes that a message came and was lost at once, because there is no room for it.
    pub fn turn_away(&mut self, cause: Cause, message: Tally) {
        self.came += message;
        self.gone += message;
        self.note_lost(cause, message);
    }

    /// Lets go of all messages for one cause. O(1) here: heavy ones are freed elsewhere.
    pub fn lose_all(&mut self, cause: Cause) {
        let lost = self.held();
        self.gone += lost;
        self.note_lost(cause, lost);
        reclaim::free(mem::take(&mut self.chunks), self.heap);
        self.heap = 0;
        self.forget_ttls();
    }

    /// What was delivered: it went, and was not lost.
    pub fn out(&self) -> Tally {
        let lost = self.extra.as_ref().map(|extra| extra.lost.sum());
        self.gone - lost.unwrap_or_default()
    }

    /// The account of this queue.
    pub fn ledger(&self) -> Ledger {
        let extra = self.extra.as_deref();
        let returned = extra.map_or(Tally::default(), |extra| extra.returned);
        let lost = extra.map_or_else(Losses::default, |extra| extra.lost.clone());
        Ledger::new(self.came, self.out(), returned, lost)
    }

    /// Whether the chunks hold what came and has not gone. O(chunks).
    pub fn is_balanced(&self) -> bool {
        let mut held = Tally::default();
        for chunk in self.chunks.iter() {
            held += chunk.held();
        }
        held == self.held()
    }

    /// How many chunks it has: what [`Queue::is_balanced`] costs.
    pub fn chunks_len(&self) -> usize {
        self.chunks.len()
    }

    /// Moves what little is left of a queue that was long to where it takes little room. O(1)
    /// amortised over the pops that made it short.
    #[cold]
    #[inline(never)]
    fn condense(&mut self, end: End) {
        if let Some(Chunk::Segment(segment)) = self.chunks.at_end_mut(end) {
            let before = segment.heap_bytes();
            segment.condense();
            self.heap = self.heap - before + segment.heap_bytes();
        }
    }

    /// Frees the chunk at one end, whose messages are already discounted.
    #[cold]
    #[inline(never)]
    fn drop_chunk(&mut self, end: End) {
        drop(self.take_chunk(end));
    }

    /// Takes the chunk at one end out, whose messages are already discounted.
    fn take_chunk(&mut self, end: End) -> Option<Chunk> {
        let chunk = self.chunks.pop(end);
        self.heap -= chunk.as_ref().map_or(0, Chunk::heap_bytes);
        chunk
    }

    /// The message at one end with its arrival. O(1).
    #[inline]
    pub fn peek(&self, end: End) -> Option<(MessageRef<'_>, u64)> {
        self.chunks.at_end(end).map(|chunk| chunk.peek(end))
    }

    /// The message at `index` from the front. O(chunks from the nearer end + messages of one
    /// segment).
    pub fn get(&self, index: usize) -> Option<MessageRef<'_>> {
        let (at, inside) = self.seek(index)?;
        Some(self.chunks[at].get(inside))
    }

    /// Arrival of the message at `index`. O(chunks + runs of one segment).
    pub fn arrival(&self, index: usize) -> Option<u64> {
        let (at, inside) = self.seek(index)?;
        Some(self.chunks[at].arrival(inside))
    }

    /// The chunk that has the message at `index`, and where in it. Walks from the nearer end.
    fn seek(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len() {
            return None;
        }
        if index < self.len() / 2 {
            let mut first = 0;
            for (at, chunk) in self.chunks.iter().enumerate() {
                if index < first + chunk.len() {
                    return Some((at, index - first));
                }
                first += chunk.len();
            }
        } else {
            let mut first = self.len();
            for (at, chunk) in self.chunks.iter().enumerate().rev() {
                first -= chunk.len();
                if index >= first {
                    return Some((at, index - first));
                }
            }
        }
        None
    }

    /// Arrival of the message at one end. Looks at no message.
    fn arrival_at(&self, end: End) -> Option<u64> {
        self.chunks.at_end(end).map(|chunk| chunk.arrival_at(end))
    }

    /// The earliest arrival. O(log chunks).
    ///
    /// Exact while ticks do not go back and messages put back by `unpop` are not buried under
    /// newer pushes at that end; then it may be too late, never earlier than any arrival.
    pub fn oldest_arrival(&self) -> Option<u64> {
        // Ticks fall from the front through what was pushed there and rise from then on, so the
        // oldest message is beside the place where the direction changes, or at an end.
        let turn = self.chunks.partition_point(Chunk::reversed);
        let before = turn.checked_sub(1).and_then(|at| self.chunks.get(at));
        let candidates = [
            self.arrival_at(End::Front),
            before.map(|chunk| chunk.arrival_at(End::Back)),
            self.chunks
                .get(turn)
                .map(|chunk| chunk.arrival_at(End::Front)),
            self.arrival_at(End::Back),
        ];
        candidates.into_iter().flatten().min()
    }

    /// Drops the `count` messages at one end, or all. O(chunks + messages of one segment), and
    /// O(count) where messages have a time of their own.
    pub fn drop_at(&mut self, end: End, count: usize) -> Tally {
        if count >= self.len() {
            self.forget_ttls();
        }
        self.drop_while(end, count, Chunk::len)
    }

    /// Drops messages at `end` as long as the one there arrived before `tick`. O(chunks and runs
    /// dropped + messages of one segment).
    pub fn drop_older_than(&mut self, end: End, tick: u64) -> Tally {
        self.drop_while(end, usize::MAX, |chunk| chunk.older_than(end, tick))
    }

    /// Drops at most `count` messages at `end`, of each chunk as many as `eligible` says, until a
    /// chunk is left with some.
    fn drop_while(&mut self, end: End, count: usize, eligible: impl Fn(&Chunk) -> usize) -> Tally {
        let mut dropped = Tally::default();
        let mut left = count;
        let (heap, mut gone) = (self.heap, Chunks::default());
        while let Some(chunk) = self.chunks.at_end(end) {
            let some = eligible(chunk).min(left);
            left -= some;
            self.forget_ttls_in(self.chunks.index_from(end, 0), end, some);
            let Some(chunk) = self.chunks.at_end_mut(end) else {
                break;
            };
            let all = some == chunk.len();
            let part = if all {
                chunk.held()
            } else if some > 0 {
                let before = chunk.heap_bytes();
                let part = chunk.drop_end(end, some);
                self.heap = self.heap - before + chunk.heap_bytes();
                part
            } else {
                break;
            };
            if all && let Some(chunk) = self.take_chunk(end) {
                gone.push(End::Back, chunk);
            }
            dropped += part;
            if !all {
                break;
            }
        }
        self.gone += dropped;
        // What is cut from a long queue may be as heavy as a whole one.
        reclaim::free(gone, heap - self.heap);
        if let Chunks::One(Chunk::Segment(segment)) = &self.chunks
            && segment.is_sparse()
        {
            self.condense(end);
        }
        dropped
    }
}

impl Drop for Queue {
    /// Hands a heavy queue over to be freed elsewhere: whoever drops it may hold a shard.
    fn drop(&mut self) {
        if self.heap >= HEAVY_BYTES_MIN {
            reclaim::free(mem::take(&mut self.chunks), self.heap);
        }
    }
}

impl Clone for Queue {
    /// A copy whose segments are no larger than their messages, which end when those do; large messages
    /// are shared. Its account begins with what it holds.
    fn clone(&self) -> Self {
        let chunks = self.chunks.clone();
        let heap = chunks.iter().map(Chunk::heap_bytes).sum();
        let extra = self.ttls().map(|ttls| Extra {
            ttls: Some(ttls),
            ..Extra::default()
        });
        Self {
            chunks,
            came: self.held(),
            gone: Tally::default(),
            heap,
            is_booked: false,
            rolled: 0,
            meter: None,
            extra: extra.map(Box::new),
        }
    }
}

#[cfg(any(test, feature = "verify"))]
impl Queue {
    /// Checks that the counters and the chunks agree. O(messages).
    ///
    /// # Panics
    ///
    /// If they do not.
    pub fn check_invariants(&self) {
        let (mut held, mut heap) = (Tally::default(), 0);
        for chunk in self.chunks.iter() {
            if let Chunk::Segment(segment) = chunk {
                segment.check();
            }
            held += chunk.held();
            heap += chunk.heap_bytes();
        }
        assert_eq!((held, heap), (self.held(), self.heap));
        let turn = self.chunks.partition_point(Chunk::reversed);
        assert!(
            self.chunks.iter().skip(turn).all(|chunk| !chunk.reversed()),
            "what was pushed at the front lies in front"
        );
    }
}
