//! The chunks of a queue, front to back.
//!
//! Most queues are small. A single chunk lies in the queue itself: a push or a pop reaches it
//! without one more step through memory, and a hundred thousand queues have no list each. More
//! chunks lie in a list behind a pointer, which a queue needs from its first 64 KiB on.

use std::collections::VecDeque;
use std::mem;
use std::ops::{Index, IndexMut, Range};
use std::slice;

use super::chunk::Chunk;
use super::message::End;
use crate::store::reclaim::{SLICE_BYTES, Shed};

/// A list with more room than this times what it holds gives room back.
const SPARSE: usize = 8;

/// A double-ended list of chunks. Ends, length and index O(1).
#[derive(Clone, Debug, Default)]
pub(super) enum Chunks {
    #[default]
    None,
    One(Chunk),
    /// Two or more.
    #[allow(
        clippy::box_collection,
        reason = "a queue of one chunk has no room for a list"
    )]
    Many(Box<VecDeque<Chunk>>),
}

// Which of the three it is stands where a chunk has no use for the bits.
const _: () = assert!(size_of::<Chunks>() == size_of::<Chunk>());

impl Chunks {
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(list) => list.len(),
        }
    }

    /// Bytes of the list itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::None | Self::One(_) => 0,
            Self::Many(list) => size_of::<VecDeque<Chunk>>() + list.capacity() * size_of::<Chunk>(),
        }
    }

    /// The chunk at one end.
    #[inline]
    pub fn at_end(&self, end: End) -> Option<&Chunk> {
        match (self, end) {
            (Self::None, _) => None,
            (Self::One(chunk), _) => Some(chunk),
            (Self::Many(list), End::Front) => list.front(),
            (Self::Many(list), End::Back) => list.back(),
        }
    }

    /// The chunk at one end, for changing it.
    #[inline]
    pub fn at_end_mut(&mut self, end: End) -> Option<&mut Chunk> {
        match (self, end) {
            (Self::None, _) => None,
            (Self::One(chunk), _) => Some(chunk),
            (Self::Many(list), End::Front) => list.front_mut(),
            (Self::Many(list), End::Back) => list.back_mut(),
        }
    }

    /// The chunk at `index` from the front.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&Chunk> {
        match self {
            Self::None => None,
            Self::One(chunk) => (index == 0).then_some(chunk),
            Self::Many(list) => list.get(index),
        }
    }

    /// The chunks from front to back.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Chunk> + ExactSizeIterator {
        (0..self.len()).map(|index| &self[index])
    }

    /// The index of the chunk that `step` chunks lie before, seen from one end.
    pub fn index_from(&self, end: End, step: usize) -> usize {
        match end {
            End::Front => step,
            End::Back => self.len() - 1 - step,
        }
    }

    /// How many chunks lie before the first for which `is_before` does not hold, where it holds
    /// for none behind that one. O(log chunks).
    pub fn partition_point(&self, mut is_before: impl FnMut(&Chunk) -> bool) -> usize {
        match self {
            Self::None => 0,
            Self::One(chunk) => usize::from(is_before(chunk)),
            Self::Many(list) => list.partition_point(is_before),
        }
    }

    /// Adds a chunk at one end.
    pub fn push(&mut self, end: End, chunk: Chunk) {
        match end {
            End::Front => self.insert(0, chunk),
            End::Back => self.insert(self.len(), chunk),
        }
    }

    /// Adds a chunk that `index` chunks lie before. O(chunks to the nearer end).
    pub fn insert(&mut self, index: usize, chunk: Chunk) {
        match mem::take(self) {
            Self::None => *self = Self::One(chunk),
            Self::One(first) => {
                let mut list = VecDeque::from([first]);
                list.insert(index, chunk);
                *self = Self::Many(Box::new(list));
            }
            Self::Many(mut list) => {
                list.insert(index, chunk);
                *self = Self::Many(list);
            }
        }
    }

    /// Takes the chunk at one end out.
    pub fn pop(&mut self, end: End) -> Option<Chunk> {
        let Self::Many(list) = self else {
            return match mem::take(self) {
                Self::One(chunk) => Some(chunk),
                _ => None,
            };
        };
        let chunk = match end {
            End::Front => list.pop_front(),
            End::Back => list.pop_back(),
        };
        self.settle();
        chunk
    }

    /// Takes chunks out. O(chunks to the nearer end, and those that go).
    pub fn remove_range(&mut self, range: Range<usize>) -> Self {
        match self {
            Self::Many(list) => {
                let mut gone = Self::None;
                for chunk in list.drain(range) {
                    gone.push(End::Back, chunk);
                }
                self.settle();
                gone
            }
            Self::One(_) if range.contains(&0) => mem::take(self),
            Self::One(_) | Self::None => Self::None,
        }
    }

    /// Gives the room of the list back after a long queue has become short. Amortised O(1) for
    /// each chunk that went.
    fn settle(&mut self) {
        let Self::Many(list) = self else { return };
        match list.len() {
            0 => *self = Self::None,
            1 => *self = list.pop_front().map_or(Self::None, Self::One),
            len if len < list.capacity() / SPARSE => list.shrink_to(2 * len),
            _ => {}
        }
    }
}

