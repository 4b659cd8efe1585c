//! Names of values, and sets of shards.

use std::ops::Deref;

use smallvec::SmallVec;

use crate::ends::is_same;

/// A key as a command names it, hashed once.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The logical database.
    pub db: u8,
    /// The hash of `name` under the keyspace's seed; picks the shard and the place in its table.
    pub hash: u64,
    /// The key's bytes.
    pub name: &'a [u8],
}

impl Key<'_> {
    /// Whether its name is `name`. Short names are compared in two words, without a call.
    #[inline]
    pub fn is_named(&self, name: &[u8]) -> bool {
        is_same(self.name, name)
    }
}

/// The bytes of a key, owned. Short ones, as most are, own nothing on the heap.
#[derive(PartialEq, Eq, Debug, Default)]
pub struct Name(SmallVec<[u8; NAME_BYTES_INLINE]>);

/// Longest name that lies in place: one byte more and a [`Name`] takes a word more.
const NAME_BYTES_INLINE: usize = 23;

impl Deref for Name {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Name {
    #[inline]
    fn from(name: &[u8]) -> Self {
        Self(SmallVec::from_slice(name))
    }
}

impl Clone for Name {
    /// At once, where the vector's own copies byte by byte.
    #[inline]
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

/// A set of shards, for instance those that a command must hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ShardSet(u64);

impl ShardSet {
    /// No shard.
    pub const EMPTY: Self = Self(0);
    /// Every shard.
    pub const ALL: Self = Self(u64::MAX);

    /// The set of one shard.
    #[inline]
    pub fn one(shard: u32) -> Self {
        Self(1 << shard)
    }

    /// Adds a shard.
    #[inline]
    pub fn insert(&mut self, shard: u32) {
        self.0 |= 1 << shard;
    }

    /// Both sets together.
    #[inline]
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every shard of `other` is in this set.
    #[inline]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The shards that are in both sets.
    #[inline]
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has any shard in common with `other`.
    #[inline]
    pub fn meets(self, other: Self) -> bool {
        !self.common(other).is_empty()
    }

    /// Those of its shards that come before `shard`.
    #[inline]
    #[must_use]
    pub fn below(self, shard: u32) -> Self {
        Self(self.0 & ((1 << shard) - 1))
    }

    /// How many shards.
    #[inline]
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether it holds no shard.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The shards in ascending order, which is the order of locking.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let shard = left.trailing_zeros();
            left &= left - 1;
            Some(shard)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ShardSet;

    #[test]
    fn iterates_in_locking_order() {
        let mut set = ShardSet::one(63);
        set.insert(0);
        set.insert(7);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 7, 63]);
        assert!(set.contains(ShardSet::one(7)));
        assert!(!set.contains(ShardSet::one(8)));
        assert!(set.meets(ShardSet::ALL) && !set.meets(ShardSet::one(8)));
        assert_eq!(ShardSet::ALL.len(), 64);
    }
}
