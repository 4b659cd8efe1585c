//! What a consumer group has delivered and not seen acknowledged.
//!
//! Two orders over the same entries: by id, which XACK, XPENDING and XAUTOCLAIM's cursor follow,
//! and by delivery time, so that what is due is found without looking at what is not. The third
//! order, ids per consumer, lies with the consumers (`consumer`).
//!
//! Entries that XNACK released have no owner and stand before all others, first released first.
//! Invariant: both orders hold the same entries. A pending entry takes 56 bytes here and 16 with
//! its consumer, plus about two for chunk slots. Every operation is O(log n).

use std::collections::BTreeMap;

use super::consumer::ConsumerIndex;
use super::id::StreamId;
use super::shed::shed_list;
use super::sorted::{Keyed, Sorted};

/// Deliveries of an entry that XNACK declared hopeless; no counter passes it.
pub const DELIVERIES_MAX: u64 = i64::MAX as u64;

/// Owner of an entry that has none.
const NOBODY: u32 = u32::MAX;
/// A count that does not fit its field stands in `huge_counts`.
const HUGE: u32 = u32::MAX;
/// What one of those takes, in a tree whose nodes are two thirds full.
const HUGE_COUNT_BYTES: usize = size_of::<(StreamId, u64)>() * 3 / 2;
/// Set in the rank of owned entries, so that released ones come first.
const OWNED: u64 = 1 << 63;

/// An entry delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The entry; it may have been deleted from the stream since.
    pub id: StreamId,
    /// Who has it; `None` once XNACK released it.
    pub owner: Option<ConsumerIndex>,
    /// When it was last delivered, in Unix milliseconds; 0 for a released one.
    pub delivered_ms: u64,
    /// How often it was delivered.
    pub deliveries: u64,
}

impl Pending {
    /// Milliseconds since the last delivery. A released entry has been idle for ever.
    #[inline]
    pub fn idle_ms(&self, now_ms: u64) -> u64 {
        match self.owner {
            Some(_) => now_ms.saturating_sub(self.delivered_ms),
            None => u64::MAX,
        }
    }
}

/// A pending entry as it is stored.
#[derive(Clone, Copy, Debug)]
struct Slot {
    id: StreamId,
    /// Delivery time; for a released entry the number of its release.
    stamp: u64,
    count: u32,
    owner: u32,
}

impl Slot {
    fn rank(&self) -> Rank {
        let stamp = match self.owner {
            NOBODY => self.stamp,
            _ => self.stamp | OWNED,
        };
        Rank(stamp, self.id)
    }
}

impl Keyed for Slot {
    type Key = StreamId;

    #[inline]
    fn key(&self) -> StreamId {
        self.id
    }
}

/// An entry's place in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u64, StreamId);

impl Keyed for Rank {
    type Key = Self;

    #[inline]
    fn key(&self) -> Self {
        *self
    }
}

/// The pending entries of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingList {
    by_id: Sorted<Slot>,
    by_time: Sorted<Rank>,
    /// Counts that need more than 32 bits: only XNACK FATAL and RETRYCOUNT make such.
    huge_counts: BTreeMap<StreamId, u64>,
    /// Releases so far, which ranks released entries among themselves.
    releases: u64,
    /// Entries without an owner.
    released: u64,
}

impl PendingList {
    #[inline]
    pub fn len(&self) -> u64 {
        self.by_id.len() as u64
    }

    /// Entries that XNACK released and nobody has claimed since.
    pub fn released(&self) -> u64 {
        self.released
    }

    fn view(&self, slot: &Slot) -> Pending {
        let owner = (slot.owner != NOBODY).then_some(ConsumerIndex(slot.owner));
        let deliveries = match slot.count {
            HUGE => self.huge_counts.get(&slot.id).copied(),
            _ => None,
        };
        Pending {
            id: slot.id,
            owner,
            delivered_ms: owner.map_or(0, |_| slot.stamp),
            deliveries: deliveries.unwrap_or_else(|| u64::from(slot.count)),
        }
    }

    pub fn get(&self, id: StreamId) -> Option<Pending> {
        self.by_id.get(id).map(|slot| self.view(slot))
    }