impl Index<usize> for Chunks {
    type Output = Chunk;

    #[inline]
    fn index(&self, index: usize) -> &Chunk {
        match self {
            Self::None => &<&[Chunk]>::default()[index],
            Self::One(chunk) => &slice::from_ref(chunk)[index],
            Self::Many(list) => &list[index],
        }
    }
}

impl IndexMut<usize> for Chunks {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut Chunk {
        match self {
            Self::None => &mut <&mut [Chunk]>::default()[index],
            Self::One(chunk) => &mut slice::from_mut(chunk)[index],
            Self::Many(list) => &mut list[index],
        }
    }
}

impl Shed for Chunks {
    fn shed(&mut self) -> bool {
        let mut freed = 0;
        while freed < SLICE_BYTES
            && let Some(chunk) = self.pop(End::Front)
        {
            freed += chunk.heap_bytes();
        }
        self.len() > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a test does, with a number to pick a place by.
    #[derive(Clone, Debug)]
    enum Step {
        Push(End),
        Pop(End),
        Insert(usize),
        RemoveRange(usize, usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let end = || prop_oneof![Just(End::Front), Just(End::Back)];
        prop_oneof![
            4 => end().prop_map(Step::Push),
            4 => end().prop_map(Step::Pop),
            2 => any::<usize>().prop_map(Step::Insert),
            2 => (any::<usize>(), 0_usize..4).prop_map(|(at, len)| Step::RemoveRange(at, len)),
        ]
    }

    /// Does a step to both; the chunks are told apart by the arrival of their message.
    fn take(step: &Step, chunks: &mut Chunks, model: &mut VecDeque<u64>, arrival: u64) {
        let chunk = Chunk::single(b"", false, arrival);
        let len = model.len();
        match *step {
            Step::Push(end) => {
                chunks.push(end, chunk);
                model.insert(if end == End::Front { 0 } else { len }, arrival);
            }
            Step::Pop(end) => {
                let popped = chunks.pop(end).map(|chunk| chunk.arrival(0));
                let wanted = match end {
                    End::Front => model.pop_front(),
                    End::Back => model.pop_back(),
                };
                assert_eq!(popped, wanted);
            }
            Step::Insert(at) => {
                chunks.insert(at % (len + 1), chunk);
                model.insert(at % (len + 1), arrival);
            }
            Step::RemoveRange(at, count) => {
                let start = at % (len + 1);
                let end = (start + count).min(len);
                let gone = chunks.remove_range(start..end);
                let gone = gone.iter().map(|chunk| chunk.arrival(0));
                assert!(gone.eq(model.drain(start..end)));
            }
        }
    }

    proptest! {
        #[test]
        fn chunks_are_a_deque(steps in prop::collection::vec(any_step(), 1..120)) {
            let (mut chunks, mut model) = (Chunks::default(), VecDeque::new());
            for (arrival, step) in steps.iter().enumerate() {
                take(step, &mut chunks, &mut model, arrival as u64);
                let arrival_of = |chunk: &Chunk| chunk.arrival(0);
                prop_assert!(chunks.iter().map(arrival_of).eq(model.iter().copied()));
                prop_assert_eq!(chunks.len(), model.len());
                prop_assert_eq!(chunks.heap_bytes() > 0, model.len() > 1, "a list for two or more");
                for (end, wanted) in [(End::Front, model.front()), (End::Back, model.back())] {
                    prop_assert_eq!(chunks.at_end(end).map(arrival_of), wanted.copied());
                    let changing = chunks.at_end_mut(end).map(|chunk| chunk.arrival(0));
                    prop_assert_eq!(changing, wanted.copied());
                }
                for at in 0..=model.len() {
                    prop_assert_eq!(chunks.get(at).map(arrival_of), model.get(at).copied());
                }
            }
        }
    }
}
