//! The consumers of a group: names, when they were seen, and which pending entries they have.
//!
//! Pending entries name their owner by index, so that they stay small. Invariants: names are in
//! order and unique, an index stands for the same consumer until it is removed, and a removed
//! consumer owns nothing. Lookup by name O(log n), creation and removal O(n) over four-byte
//! indices, removal of many at once too.

use super::id::StreamId;
use super::shed::shed_list;
use super::sorted::{Keyed, Sorted};

/// Stands for a consumer within its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerIndex(pub(super) u32);

impl Keyed for StreamId {
    type Key = Self;

    #[inline]
    fn key(&self) -> Self {
        *self
    }
}

/// One consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something, in Unix milliseconds.
    pub seen_ms: u64,
    /// When it last got something; `None` if never.
    pub active_ms: Option<u64>,
    /// Ids it has not acknowledged.
    pub(super) ids: Sorted<StreamId>,
}

impl Consumer {
    /// The name it goes by.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Entries it has not acknowledged.
    pub fn pending(&self) -> u64 {
        self.ids.len() as u64
    }
}

/// All consumers of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumers {
    slots: Vec<Option<Consumer>>,
    /// Indices of present consumers, in the order of their names.
    by_name: Vec<u32>,
    /// Indices free for the next consumer.
    free: Vec<u32>,
}

impl Consumers {
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&index| {
            let slot = self.slots[index as usize].as_ref();
            slot.map_or(&[][..], |consumer| &consumer.name).cmp(name)
        })
    }

    pub fn find(&self, name: &[u8]) -> Option<ConsumerIndex> {
        let place = self.search(name).ok()?;
        Some(ConsumerIndex(self.by_name[place]))
    }

    /// The consumer of this name, made if need be; whether it was made.
    pub fn find_or_create(&mut self, name: &[u8], now_ms: u64) -> (ConsumerIndex, bool) {
        let place = match self.search(name) {
            Ok(place) => return (ConsumerIndex(self.by_name[place]), false),
            Err(place) => place,
        };
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            ids: Sorted::default(),
        };
        let index = self.free.pop().unwrap_or_else(|| {
            // One consumer is what most groups have.
            self.slots.reserve_exact(usize::from(self.slots.is_empty()));
            self.slots.push(None);
            // A group of four thousand million consumers does not fit in memory.
            u32::try_from(self.slots.len() - 1).unwrap_or(0)
        });
        self.slots[index as usize] = Some(consumer);
        self.by_name.insert(place, index);
        (ConsumerIndex(index), true)
    }

    /// Takes the consumer out. The caller sees to its pending entries.
    pub fn remove(&mut self, index: ConsumerIndex) -> Option<Consumer> {
        let consumer = self.slots[index.0 as usize].take()?;
        self.by_name.retain(|&present| present != index.0);
        if self.by_name.is_empty() {
            *self = Self::default();
        } else {
            self.free.push(index.0);
        }
        Some(consumer)
    }

    /// Removes consumers that own nothing and for which `goes` says so, in one pass; returns how
    /// many.
    pub fn remove_where(&mut self, mut goes: impl FnMut(&Consumer) -> bool) -> u64 {
        let (slots, free) = (&mut self.slots, &mut self.free);
        let before = self.by_name.len();
        self.by_name.retain(|&index| {
            let slot = &mut slots[index as usize];
            let leaves = |consumer: &Consumer| consumer.pending() == 0 && goes(consumer);
            let gone = slot.as_ref().is_some_and(leaves);
            if gone {
                *slot = None;
                free.push(index);
            }
            !gone
        });
        let removed = before - self.by_name.len();
        if self.by_name.is_empty() {
            *self = Self::default();
        }
        removed as u64
    }

    /// The consumer behind an index, which must be present.
    #[inline]
    pub fn get(&self, index: ConsumerIndex) -> &Consumer {
        self.slots[index.0 as usize]
            .as_ref()
            .expect("an index outlives its consumer nowhere")
    }

    /// As [`Consumers::get`], to change it.
    #[inline]
    pub fn get_mut(&mut self, index: ConsumerIndex) -> &mut Consumer {
        self.slots[index.0 as usize]
            .as_mut()
            .expect("an index outlives its consumer nowhere")
    }

    /// All consumers in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ConsumerIndex, &Consumer)> + '_ {
        self.by_name
            .iter()
            .map(|&index| (ConsumerIndex(index), self.get(ConsumerIndex(index))))
    }

    pub fn heap_bytes(&self) -> u64 {
        let own = self.slots.capacity() * size_of::<Option<Consumer>>()
            + (self.by_name.capacity() + self.free.capacity()) * size_of::<u32>();
        let theirs: u64 = self
            .iter()
            .map(|(_, consumer)| consumer.name.len() as u64 + consumer.ids.heap_bytes())
            .sum();
        own as u64 + theirs
    }

    /// Frees up to so many bytes of pending ids; true while there are more.
    pub fn shed_some(&mut self, left: &mut usize) -> bool {
        self.slots
            .iter_mut()
            .flatten()
            .any(|consumer| shed_list(&mut consumer.ids, left))
    }

    /// Checks that names are in order and indices consistent.
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        let names: Vec<&[u8]> = self.iter().map(|(_, consumer)| consumer.name()).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        let present = self.slots.iter().flatten().count();
        assert_eq!(present, self.by_name.len());
        assert_eq!(self.slots.len() - present, self.free.len());
        for (_, consumer) in self.iter() {
            consumer.ids.verify();
        }
    }
}
