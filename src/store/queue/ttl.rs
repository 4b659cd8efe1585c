//! Messages with a time to live of their own.
//!
//! A queue keeps, beside its messages, when those end that have a time: by arrival and a hash of
//! the bytes, which tell a message from all others but such as nobody can tell apart. So nothing
//! has to follow a message through the queue, and a queue without such messages pays nothing. A
//! note goes with its message, whatever takes that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use ahash::RandomState;

use super::Queue;
use super::chunk::Chunk;
use super::message::{End, Popped};
use crate::store::ledger::Tally;

/// When messages of one queue end.
#[derive(Clone, Debug, Default)]
pub(super) struct Ttls {
    /// Deadline, arrival, hash.
    by_deadline: BTreeSet<(u64, u64, u64)>,
    /// How many messages have this arrival, hash and deadline.
    by_message: BTreeMap<(u64, u64, u64), u32>,
}

/// Bytes that a note takes in both trees, whose nodes are three fifths full, as measured.
const NOTE_BYTES: usize = (2 * size_of::<(u64, u64, u64)>() + size_of::<u32>()) * 5 / 3;

/// A sweep walks one chunk for so many messages that it may take: where few end in each, it takes
/// fewer.
const ENDED_PER_CHUNK_MIN: usize = 16;

/// The hash by which a message is known; the same for as long as the process runs.
fn hash_of(message: &[u8]) -> u64 {
    static HASHER: OnceLock<RandomState> = OnceLock::new();
    HASHER.get_or_init(RandomState::new).hash_one(message)
}

impl Ttls {
    /// Bytes that it takes, itself included, as far as can be told.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.by_message.len() * NOTE_BYTES
    }

    fn add(&mut self, arrival: u64, hash: u64, deadline: u64) {
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
        *count -= 1;
        if *count == 0 {
            self.by_message.remove(&(arrival, hash, deadline));
            self.by_deadline.remove(&(deadline, arrival, hash));
        }
        true
    }

    /// Whether a message has this note: deadline, arrival, hash.
    fn has(&self, &(deadline, arrival, hash): &(u64, u64, u64)) -> bool {
        self.by_message.contains_key(&(arrival, hash, deadline))
    }

    /// The first note of a message.
    fn deadline_of(&self, arrival: u64, hash: u64) -> Option<u64> {
        let of_it = (arrival, hash, 0)..=(arrival, hash, u64::MAX);
        let (&(.., deadline), _) = self.by_message.range(of_it).next()?;
        Some(deadline)
    }

    /// Takes back the first note of a message, if that ends by `tick`; returns its deadline.
    fn take(&mut self, arrival: u64, hash: u64, tick: u64) -> Option<u64> {
        let deadline = self.deadline_of(arrival, hash).filter(|&at| at <= tick)?;
        self.remove(arrival, hash, deadline);
        Some(deadline)
    }

    /// Takes back the notes of the `count` messages at one end of a chunk.
    fn forget(&mut self, chunk: &Chunk, end: End, count: usize) {
        for (message, arrival) in chunk.messages(end).take(count) {
            self.take(arrival, hash_of(message.bytes()), u64::MAX);
        }
    }
}

