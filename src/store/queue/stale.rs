//! Messages that time takes out of a queue.
//!
//! Ticks rise from the oldest message to both ends (see `Queue::oldest_arrival`), so what is too
//! old lies together: at one end of a queue that is pushed to at the other, or around the place
//! where what was pushed at the front meets what was pushed at the back.

use super::message::{End, Popped};
use super::{Chunk, Queue};
use crate::store::reclaim;

impl Queue {
    /// Whether time alone may take messages out of it.
    #[inline]
    pub fn is_timed(&self) -> bool {
        self.bounds().is_some_and(|bounds| bounds.is_timed()) || self.has_ttls()
    }

    /// Notes that somebody popped from it or waited for it, where that matters.
    #[inline]
    pub fn note_active(&mut self, tick: u64) {
        if let Some(extra) = &mut self.extra {
            extra.active = tick;
        }
    }

    /// Notes that somebody pops from it or waits for it, where that matters.
    #[inline]
    pub fn note_consumed(&mut self, tick: u64) {
        if let Some(extra) = &mut self.extra {
            extra.active = tick;
            extra.consumed = tick.max(1);
        }
    }

    /// The last tick when somebody popped from it or waited for it; 0 if nobody ever did, as far
    /// as was noted.
    pub fn consumed(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.consumed)
    }

    /// The last tick when somebody pushed to it, popped from it or waited for it.
    pub fn active(&self) -> u64 {
        let ends = [End::Front, End::Back];
        let pushed = ends.map(|end| self.peek(end).map_or(0, |(_, arrival)| arrival));
        let active = self.extra.as_ref().map_or(0, |extra| extra.active);
        active.max(pushed[0]).max(pushed[1])
    }

    /// The tick for which its shard will look after it; 0 if it will not.
    #[inline]
    pub fn scheduled(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.scheduled)
    }

    /// Notes when its shard will look after it.
    pub fn set_scheduled(&mut self, tick: u64) {
        if tick != 0 || self.extra.is_some() {
            self.extra.get_or_insert_default().scheduled = tick;
        }
    }

    /// The first tick at which time will take something out of it, if nothing else happens.
    pub fn next_due(&self) -> Option<u64> {
        let bounds = self.bounds().unwrap_or_default();
        let bound = |from: u64, ms: u64| from.checked_add(ms).filter(|_| ms < u64::MAX);
        let age = bound(self.oldest_arrival()?, bounds.age_ms_max);
        let idle = bound(self.active(), bounds.idle_ms_max);
        let ttl = self.first_deadline();
        age.into_iter().chain(idle).chain(ttl).min()
    }

    /// The tick before which messages arrived that are too old at `tick`; 0 if none can be.
    pub fn stale_before(&self, tick: u64) -> u64 {
        let age_ms_max = self.bounds().map_or(u64::MAX, |bounds| bounds.age_ms_max);
        tick.checked_sub(age_ms_max).map_or(0, |before| before + 1)
    }

    /// Whether nobody has pushed to it, popped from it or waited for it for too long.
    pub fn is_forgotten(&self, tick: u64) -> bool {
        let idle_ms_max = self.bounds().map_or(u64::MAX, |bounds| bounds.idle_ms_max);
        tick.saturating_sub(self.active()) >= idle_ms_max
    }

    /// Whether time has ended messages that are still there. O(log chunks).
    pub fn has_overdue(&self, tick: u64) -> bool {
        self.is_timed()
            && (self.first_deadline().is_some_and(|first| first <= tick)
                || self.has_stale(self.stale_before(tick)))
    }

    /// Whether time has ended any of the `count` messages at one end. O(count).
    pub fn has_overdue_at(&self, end: End, count: usize, tick: u64) -> bool {
        let before = self.stale_before(tick);
        let chunks = (0..self.chunks.len()).map(|step| self.chunks.index_from(end, step));
        let mut messages = chunks
            .flat_map(|at| self.chunks[at].messages(end))
            .take(count);
        messages.any(|(message, arrival)| {
            arrival < before || self.is_ended(message.bytes(), arrival, tick)
        })
    }

    fn has_stale(&self, before: u64) -> bool {
        self.oldest_arrival().is_some_and(|oldest| oldest < before)
    }

    /// Lets go of the messages that arrived before a tick. O(chunks and runs that go), and
    /// O(messages that go) where messages have a time of their own. The caller counts them.
    pub fn drop_stale(&mut self, before: u64) {
        for end in [End::Front, End::Back] {
            let _ = self.drop_older_than(end, before);
        }
        if self.has_stale(before) {
            self.cut_stale(before, usize::MAX, None);
        }
    }

    /// Takes away at most `limit` messages that arrived before a tick, and hands them over, the
    /// oldest first as far as they lie at one end. The caller counts them.
    pub fn take_stale(&mut self, before: u64, limit: usize) -> Vec<Popped> {
        let mut taken = Vec::new();
        for end in [self.old_end(), self.old_end().opposite()] {
            while taken.len() < limit
                && let Some((_, arrival)) = self.peek(end)
                && arrival < before
            {
                self.take_ttl(end);
                taken.extend(self.pop(end));
            }
        }
        if taken.len() < limit && self.has_stale(before) {
            let mut middle = Vec::new();
            self.cut_stale(before, limit - taken.len(), Some(&mut middle));
            middle.sort_by_key(|popped| popped.arrival);
            taken.append(&mut middle);
        }
        taken
    }

    /// Takes away at most `limit` messages that are too old between the ends: from the place where
    /// the direction changes, those behind it and then those before it.
    #[cold]
    fn cut_stale(&mut self, before: u64, limit: usize, mut taken: Option<&mut Vec<Popped>>) {
        let turn = self.chunks.partition_point(Chunk::reversed);
        let (mut first, mut behind, mut left) = (turn, turn, limit);
        while self.cut_stale_in(behind, End::Front, before, &mut left, taken.as_deref_mut()) {
            behind += 1;
        }
        while first > 0
            && self.cut_stale_in(
                first - 1,
                End::Back,
                before,
                &mut left,
                taken.as_deref_mut(),
            )
        {
            first -= 1;
        }
        let gone = self.chunks.remove_range(first..behind);
        let heap = gone.iter().map(Chunk::heap_bytes).sum();
        self.heap -= heap;
        reclaim::free(gone, heap);
    }

    /// Takes at most `left` messages that are too old at one end of a chunk. A chunk of which
    /// nothing would be left stays for the caller to remove: whether it is one.
    fn cut_stale_in(
        &mut self,
        at: usize,
        end: End,
        before: u64,
        left: &mut usize,
        taken: Option<&mut Vec<Popped>>,
    ) -> bool {
        let Some(chunk) = self.chunks.get(at) else {
            return false;
        };
        let count = chunk.older_than(end, before).min(*left);
        if count == 0 {
            return false;
        }
        *left -= count;
        if let Some(taken) = taken {
            let stale = chunk.messages(end).take(count);
            taken.extend(stale.map(|(message, arrival)| Popped {
                message: message.to_message(),
                arrival,
            }));
        }
        self.forget_ttls_in(at, end, count);
        let chunk = &mut self.chunks[at];
        if count == chunk.len() {
            self.gone += chunk.held();
            return true;
        }
        let heap = chunk.heap_bytes();
        self.gone += chunk.drop_end(end, count);
        self.heap = self.heap - heap + chunk.heap_bytes();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_goes_wherever_it_lies() {
        for front in 0..5_u64 {
            let mut queue = Queue::new();
            // Old in the middle, fresh at both ends.
            for tick in 0..20 {
                let end = if tick % 5 < front {
                    End::Front
                } else {
                    End::Back
                };
                queue.push(end, format!("{tick}").as_bytes(), tick);
            }
            let mut copy = queue.clone();
            queue.drop_stale(12);
            queue.check_invariants();
            assert_eq!((queue.len(), queue.oldest_arrival()), (8, Some(12)));
            let taken = copy.take_stale(12, usize::MAX);
            copy.check_invariants();
            assert_eq!((taken.len(), copy.len()), (12, 8));
            assert!(taken.iter().all(|popped| popped.arrival < 12));
        }
    }

    #[test]
    fn large_messages_age_too() {
        let mut queue = Queue::new();
        let large = vec![b'x'; super::super::PACKED_BYTES_MAX + 1];
        for tick in 0..6 {
            let end = if tick % 2 == 0 { End::Front } else { End::Back };
            queue.push(end, &large, tick);
            queue.push(end, b"small", tick);
        }
        queue.drop_stale(3);
        queue.check_invariants();
        assert_eq!((queue.len(), queue.oldest_arrival()), (6, Some(3)));
        queue.drop_stale(100);
        queue.check_invariants();
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_too_old_in_the_middle_goes_part_by_part() {
        const LEN: usize = 100_000;
        for end in [End::Front, End::Back] {
            let mut queue = Queue::new();
            for number in 0..LEN {
                queue.push(end, &number.to_be_bytes(), 1);
            }
            for end in [End::Front, End::Back] {
                queue.push(end, b"fresh", 9);
            }
            let mut copy = queue.clone();
            copy.drop_stale(5);
            copy.check_invariants();
            assert_eq!(copy.len(), 2);
            let mut taken = 0;
            while queue.has_stale(5) {
                let some = queue.take_stale(5, 1000).len();
                assert_eq!(some, 1000);
                taken += some;
                assert_eq!(queue.len() + taken, LEN + 2);
            }
            queue.check_invariants();
            assert_eq!(taken, LEN);
        }
    }
}
