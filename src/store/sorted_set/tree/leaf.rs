//! The leaves of the tree: runs of entries in order.

use super::super::names::Id;
use super::{Entry, Probe};

/// Entries of a leaf: as many as fit a size class of the allocator (896 bytes).
pub(super) const LEAF_LEN_MAX: usize = 74;

/// A run of entries. Scores and numbers stand apart, so that a search touches few cache lines.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    len: u32,
    ids: [Id; LEAF_LEN_MAX],
    scores: [f64; LEAF_LEN_MAX],
}

const _: () = assert!(size_of::<Leaf>() <= 896);

impl Leaf {
    /// A leaf of one entry.
    pub fn of(entry: Entry) -> Box<Self> {
        let mut leaf = Self::empty();
        leaf.insert(0, entry);
        leaf
    }

    fn empty() -> Box<Self> {
        Box::new(Self {
            len: 0,
            ids: [0; LEAF_LEN_MAX],
            scores: [0.0; LEAF_LEN_MAX],
        })
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() == LEAF_LEN_MAX
    }

    #[inline]
    pub fn entry(&self, at: usize) -> Entry {
        Entry {
            score: self.scores[at],
            id: self.ids[at],
        }
    }

    /// How many entries, from the first on, the probe has before it.
    #[inline]
    pub fn partition(&self, probe: &impl Probe) -> usize {
        let len = self.len();
        probe.partition(&self.scores[..len], &self.ids[..len])
    }

    #[inline]
    pub fn insert(&mut self, at: usize, entry: Entry) {
        let len = self.len();
        self.scores.copy_within(at..len, at + 1);
        self.ids.copy_within(at..len, at + 1);
        self.scores[at] = entry.score;
        self.ids[at] = entry.id;
        self.len += 1;
    }

    #[inline]
    pub fn remove(&mut self, at: usize) -> Entry {
        let (entry, len) = (self.entry(at), self.len());
        self.scores.copy_within(at + 1..len, at);
        self.ids.copy_within(at + 1..len, at);
        self.len -= 1;
        entry
    }

    /// Takes the entries from `at` on away.
    pub fn split_off(&mut self, at: usize) -> Box<Self> {
        let mut right = Self::empty();
        let moved = self.len() - at;
        right.scores[..moved].copy_from_slice(&self.scores[at..self.len()]);
        right.ids[..moved].copy_from_slice(&self.ids[at..self.len()]);
        right.len = to_u32(moved);
        self.len = to_u32(at);
        right
    }

    /// Adds the entries of the leaf to the right, for which there is room.
    pub fn append(&mut self, right: &Self) {
        let (len, more) = (self.len(), right.len());
        self.scores[len..len + more].copy_from_slice(&right.scores[..more]);
        self.ids[len..len + more].copy_from_slice(&right.ids[..more]);
        self.len += right.len;
    }
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).expect("at most LEAF_LEN_MAX")
}
