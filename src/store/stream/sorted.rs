//! A sorted list in chunks: what the pending list and the log's directory are made of.
//!
//! Chunks of up to 64 items lie in a deque with their first keys beside them. Ids and delivery
//! times mostly arrive in order and mostly leave from the front, so both ends are found without
//! a search and chunks are full; a tree would cost half as much again in memory.
//!
//! Invariants: keys rise strictly, no chunk is empty, every chunk's key is that of its first
//! item. Costs for n items: find O(log n); insert and remove the same plus moving up to a chunk;
//! a new chunk in the middle moves the deque, at most n / 128 slots. A list of one item takes two
//! exact allocations.

use std::collections::VecDeque;

/// Most items in a chunk. 64 keeps moves below a microsecond and slots below a byte an item.
const CHUNK_LEN_MAX: usize = 64;
/// A chunk that falls below this is joined to a neighbour, if both then fill at most half.
const CHUNK_LEN_LOW: usize = 16;

/// Something with a key that orders it.
pub(super) trait Keyed {
    /// What orders the items.
    type Key: Ord + Copy + std::fmt::Debug;

    /// The item's key; must not change while the item is in a list.
    fn key(&self) -> Self::Key;
}

/// Items in the order of their keys, each key once.
#[derive(Clone, Debug)]
pub(super) struct Sorted<T: Keyed> {
    chunks: VecDeque<Chunk<T>>,
    len: usize,
}

/// Where an item lies in a list that does not change meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    chunk: usize,
    item: usize,
}

#[derive(Clone, Debug)]
struct Chunk<T: Keyed> {
    first: T::Key,
    /// A ring, so that what leaves from the front moves nothing.
    items: VecDeque<T>,
}

impl<T: Keyed> Default for Sorted<T> {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T: Keyed> Sorted<T> {
    /// Items in the list.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Index of the only chunk that may hold `key`: the last whose first key is not above it.
    #[inline]
    fn chunk_of(&self, key: T::Key) -> Option<usize> {
        let last = self.chunks.len().checked_sub(1)?;
        if self.chunks[last].first <= key {
            return Some(last);
        }
        if key < self.chunks[0].first {
            return None;
        }
        if key < self.chunks[1].first {
            return Some(0);
        }
        Some(self.chunks.partition_point(|chunk| chunk.first <= key) - 1)
    }

    /// The item with this key.
    pub fn get(&self, key: T::Key) -> Option<&T> {
        let items = &self.chunks[self.chunk_of(key)?].items;
        let index = items.binary_search_by_key(&key, Keyed::key).ok()?;
        Some(&items[index])
    }

    /// The item with this key, to change anything but the key.
    pub fn get_mut(&mut self, key: T::Key) -> Option<&mut T> {
        let chunk = self.chunk_of(key)?;
        let items = &mut self.chunks[chunk].items;
        let index = items.binary_search_by_key(&key, Keyed::key).ok()?;
        Some(&mut items[index])
    }

    /// Adds an item; `false`, and nothing changes, if its key is taken.
    pub fn insert(&mut self, item: T) -> bool {
        let key = item.key();
        let index = self.chunk_of(key).unwrap_or(0);
        let at_end = index + 1 == self.chunks.len();
        let Some(chunk) = self.chunks.get_mut(index) else {
            self.chunks.reserve_exact(1);
            let mut items = VecDeque::with_capacity(1);
            items.push_back(item);
            self.chunks.push_back(Chunk { first: key, items });
            self.len = 1;
            return true;
        };
        let at = if chunk.items.back().is_some_and(|last| last.key() < key) {
            chunk.items.len()
        } else {
            match chunk.items.binary_search_by_key(&key, Keyed::key) {
                Ok(_) => return false,
                Err(at) => at,
            }
        };
        self.len += 1;
        if chunk.items.len() < CHUNK_LEN_MAX {
            chunk.items.insert(at, item);
            chunk.first = chunk.items[0].key();
            return true;
        }
        if at == CHUNK_LEN_MAX && at_end {
            // Growth at the end leaves full chunks behind.
            let mut items = VecDeque::with_capacity(CHUNK_LEN_MAX);
            items.push_back(item);
            self.chunks.push_back(Chunk { first: key, items });
            return true;
        }
        let mut upper = VecDeque::with_capacity(CHUNK_LEN_MAX);
        upper.extend(chunk.items.drain(CHUNK_LEN_MAX / 2..));
        if at <= CHUNK_LEN_MAX / 2 {
            chunk.items.insert(at, item);
            chunk.first = chunk.items[0].key();
        } else {
            upper.insert(at - CHUNK_LEN_MAX / 2, item);
        }
        let chunk = Chunk {
            first: upper[0].key(),
            items: upper,
        };
        self.chunks.insert(index + 1, chunk);
        true
    }