impl Queue {
    /// Notes that messages that arrived at `arrival` end at `deadline`. O(log notes) for each.
    pub fn set_ttls<'m>(
        &mut self,
        messages: impl IntoIterator<Item = &'m [u8]>,
        arrival: u64,
        deadline: u64,
    ) {
        let extra = self.extra.get_or_insert_default();
        let ttls = extra.ttls.get_or_insert_default();
        for message in messages {
            ttls.add(arrival, hash_of(message), deadline);
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
                ttls.take(arrival, hash, u64::MAX);
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
        if !self.has_ttls() {
            return None;
        }
        let (message, arrival) = self.peek(end)?;
        let hash = hash_of(message.bytes());
        let ttls = self.extra.as_mut()?.ttls.as_mut()?;
        let deadline = ttls.take(arrival, hash, u64::MAX)?;
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

    /// Drops the notes of the `count` messages at one end of the chunk at `at`, which are about to
    /// go. O(count log notes) where any has one.
    pub(super) fn forget_ttls_in(&mut self, at: usize, end: End, count: usize) {
        if let Some(ttls) = self.extra.as_mut().and_then(|extra| extra.ttls.as_mut()) {
            ttls.forget(&self.chunks[at], end, count);
            self.drop_empty_ttls();
        }
    }

    /// Whether the own time of a message is over at `tick`.
    pub(super) fn is_ended(&self, message: &[u8], arrival: u64, tick: u64) -> bool {
        let ttls = self.extra.as_ref().and_then(|extra| extra.ttls.as_ref());
        let deadline = ttls.and_then(|ttls| ttls.deadline_of(arrival, hash_of(message)));
        deadline.is_some_and(|deadline| deadline <= tick)
    }

    /// Takes away at most `limit` messages whose time is over, fewer if they lie far apart, and
    /// hands them over, those that ended first in front. O(chunks), and the messages of the
    /// segments that have some: each is walked once for all of them. The caller counts them.
    pub fn take_ended(&mut self, tick: u64, limit: usize) -> Vec<Popped> {
        if self.first_deadline().is_none_or(|first| first > tick) {
            return Vec::new();
        }
        let Some(mut ttls) = self.extra.as_mut().and_then(|extra| extra.ttls.take()) else {
            return Vec::new();
        };
        let due = ttls.by_deadline.range(..=(tick, u64::MAX, u64::MAX));
        let due: Vec<(u64, u64, u64)> = due.copied().take(limit).collect();
        let mut arrivals: Vec<u64> = due.iter().map(|&(_, arrival, _)| arrival).collect();
        arrivals.sort_unstable();
        arrivals.dedup();
        let mut ended = Ended {
            tick,
            arrivals,
            limit,
            chunks_left: (limit / ENDED_PER_CHUNK_MIN).max(1),
            taken: Vec::new(),
        };
        self.sweep(&mut ttls, &mut ended, Chunk::spans);
        if !ended.is_full() && due.iter().any(|note| ttls.has(note)) {
            // What was put back may lie where its arrival does not belong.
            self.sweep(&mut ttls, &mut ended, |_, _| true);
        }
        if !ended.is_full() {
            // No message has them.
            for (deadline, arrival, hash) in due {
                while ttls.remove(arrival, hash, deadline) {}
            }
        }
        self.extra.get_or_insert_default().ttls = Some(ttls);
        self.drop_empty_ttls();
        ended.taken.sort_by_key(|&(deadline, _)| deadline);
        let taken = ended.taken.into_iter();
        taken.map(|(_, popped)| popped).collect()
    }

    /// Takes what has ended out of all chunks that may have some, from the old end on.
    fn sweep(
        &mut self,
        ttls: &mut Ttls,
        ended: &mut Ended,
        may_have: impl Fn(&Chunk, &[u64]) -> bool,
    ) {
        let end = self.old_end();
        let mut touched: Option<(usize, usize)> = None;
        for step in 0..self.chunks.len() {
            if ended.is_full() {
                break;
            }
            let at = self.chunks.index_from(end, step);
            let chunk = &self.chunks[at];
            if may_have(chunk, &ended.arrivals)
                && chunk.has_arrival(&ended.arrivals)
                && self.sweep_chunk(at, end, ttls, ended)
            {
                ended.chunks_left -= 1;
                let (low, high) = touched.unwrap_or((at, at));
                touched = Some((low.min(at), high.max(at)));
            }
        }
        if let Some((low, high)) = touched {
            self.merge(low.saturating_sub(1), high + 1);
        }
    }

    /// Takes what has ended out of one chunk; says whether there was any.
    fn sweep_chunk(&mut self, at: usize, end: End, ttls: &mut Ttls, ended: &mut Ended) -> bool {
        let chunk = &self.chunks[at];
        let mut indexes = Vec::new();
        for (step, (message, arrival)) in chunk.messages(end).enumerate() {
            if ended.arrivals.binary_search(&arrival).is_ok()
                && let Some(deadline) = ttls.take(arrival, hash_of(message.bytes()), ended.tick)
            {
                indexes.push(step);
                let message = message.to_message();
                self.gone += Tally::one(message.len());
                ended.taken.push((deadline, Popped { message, arrival }));
                if ended.taken.len() >= ended.limit {
                    break;
                }
            }
        }
        if end == End::Back {
            let last = chunk.len() - 1;
            indexes = indexes.into_iter().rev().map(|step| last - step).collect();
        }
        if !indexes.is_empty() {
            self.remove_indexes(at, &indexes);
        }
        !indexes.is_empty()
    }
}

/// What a sweep looks for, and has found.
struct Ended {
    /// It takes what ends by this tick.
    tick: u64,
    /// Rising; what arrived at another is not looked at.
    arrivals: Vec<u64>,
    limit: usize,
    /// Chunks of which it may still take some.
    chunks_left: usize,
    /// With their deadlines.
    taken: Vec<(u64, Popped)>,
}

impl Ended {
    /// Whether it has taken what it may, and there may be more.
    fn is_full(&self) -> bool {
        self.taken.len() >= self.limit || self.chunks_left == 0
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
                queue.set_ttls([message], tick, 100 - tick);
            }
        }
        assert_eq!(queue.first_deadline(), Some(52));
        for tick in 52..=100 {
            let ended = queue.take_ended(tick, usize::MAX);
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
            queue.set_ttls([&b"same"[..]], tick, 1000);
        }
        let notes_len = |queue: &Queue| {
            let ttls = queue.ttls().unwrap_or_default();
            ttls.by_message.values().sum::<u32>()
        };
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
        let _ = queue.drop_at(End::Front, 40);
        assert_eq!(notes_len(&queue), 9);
        let _ = queue.drop_at(End::Back, 4);
        assert_eq!(notes_len(&queue), 5);
        let _ = queue.drop_older_than(End::Front, 94);
        assert_eq!((notes_len(&queue), queue.len()), (1, 1));
        let _ = queue.drop_at(End::Front, 100);
        assert!(!queue.has_ttls());
        queue.push(End::Back, b"last", 3000);
        queue.set_ttls([&b"last"[..]], 3000, 4000);
        queue.lose_all(Cause::Deleted);
        assert!(!queue.has_ttls());
    }

    #[test]
    fn what_was_popped_does_not_end() {
        let mut queue = Queue::new();
        for _ in 0..2 {
            queue.push(End::Back, b"same", 5);
        }
        queue.set_ttls([&b"same"[..]], 5, 10);
        assert_eq!(queue.take_ttl(End::Front), Some(10));
        queue.pop(End::Front);
        assert!(!queue.has_ttls());
        assert!(queue.take_ended(20, 1).is_empty());
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_segment_is_walked_once_for_all_that_ended_in_it() {
        // With a walk for each this takes minutes.
        const LEN: u64 = 20_000;
        for end in [End::Front, End::Back] {
            for ticks in [1, LEN] {
                let mut queue = Queue::new();
                for number in 0..LEN {
                    let message = number.to_be_bytes();
                    let arrival = number % ticks;
                    queue.push(end, &message, arrival);
                    if number % 4 != 0 {
                        queue.set_ttls([&message[..]], arrival, LEN + 1);
                    }
                }
                let mut taken = Vec::new();
                while !queue.take_ended(LEN, 1000).is_empty() {}
                assert_eq!(queue.len() as u64, LEN);
                loop {
                    let some = queue.take_ended(LEN + 1, 1000);
                    assert!(some.len() <= 1000);
                    if some.is_empty() {
                        break;
                    }
                    taken.extend(some);
                }
                queue.check_invariants();
                assert_eq!((taken.len() as u64, queue.has_ttls()), (LEN / 4 * 3, false));
                assert_eq!(queue.len() as u64, LEN / 4);
                let in_order = taken.iter().map(|popped| popped.message.to_vec());
                assert!(in_order.is_sorted(), "the oldest first");
            }
        }
    }

    #[test]
    fn what_came_between_older_ones_ends_too() {
        let mut queue = Queue::new();
        queue.push(End::Back, b"first", 1);
        queue.push(End::Back, b"second", 2);
        let back = queue.pop(End::Back).expect("it is there");
        queue.push(End::Back, b"ends", 9);
        queue.set_ttls([&b"ends"[..]], 9, 20);
        queue.unpop_message(End::Back, back.message, back.arrival);
        assert_eq!(queue.take_ended(20, 10).len(), 1);
        queue.check_invariants();
    }

    #[test]
    fn few_chunks_are_walked_at_once() {
        let mut queue = Queue::new();
        let large = vec![b'x'; super::super::PACKED_BYTES_MAX + 1];
        for tick in 0..100 {
            queue.push(End::Back, &large, tick);
            queue.set_ttls([&large[..]], tick, 200);
        }
        for left in (0..10).rev() {
            assert_eq!(queue.take_ended(200, 160).len(), 10);
            assert_eq!(queue.len(), 10 * left);
            queue.check_invariants();
        }
    }
}
