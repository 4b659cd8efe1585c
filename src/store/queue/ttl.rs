//! Messages with a time to live of their own.
//!
//! A queue keeps, beside its messages, when those end that have a time: by arrival and a hash of
//! the bytes, which tell a message from all others but such as nobody can tell apart. So nothing
//! has to follow a message through the queue, and a queue without such messages pays nothing. A
//! note goes with its message, but for messages that go by the thousand: their notes are dropped when
//! their time comes, or when there are twice as many notes as messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use ahash::RandomState;

use super::Queue;
use super::chunk::Chunk;
use super::message::{End, Message, Popped};
use super::segment::Segment;
use crate::store::ledger::Tally;

/// When messages of one queue end.
#[derive(Clone, Debug, Default)]
pub(super) struct Ttls {
    /// Deadline, arrival, hash.
    by_deadline: BTreeSet<(u64, u64, u64)>,
    /// How many messages have this arrival, hash and deadline.
    by_message: BTreeMap<(u64, u64, u64), u32>,
    /// Notes in all.
    len: usize,
}

/// Notes that a queue may have beyond twice its messages.
const SPARE_NOTES_LEN_MAX: usize = 64;

/// The hash by which a message is known; the same for as long as the process runs.
fn hash_of(message: &[u8]) -> u64 {
    static HASHER: OnceLock<RandomState> = OnceLock::new();
    HASHER.get_or_init(RandomState::new).hash_one(message)
}

impl Ttls {
    fn add(&mut self, arrival: u64, hash: u64, deadline: u64) {
        self.len += 1;
        self.by_deadline.insert((deadline, arrival, hash));
        *self
            .by_message
            .entry((arrival, hash, deadline))
            .or_default() += 1;
    }

    /// Takes one note back; says whether there was one.
    fn remove(&mut self, arrival: u64, hash: u64, deadline: u64) -> bool {
        let Some(count) = self.by_message.get_mut(&(arrival, hash, deadline)) else {
            return false;
        };
        self.len -= 1;
        *count -= 1;
        if *count == 0 {
            self.by_message.remove(&(arrival, hash, deadline));
            self.by_deadline.remove(&(deadline, arrival, hash));
        }
        true
    }

    /// Takes back the first note of a message; returns its deadline.
    fn take(&mut self, arrival: u64, hash: u64) -> Option<u64> {
        let of_it = (arrival, hash, 0)..=(arrival, hash, u64::MAX);
        let (&(.., deadline), _) = self.by_message.range(of_it).next()?;
        self.remove(arrival, hash, deadline);
        Some(deadline)
    }
}

impl Queue {
    /// Notes that a message that arrived at `arrival` ends at `deadline`. O(log notes) on average.
    pub fn set_ttl(&mut self, message: &[u8], arrival: u64, deadline: u64) {
        let notes_len_max = 2 * self.len() + SPARE_NOTES_LEN_MAX;
        let extra = self.extra.get_or_insert_default();
        let ttls = extra.ttls.get_or_insert_default();
        ttls.add(arrival, hash_of(message), deadline);
        if ttls.len > notes_len_max {
            self.drop_spare_notes();
        }
    }

    /// Drops the notes of messages that have gone. O(messages).
    #[cold]
    fn drop_spare_notes(&mut self) {
        let Some(mut old) = self.extra.as_mut().and_then(|extra| extra.ttls.take()) else {
            return;
        };
        let mut kept = Box::<Ttls>::default();
        for chunk in self.chunks.iter() {
            for (inside, arrival) in arrivals_in(chunk).into_iter().enumerate() {
                let hash = hash_of(chunk.get(inside).bytes());
                if let Some(deadline) = old.take(arrival, hash) {
                    kept.add(arrival, hash, deadline);
                }
            }
        }
        if kept.len > 0 {
            self.extra.get_or_insert_default().ttls = Some(kept);
        }
    }