    /// Takes the item with this key out.
    pub fn remove(&mut self, key: T::Key) -> Option<T> {
        let index = self.chunk_of(key)?;
        let chunk = &mut self.chunks[index];
        // The one that is asked for is the first, where entries leave in order.
        let item = if chunk.first == key {
            chunk.items.pop_front()?
        } else {
            let at = chunk.items.binary_search_by_key(&key, Keyed::key).ok()?;
            chunk.items.remove(at)?
        };
        self.len -= 1;
        match chunk.items.front() {
            None => {
                self.chunks.remove(index);
                self.shrink_deque();
            }
            Some(first) => {
                chunk.first = first.key();
                // The first chunk drains anyway when entries leave in order.
                if chunk.items.len() < CHUNK_LEN_LOW && index > 0 {
                    self.join(index);
                }
            }
        }
        Some(item)
    }

    /// Moves a small chunk's items to the chunk before it, or the next one's to it.
    fn join(&mut self, index: usize) {
        let fits = |left: &Chunk<T>, right: &Chunk<T>| {
            left.items.len() + right.items.len() <= CHUNK_LEN_MAX / 2
        };
        let right = if fits(&self.chunks[index - 1], &self.chunks[index]) {
            index
        } else if index + 1 < self.chunks.len()
            && fits(&self.chunks[index], &self.chunks[index + 1])
        {
            index + 1
        } else {
            return;
        };
        if let Some(mut chunk) = self.chunks.remove(right) {
            self.chunks[right - 1].items.append(&mut chunk.items);
        }
        self.shrink_deque();
    }

    fn shrink_deque(&mut self) {
        if self.chunks.capacity() > 4 * self.chunks.len() + 8 {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }

    /// Takes the items at the end out, some at once and in no order worth keeping; for freeing a
    /// long list piece by piece.
    pub fn take_some(&mut self) -> Option<VecDeque<T>> {
        let chunk = self.chunks.pop_back()?;
        self.len -= chunk.items.len();
        Some(chunk.items)
    }

    /// The least item.
    pub fn first(&self) -> Option<&T> {
        self.chunks.front()?.items.front()
    }

    /// The greatest item.
    pub fn last(&self) -> Option<&T> {
        self.chunks.back()?.items.back()
    }

    /// The greatest item, to change anything but the key.
    #[inline]
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.chunks.back_mut()?.items.back_mut()
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.chunks.iter().flat_map(|chunk| chunk.items.iter())
    }

    /// Items whose key is `from` or greater, in order.
    pub fn iter_from(&self, from: T::Key) -> impl Iterator<Item = &T> + '_ {
        let chunk = self.chunk_of(from).unwrap_or(0);
        let item = self.chunks.get(chunk).map_or(0, |chunk| {
            chunk.items.partition_point(|item| item.key() < from)
        });
        self.chunks
            .range(chunk.min(self.chunks.len())..)
            .flat_map(|chunk| chunk.items.iter())
            .skip(item)
    }

    /// Where the greatest item not above `key` lies.
    pub fn floor(&self, key: T::Key) -> Option<Place> {
        let chunk = self.chunk_of(key)?;
        let items = &self.chunks[chunk].items;
        let item = items.partition_point(|item| item.key() <= key) - 1;
        Some(Place { chunk, item })
    }

    /// Where the greatest item lies.
    #[inline]
    pub fn end(&self) -> Option<Place> {
        let chunk = self.chunks.len().checked_sub(1)?;
        let item = self.chunks[chunk].items.len() - 1;
        Some(Place { chunk, item })
    }

    /// Where the least item lies.
    #[inline]
    pub fn start(&self) -> Option<Place> {
        (self.len > 0).then_some(Place { chunk: 0, item: 0 })
    }

    /// The item at a place of this list, which must not have changed since.
    #[inline]
    pub fn at(&self, place: Place) -> &T {
        &self.chunks[place.chunk].items[place.item]
    }