    pub fn contains(&self, id: StreamId) -> bool {
        self.by_id.get(id).is_some()
    }

    /// Writes the entry, which may be new, and returns what stood there. An entry without an
    /// owner goes to the end of the released ones, whatever time it is given.
    pub fn put(&mut self, entry: Pending) -> Option<Pending> {
        // What a group delivers first is past all that it delivered before.
        let is_past = self.by_id.last().is_none_or(|last| last.id < entry.id);
        let old = if is_past { None } else { self.get(entry.id) };
        if entry.owner.is_none() {
            self.releases += 1;
            self.released += 1;
        }
        self.released -= u64::from(old.is_some_and(|old| old.owner.is_none()));
        let count = u32::try_from(entry.deliveries).unwrap_or(HUGE);
        let slot = Slot {
            id: entry.id,
            stamp: match entry.owner {
                Some(_) => entry.delivered_ms & !OWNED,
                None => self.releases,
            },
            count,
            owner: entry.owner.map_or(NOBODY, |owner| owner.0),
        };
        if count == HUGE {
            self.huge_counts.insert(entry.id, entry.deliveries);
        } else if !self.huge_counts.is_empty() {
            self.huge_counts.remove(&entry.id);
        }
        if old.is_none() {
            self.by_id.insert(slot);
        } else if let Some(place) = self.by_id.get_mut(entry.id) {
            let old_rank = std::mem::replace(place, slot).rank();
            self.by_time.remove(old_rank);
        }
        self.by_time.insert(slot.rank());
        old
    }

    /// Takes the entry out.
    pub fn remove(&mut self, id: StreamId) -> Option<Pending> {
        let slot = self.by_id.remove(id)?;
        let entry = self.view(&slot);
        self.by_time.remove(slot.rank());
        if slot.count == HUGE {
            self.huge_counts.remove(&id);
        }
        if entry.owner.is_none() {
            self.released -= 1;
        }
        Some(entry)
    }

    /// Least and greatest pending id.
    pub fn bounds(&self) -> Option<(StreamId, StreamId)> {
        Some((self.by_id.first()?.id, self.by_id.last()?.id))
    }

    /// Entries from this id on, by id.
    pub fn iter_from(&self, from: StreamId) -> impl Iterator<Item = Pending> + '_ {
        self.by_id.iter_from(from).map(|slot| self.view(slot))
    }

    /// Ids of the entries idle for at least this long, longest first: all released ones, then
    /// owned ones by delivery time.
    pub fn due(&self, min_idle_ms: u64, now_ms: u64) -> impl Iterator<Item = StreamId> + '_ {
        self.by_time
            .iter()
            .take_while(move |Rank(stamp, _)| {
                stamp & OWNED == 0 || now_ms.saturating_sub(stamp & !OWNED) >= min_idle_ms
            })
            .map(|rank| rank.1)
    }

    /// Delivery time of the entry that has been idle longest; 0 when one is released.
    pub fn oldest_ms(&self) -> Option<u64> {
        let Rank(stamp, _) = self.by_time.first()?;
        Some(if stamp & OWNED == 0 {
            0
        } else {
            stamp & !OWNED
        })
    }

    pub fn heap_bytes(&self) -> u64 {
        let huge = self.huge_counts.len() * HUGE_COUNT_BYTES;
        self.by_id.heap_bytes() + self.by_time.heap_bytes() + huge as u64
    }

    /// Frees up to so many bytes; true while there are more.
    pub fn shed_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 && self.huge_counts.pop_first().is_some() {
            *left = left.saturating_sub(HUGE_COUNT_BYTES);
        }
        *left == 0 || shed_list(&mut self.by_id, left) || shed_list(&mut self.by_time, left)
    }

    /// Checks that both orders agree.
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        self.by_id.verify();
        self.by_time.verify();
        assert_eq!(self.by_id.len(), self.by_time.len());
        let mut released = 0;
        let mut huge = 0;
        for slot in self.by_id.iter() {
            assert!(self.by_time.get(slot.rank()).is_some());
            released += u64::from(slot.owner == NOBODY);
            huge += usize::from(slot.count == HUGE);
        }
        assert_eq!(released, self.released);
        assert_eq!(huge, self.huge_counts.len());
    }
}