    /// Forgets when messages end, of a queue that lets go of all of them.
    pub(super) fn forget_ttls(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.ttls = None;
        }
    }

    /// Drops the notes of messages that are taken out at any place.
    pub(super) fn take_ttls(&mut self, message: &[u8], arrivals: &[u64]) {
        if let Some(ttls) = self.extra.as_mut().and_then(|extra| extra.ttls.as_mut()) {
            let hash = hash_of(message);
            for &arrival in arrivals {
                ttls.take(arrival, hash);
            }
            self.drop_empty_ttls();
        }
    }

    /// When its messages end, for a copy of it.
    pub(super) fn ttls(&self) -> Option<Box<Ttls>> {
        self.extra.as_ref()?.ttls.clone()
    }

    /// Whether any message has, or had, a time of its own.
    #[inline]
    pub fn has_ttls(&self) -> bool {
        self.extra
            .as_ref()
            .is_some_and(|extra| extra.ttls.is_some())
    }

    /// Whether it is under no policy and has no message with a time.
    #[inline]
    pub fn is_plain(&self) -> bool {
        let extra = self.extra.as_ref();
        extra.is_none_or(|extra| extra.governed.is_none() && extra.ttls.is_none())
    }

    /// The first tick at which a message may end.
    pub(super) fn first_deadline(&self) -> Option<u64> {
        let ttls = self.extra.as_ref()?.ttls.as_ref()?;
        ttls.by_deadline.first().map(|&(deadline, ..)| deadline)
    }

    /// Drops the note of the message at one end, which is about to be popped; returns when it ends,
    /// if it has a time of its own.
    #[cold]
    pub fn take_ttl(&mut self, end: End) -> Option<u64> {
        let (message, arrival) = self.peek(end)?;
        let hash = hash_of(message.bytes());
        let deadline = self.extra.as_mut()?.ttls.as_mut()?.take(arrival, hash)?;
        self.drop_empty_ttls();
        Some(deadline)
    }

    fn drop_empty_ttls(&mut self) {
        if let Some(extra) = &mut self.extra
            && extra
                .ttls
                .as_ref()
                .is_some_and(|ttls| ttls.by_message.is_empty())
        {
            extra.ttls = None;
        }
    }

    /// Takes away the messages whose time is over, each at the cost of a walk over the chunks and
    /// one segment. The caller counts them.
    pub fn take_ended(&mut self, tick: u64) -> Vec<Popped> {
        let mut taken = Vec::new();
        loop {
            let Some(ttls) = self.extra.as_mut().and_then(|extra| extra.ttls.as_mut()) else {
                return taken;
            };
            let Some(&(deadline, arrival, hash)) = ttls.by_deadline.first() else {
                break;
            };
            if deadline > tick {
                break;
            }
            ttls.remove(arrival, hash, deadline);
            if let Some(message) = self.take_known(arrival, hash) {
                taken.push(Popped { message, arrival });
            }
        }
        self.drop_empty_ttls();
        taken
    }

    /// Takes away the message of this arrival and hash, if it is still there.
    fn take_known(&mut self, arrival: u64, hash: u64) -> Option<Message> {
        let (at, inside) = self.find_known(arrival, hash)?;
        let chunk = &mut self.chunks[at];
        let message = chunk.get(inside).to_message();
        let before = chunk.heap_bytes();
        match chunk {
            Chunk::Segment(segment) if segment.len() > 1 => segment.remove(&[inside]),
            _ => *chunk = Chunk::Segment(Segment::vacant()),
        }
        self.heap = self.heap - before + chunk.heap_bytes();
        self.gone += Tally::one(message.len());
        self.merge(at.saturating_sub(1), at + 1);
        Some(message)
    }

    fn find_known(&self, arrival: u64, hash: u64) -> Option<(usize, usize)> {
        for (at, chunk) in self.chunks.iter().enumerate() {
            let ends = [chunk.arrival_at(End::Front), chunk.arrival_at(End::Back)];
            if arrival < ends[0].min(ends[1]) || arrival > ends[0].max(ends[1]) {
                continue;
            }
            for (inside, other) in arrivals_in(chunk).into_iter().enumerate() {
                if other == arrival && hash_of(chunk.get(inside).bytes()) == hash {
                    return Some((at, inside));
                }
            }
        }
        None
    }
}