    /// The item at a place, to change anything but the key.
    #[inline]
    pub fn at_mut(&mut self, place: Place) -> &mut T {
        &mut self.chunks[place.chunk].items[place.item]
    }

    /// The place after this one.
    #[inline]
    pub fn after(&self, place: Place) -> Option<Place> {
        let Place { chunk, item } = place;
        if item + 1 < self.chunks[chunk].items.len() {
            Some(Place {
                chunk,
                item: item + 1,
            })
        } else if chunk + 1 < self.chunks.len() {
            Some(Place {
                chunk: chunk + 1,
                item: 0,
            })
        } else {
            None
        }
    }

    /// The place before this one.
    #[inline]
    pub fn before(&self, place: Place) -> Option<Place> {
        let Place { chunk, item } = place;
        if let Some(item) = item.checked_sub(1) {
            return Some(Place { chunk, item });
        }
        let chunk = chunk.checked_sub(1)?;
        let item = self.chunks[chunk].items.len() - 1;
        Some(Place { chunk, item })
    }

    /// Bytes allocated. O(1).
    pub fn heap_bytes(&self) -> u64 {
        let slots = self.chunks.capacity() * size_of::<Chunk<T>>();
        let items = match self.chunks.len() {
            0 => 0,
            1 => self.chunks[0].items.capacity(),
            // All chunks but the first are made at full size.
            chunks => chunks * CHUNK_LEN_MAX,
        };
        (slots + items * size_of::<T>()) as u64
    }

    /// Checks that the list is in order and its counts are right.
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        let mut previous: Option<T::Key> = None;
        let mut len = 0;
        for chunk in &self.chunks {
            assert!(!chunk.items.is_empty() && chunk.items.len() <= CHUNK_LEN_MAX);
            assert!(chunk.first == chunk.items[0].key());
            for item in &chunk.items {
                assert!(previous < Some(item.key()), "keys rise");
                previous = Some(item.key());
                len += 1;
            }
        }
        assert_eq!(len, self.len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::stream::dice::Dice;
    use std::collections::BTreeSet;

    impl Keyed for u32 {
        type Key = u32;
        fn key(&self) -> u32 {
            *self
        }
    }

    #[test]
    fn behaves_as_a_set_in_order() {
        for seed in 0..20 {
            let mut dice = Dice::new(seed);
            let (mut list, mut model) = (Sorted::<u32>::default(), BTreeSet::new());
            let spread = 50 << (3 * dice.below(3));
            for step in 0..4000u32 {
                let key = if dice.chance(30) {
                    step
                } else {
                    dice.below_u32(spread)
                };
                // Grow for a while, then shrink for a while.
                if dice.chance(if step < 2000 { 70 } else { 30 }) {
                    assert_eq!(list.insert(key), model.insert(key));
                } else {
                    assert_eq!(list.remove(key), model.take(&key));
                }
                assert_eq!(list.get(key), model.get(&key));
                if step % 64 == 0 {
                    list.verify();
                    let from = dice.below_u32(spread);
                    assert!(list.iter_from(from).eq(model.range(from..)));
                    assert!(list.iter().eq(model.iter()));
                    assert_eq!(list.first(), model.first());
                    assert_eq!(list.last(), model.last());
                    let floor = list.floor(from);
                    assert_eq!(
                        floor.map(|place| list.at(place)),
                        model.range(..=from).next_back()
                    );
                    let after = floor.and_then(|place| list.after(place));
                    assert_eq!(after.and_then(|place| list.before(place)), after.and(floor));
                }
            }
        }
    }

    #[test]
    fn growth_at_the_end_fills_chunks_and_draining_frees_them() {
        let mut list = Sorted::<u32>::default();
        for key in 0..6400 {
            list.insert(key);
        }
        assert_eq!(list.chunks.len(), 100);
        for key in 0..6400 {
            assert_eq!(list.remove(key), Some(key));
        }
        assert!(list.chunks.capacity() <= 8 + 4 && list.len() == 0);
    }

    #[test]
    fn sparse_chunks_are_joined() {
        let mut list = Sorted::<u32>::default();
        for key in 0..6400 {
            list.insert(key);
        }
        for key in (0..6400).filter(|key| key % 64 != 0) {
            list.remove(key);
        }
        list.verify();
        assert!(list.chunks.len() <= 20, "{} chunks", list.chunks.len());
    }
}
