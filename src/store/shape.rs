//! What decides how a collection is kept: the thresholds of the settings, and its seed.

use ahash::RandomState;

/// Most items that a [`Packed`](super::Packed) is used for, whatever the settings say: beyond, walking takes too long.
const ENTRIES_MAX: u64 = 1 << 20;

/// When a small collection becomes a table.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Most members (of a hash: fields) of a packed collection.
    pub entries_max: usize,
    /// Longest member, field or value of a packed collection, in bytes.
    pub item_bytes_max: usize,
    /// Most numbers of a sorted array, for sets.
    pub integers_max: usize,
    /// What the hashes of a new table depend on: nothing that a client knows.
    pub seed: u64,
}

impl Shape {
    /// The shape that settings ask for.
    pub fn new(entries_max: u64, item_bytes_max: u64, integers_max: u64, seed: u64) -> Self {
        let bounded =
            |entries: u64| usize::try_from(entries.min(ENTRIES_MAX)).unwrap_or(usize::MAX);
        Self {
            entries_max: bounded(entries_max),
            item_bytes_max: usize::try_from(item_bytes_max).unwrap_or(usize::MAX),
            integers_max: bounded(integers_max),
            seed,
        }
    }

    /// The hash function of a new table.
    pub(super) fn hasher(&self) -> RandomState {
        let seed = self.seed;
        RandomState::with_seeds(
            seed,
            !seed,
            seed.rotate_left(23),
            seed ^ 0xc011_ec71_0e5e_ed00,
        )
    }
}