fn arrivals_in(chunk: &Chunk) -> Vec<u64> {
    match chunk {
        Chunk::Segment(segment) => segment.arrivals_in_order(),
        Chunk::Large(large) => vec![large.arrival],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overflow::QueueBounds;
    use crate::store::ledger::Cause;

    #[test]
    fn messages_end_wherever_they_are() {
        let mut queue = Queue::new();
        let large = vec![b'x'; super::super::PACKED_BYTES_MAX + 1];
        for tick in 0..50_u64 {
            let end = if tick % 3 == 0 { End::Front } else { End::Back };
            let text = format!("{tick}");
            let message = if tick % 7 == 0 {
                &large
            } else {
                text.as_bytes()
            };
            queue.push(end, message, tick);
            if tick % 2 == 0 {
                queue.set_ttl(message, tick, 100 - tick);
            }
        }
        assert_eq!(queue.first_deadline(), Some(52));
        for tick in 52..=100 {
            let ended = queue.take_ended(tick);
            assert_eq!(ended.len(), usize::from(tick % 2 == 0), "{tick}");
            queue.check_invariants();
        }
        assert_eq!((queue.len(), queue.has_ttls()), (25, false));
    }

    #[test]
    fn notes_go_with_their_messages() {
        let mut queue = Queue::new();
        for tick in 0..100 {
            queue.push(End::Back, b"same", tick);
            queue.set_ttl(b"same", tick, 1000);
        }
        let notes_len = |queue: &Queue| queue.ttls().map_or(0, |ttls| ttls.len);
        assert_eq!(
            queue.remove_matching(b"same", End::Front, 10, |_, _| ()),
            10
        );
        assert_eq!(notes_len(&queue), 90);
        queue.set(0, b"other");
        assert_eq!(notes_len(&queue), 89);
        let bounds = QueueBounds {
            length_max: 50,
            ..QueueBounds::default()
        };
        queue.drop_surplus(&bounds, End::Front);
        assert_eq!(notes_len(&queue), 50);
        assert_eq!(
            queue
                .take_surplus(
                    &QueueBounds {
                        length_max: 49,
                        ..bounds
                    },
                    End::Back
                )
                .len(),
            1
        );
        assert_eq!(notes_len(&queue), 49);
        let copy = queue.clone();
        assert_eq!((notes_len(&copy), copy.first_deadline()), (49, Some(1000)));
        // By the thousand they may stay behind for a while.
        let _ = queue.drop_front(48);
        for tick in 100..1000 {
            queue.push(End::Back, b"same", tick);
            queue.set_ttl(b"same", tick, 2000);
            let _ = queue.drop_front(1);
        }
        assert!(
            notes_len(&queue) <= 2 + SPARE_NOTES_LEN_MAX,
            "{}",
            notes_len(&queue)
        );
        assert_eq!(queue.take_ended(2000).len(), 1);
        assert!(!queue.has_ttls());
        queue.push(End::Back, b"last", 3000);
        queue.set_ttl(b"last", 3000, 4000);
        queue.lose_all(Cause::Deleted);
        assert!(!queue.has_ttls());
    }

    #[test]
    fn what_was_popped_does_not_end() {
        let mut queue = Queue::new();
        for _ in 0..2 {
            queue.push(End::Back, b"same", 5);
        }
        queue.set_ttl(b"same", 5, 10);
        assert_eq!(queue.take_ttl(End::Front), Some(10));
        queue.pop(End::Front);
        assert!(!queue.has_ttls());
        assert!(queue.take_ended(20).is_empty());
        assert_eq!(queue.len(), 1);
    }
}
