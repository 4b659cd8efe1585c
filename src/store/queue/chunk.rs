//! One element of a queue's list: a segment of packed messages, or one large message.

use bytes::Bytes;

use super::message::{End, MessageRef};
use super::segment::{PACKED_BYTES_MAX, Segment};
use crate::store::ledger::Tally;

/// Most bytes of records that two neighbouring segments may have to be made one.
const MERGE_BYTES_MAX: usize = 48 << 10;

/// A stretch of the queue.
#[derive(Clone, Debug)]
pub(super) enum Chunk {
    Segment(Segment),
    Large(Large),
}

// A cache line: the list of chunks is walked by every operation that seeks.
const _: () = assert!(size_of::<Chunk>() <= 64);

/// A message held by reference.
#[derive(Clone, Debug)]
pub(super) struct Large {
    pub(super) bytes: Bytes,
    pub(super) arrival: u64,
    /// As in a segment: whether it was pushed at the front.
    reversed: bool,
}

impl Chunk {
    /// A chunk with one message; `reversed` if it belongs to what was pushed at the front.
    pub(super) fn single(message: &[u8], reversed: bool, arrival: u64) -> Self {
        if message.len() > PACKED_BYTES_MAX {
            return Self::large(Bytes::copy_from_slice(message), reversed, arrival);
        }
        Self::Segment(Segment::with_message(message, reversed, arrival))
    }

    /// A chunk with one message held by reference.
    pub(super) fn large(bytes: Bytes, reversed: bool, arrival: u64) -> Self {
        Self::Large(Large {
            bytes,
            arrival,
            reversed,
        })
    }

    /// Number of messages.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Segment(segment) => segment.len(),
            Self::Large(_) => 1,
        }
    }

    /// Messages and payload bytes.
    pub(super) fn held(&self) -> Tally {
        match self {
            Self::Segment(segment) => segment.held(),
            Self::Large(large) => Tally {
                messages: 1,
                bytes: large.bytes.len() as u64,
            },
        }
    }

    /// Whether it was filled at the front of the queue.
    pub(super) fn reversed(&self) -> bool {
        match self {
            Self::Segment(segment) => segment.reversed(),
            Self::Large(large) => large.reversed,
        }
    }

    /// Bytes on the heap. A large message is counted in full, whoever else shares it.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Segment(segment) => segment.heap_bytes(),
            Self::Large(large) => large.bytes.len(),
        }
    }

    /// The message at one end, and its arrival.
    #[inline]
    pub(super) fn peek(&self, end: End) -> (MessageRef<'_>, u64) {
        match self {
            Self::Segment(segment) => {
                let record = segment.record_at(end);
                let message = MessageRef::packed(segment.payload_of(&record));
                (message, segment.arrival_at(end))
            }
            Self::Large(large) => (MessageRef::by_reference(&large.bytes), large.arrival),
        }
    }

    /// The message at `index`.
    pub(super) fn get(&self, index: usize) -> MessageRef<'_> {
        match self {
            Self::Segment(segment) => {
                MessageRef::packed(segment.payload_of(&segment.record(index)))
            }
            Self::Large(large) => MessageRef::by_reference(&large.bytes),
        }
    }

    /// Tick of the message at one end.
    pub(super) fn arrival_at(&self, end: End) -> u64 {
        match self {
            Self::Segment(segment) => segment.arrival_at(end),
            Self::Large(large) => large.arrival,
        }
    }

    /// Something from the memory of its message at one end, and of its list of arrivals.
    pub(super) fn ask(&self, end: End) -> u64 {
        match self {
            Self::Segment(segment) => segment.ask(end),
            Self::Large(large) => u64::from(large.bytes[0]),
        }
    }

    /// Something from the memory of what is in its list of arrivals.
    pub(super) fn ask_arrivals(&self) -> u64 {
        match self {
            Self::Segment(segment) => segment.ask_arrivals(),
            Self::Large(_) => 0,
        }
    }

    /// Tick of the message at `index`.
    pub(super) fn arrival(&self, index: usize) -> u64 {
        match self {
            Self::Segment(segment) => segment.arrival(index),
            Self::Large(large) => large.arrival,
        }
    }

    /// All messages from `end` on, with their ticks.
    pub(super) fn messages(&self, end: End) -> impl Iterator<Item = (MessageRef<'_>, u64)> {
        let (segment, large) = match self {
            Self::Segment(segment) => (Some(segment), None),
            Self::Large(large) => (None, Some(large)),
        };
        let packed = segment
            .into_iter()
            .flat_map(move |segment| segment.messages(end))
            .map(|(payload, arrival)| (MessageRef::packed(payload), arrival));
        packed.chain(large.map(|large| (MessageRef::by_reference(&large.bytes), large.arrival)))
    }

    /// Whether one of these rising ticks lies between those at its ends.
    pub(super) fn spans(&self, ticks: &[u64]) -> bool {
        let [a, b] = [End::Front, End::Back].map(|end| self.arrival_at(end));
        let first = ticks.partition_point(|&tick| tick < a.min(b));
        ticks.get(first).is_some_and(|&tick| tick <= a.max(b))
    }

    /// Whether a message arrived at one of these rising ticks. O(runs).
    pub(super) fn has_arrival(&self, ticks: &[u64]) -> bool {
        match self {
            Self::Segment(segment) => segment.has_arrival(ticks),
            Self::Large(large) => ticks.binary_search(&large.arrival).is_ok(),
        }
    }

    /// How many of its messages arrived at `tick` or later.
    pub(super) fn came_since(&self, tick: u64) -> u64 {
        match self {
            Self::Segment(segment) => segment.came_since(tick),
            Self::Large(large) => u64::from(large.arrival >= tick),
        }
    }

    /// How many messages at `end`, one after the other, arrived before `tick`.
    pub(super) fn older_than(&self, end: End, tick: u64) -> usize {
        match self {
            Self::Segment(segment) => segment.older_than(end, tick),
            Self::Large(large) => usize::from(large.arrival < tick),
        }
    }

    /// Takes the `count` messages at `end` away; others remain, so it is a segment.
    pub(super) fn drop_end(&mut self, end: End, count: usize) -> Tally {
        match self {
            Self::Segment(segment) => segment.drop_end(end, count),
            Self::Large(_) => Tally::default(),
        }
    }

    /// Takes `next` in, which follows in the queue, or gives it back if they are better apart.
    pub(super) fn merge(&mut self, next: Self) -> Option<Self> {
        match (self, next) {
            (_, Self::Segment(next)) if next.len() == 0 => None,
            (Self::Segment(this), Self::Segment(next))
                if this.reversed() == next.reversed()
                    && this.used_bytes() + next.used_bytes() <= MERGE_BYTES_MAX =>
            {
                this.merge(next);
                None
            }
            (_, next) => Some(next),
        }
    }
}
