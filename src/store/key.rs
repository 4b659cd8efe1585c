//! Names of values, and sets of shards.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use ahash::RandomState;

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

/// Hashes names, so that clients cannot aim at one place. Clones agree.
#[derive(Clone, Debug)]
pub struct Hasher(RandomState);

impl Hasher {
    /// A hasher that depends on `seed`.
    pub fn new(seed: u64) -> Self {
        let state = RandomState::with_seeds(seed, !seed, seed.rotate_left(17), seed ^ 0x5eed);
        Self(state)
    }

    /// The hash of a name: a few nanoseconds, if it is short.
    #[inline]
    pub fn hash(&self, name: &[u8]) -> u64 {
        self.0.hash_one(name)
    }
}

/// The bytes of a key, owned, in three words. Short ones, as most are, lie in place.
#[derive(Clone)]
pub struct Name(Form);

#[derive(Clone)]
enum Form {
    Short {
        len: u8,
        bytes: [u8; NAME_BYTES_INLINE],
    },
    Long(Box<[u8]>),
}

/// Longest name that lies in place: one byte more and a [`Name`] takes a word more.
const NAME_BYTES_INLINE: usize = 22;

const _: () = assert!(size_of::<Name>() == 24, "an entry is one cache line");

impl Name {
    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Short { .. } => 0,
            Form::Long(bytes) => bytes.len(),
        }
    }
}

impl Deref for Name {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Form::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Name {
    #[inline]
    fn from(name: &[u8]) -> Self {
        let mut bytes = [0; NAME_BYTES_INLINE];
        match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(name);
                Self(Form::Short { len, bytes })
            }
            _ => Self(Form::Long(name.into())),
        }
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::from(&[][..])
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        is_same(self, other)
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
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
    pub fn shared_with(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has any shard in common with `other`.
    #[inline]
    pub fn meets(self, other: Self) -> bool {
        !self.shared_with(other).is_empty()
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
    use super::{NAME_BYTES_INLINE, Name, ShardSet};

    #[test]
    fn names_of_all_lengths_come_back() {
        assert!(Name::default().is_empty());
        for len in 0..=2 * NAME_BYTES_INLINE {
            let bytes = vec![b'n'; len];
            let name = Name::from(&bytes[..]);
            assert_eq!(*name, *bytes);
            assert_eq!(name.clone(), name);
            let heap_bytes = if len > NAME_BYTES_INLINE { len } else { 0 };
            assert_eq!(name.heap_bytes(), heap_bytes);
        }
    }

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
