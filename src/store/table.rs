//! `Table`: the hash table behind the keyspace's shards and behind large collections.
//!
//! Extendible hashing over small `hashbrown` tables ("parts"): growth splits one part of a few
//! hundred elements and never touches the others, so no insertion pauses for the size of the
//! table. Elements are placed by *position*, the hash turned left by seven bits: hashbrown tags
//! its buckets with the top seven bits of a hash and finds them by the low ones, and the bits in
//! between, which it does not look at, choose the part.
//!
//! A position depends on nothing but the hash. Walking in order of position is therefore a walk
//! that splits, merges and resizes cannot disturb: the cursor of `scan` *is* the next position, so
//! an element that stays in the table during the whole walk is seen, exactly once.
//!
//! The keyspace gives the leading `skip_bits` of the position to the choice of a shard, and one
//! table per shard reads the bits after them; a cursor is valid across all shards, in order.
//!
//! Cost: a lookup is one hashbrown probe, plus one slot read when there is more than one part
//! and another per 2048 parts. An empty table owns no memory.

mod directory;
mod iter;
#[cfg(test)]
mod tests;

pub use iter::{IntoIter, Iter, IterMut};

use directory::Directory;
use hashbrown::{HashTable, hash_table};
use std::mem;

/// Bits of a position that a scan cursor carries, so that clients that keep cursors in a double
/// or a signed number can. A billion elements collide in them about 1700 times, harmlessly.
pub const CURSOR_BITS: u32 = 48;

/// Bits that `skip_bits` may take, which leaves enough for the parts.
pub const SKIP_BITS_MAX: u32 = 16;

/// Random tries before `random` settles for an element that is merely at hand.
const RANDOM_TRIES_MAX: u32 = 64;

/// Where a hash stands in the order of a scan.
#[inline]
pub const fn position_of(hash: u64) -> u64 {
    hash.rotate_left(7)
}

/// The scan cursor that starts at a position.
#[inline]
pub const fn cursor_from_position(position: u64) -> u64 {
    position >> (64 - CURSOR_BITS)
}

/// The first position a cursor covers. Bits beyond `CURSOR_BITS` are ignored.
#[inline]
pub const fn position_from_cursor(cursor: u64) -> u64 {
    cursor << (64 - CURSOR_BITS)
}

/// The shard that a position belongs to, when its first `skip_bits` choose one.
///
/// `shard_of_position(position_of(hash), bits)` for an element,
/// `shard_of_position(position_from_cursor(cursor), bits)` for a cursor.
#[inline]
#[allow(
    clippy::cast_possible_truncation,
    reason = "at most SKIP_BITS_MAX bits are left"
)]
pub const fn shard_of_position(position: u64, skip_bits: u32) -> usize {
    match position.checked_shr(64 - skip_bits) {
        Some(shard) => shard as usize,
        None => 0,
    }
}

/// The cursor at which the scan of a shard begins. It is 0 for shard 0.
#[inline]
pub const fn first_cursor_of_shard(shard: usize, skip_bits: u32) -> u64 {
    match (shard as u64).checked_shl(CURSOR_BITS - skip_bits) {
        Some(cursor) => cursor & ((1 << CURSOR_BITS) - 1),
        None => 0,
    }
}

/// A hash table whose growth never pauses and whose scans survive it. 40 bytes when empty.
///
/// It keeps elements, not keys: the caller hashes, compares, and hands in `rehash`, which must
/// give every element the same hash for as long as it is in the table. The table itself looks at
/// seven bits of a hash: who asks by hash alone compares all of it in `eq`.
#[derive(Debug, Clone)]
pub struct Table<T> {
    root: Root<T>,
    account: Account,
}

/// Where an element is; worthless once the table gains or loses one.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    bits: u64,
    bucket: usize,
}

#[derive(Debug, Clone)]
enum Root<T> {
    /// The whole table, until it has to split for the first time.
    Part(HashTable<T>),
    /// `len` elements in two parts or more.
    Directory { slots: Directory<T>, len: usize },
}

/// Heap bytes in the upper 56 bits, `skip_bits` in the lower 8: a word less per collection.
#[derive(Debug, Clone, Copy)]
struct Account(u64);

const _: () = assert!(size_of::<Table<u64>>() == 40);

impl Account {
    const fn skip_bits(self) -> u32 {
        (self.0 & 0xff) as u32
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "it was made from a usize that fits"
    )]
    const fn heap_bytes(self) -> usize {
        (self.0 >> 8) as usize
    }

    fn set_heap_bytes(&mut self, bytes: usize) {
        self.0 = (bytes as u64) << 8 | self.0 & 0xff;
    }
}

impl<T> Default for Table<T> {
    /// A table that reads positions from their first bit.
    fn default() -> Self {
        Self::new(0)
    }
}

impl<T> Table<T> {
    /// An empty table without memory. All its elements share the first `skip_bits` of their
    /// positions.
    ///
    /// # Panics
    /// If `skip_bits` is above `SKIP_BITS_MAX`.
    pub const fn new(skip_bits: u32) -> Self {
        assert!(skip_bits <= SKIP_BITS_MAX);
        Self {
            root: Root::Part(HashTable::new()),
            account: Account(skip_bits as u64),
        }
    }

    /// Number of elements. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.root {
            Root::Part(part) => part.len(),
            Root::Directory { len, .. } => *len,
        }
    }

    /// Whether there is no element. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes asked of the allocator for the table itself, without what elements own. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.account.heap_bytes()
    }

    /// The position bits this table reads, first one on top.
    #[inline]
    fn bits_of(&self, hash: u64) -> u64 {
        position_of(hash) << self.account.skip_bits()
    }

    /// The part that covers `bits`.
    #[inline]
    fn part(&self, bits: u64) -> &HashTable<T> {
        match &self.root {
            Root::Part(part) => part,
            Root::Directory { slots, .. } => slots.part(bits),
        }
    }

    /// The part that covers `bits`, and the count to keep if the part does not count for all.
    #[inline]
    fn part_mut(&mut self, bits: u64) -> (&mut HashTable<T>, Option<&mut usize>) {
        match &mut self.root {
            Root::Part(part) => (part, None),
            Root::Directory { slots, len } => (slots.part_mut(bits), Some(len)),
        }
    }

    /// How many of the leading `bits` choose the part that covers them.
    fn part_depth(&self, bits: u64) -> u32 {
        match &self.root {
            Root::Part(_) => 0,
            Root::Directory { slots, .. } => slots.part_depth(bits),
        }
    }

    /// The element with this hash for which `eq` holds.
    #[inline]
    pub fn find(&self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<&T> {
        self.part(self.bits_of(hash)).find(hash, eq)
    }

    /// The element with this hash for which `eq` holds. What decides its hash must not change.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let bits = self.bits_of(hash);
        self.part_mut(bits).0.find_mut(hash, eq)
    }

    /// Where the element with this hash is for which `eq` holds: for a look before a change that
    /// the look decides on, at one probe for both.
    #[inline]
    pub fn locate(&self, hash: u64, eq: impl FnMut(&T) -> bool) -> Option<Place> {
        let bits = self.bits_of(hash);
        let bucket = self.part(bits).find_bucket_index(hash, eq)?;
        Some(Place { bits, bucket })
    }

    /// The element at a place that [`Table::locate`] gave since the last change.
    #[inline]
    pub fn at(&self, place: Place) -> Option<&T> {
        self.part(place.bits).get_bucket(place.bucket)
    }

    /// The same for changing it. What decides its hash must not change.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is all of ten instructions")]
    pub fn at_mut(&mut self, place: Place) -> Option<&mut T> {
        self.part_mut(place.bits).0.get_bucket_mut(place.bucket)
    }

    /// Adds an element the caller knows to be absent. May split one part: 10 us, or 25
    /// if `rehash` has to fetch every key from elsewhere.
    #[inline]
    pub fn insert_unique(&mut self, hash: u64, value: T, rehash: impl Fn(&T) -> u64) -> &mut T {
        let bits = self.bits_of(hash);
        self.reserve_one(bits, &rehash);
        let (part, len) = self.part_mut(bits);
        if let Some(len) = len {
            *len += 1;
        }
        part.insert_unique(hash, value, rehash).into_mut()
    }

    /// The element with this hash for which `eq` holds, or the one `make` makes, with whether it
    /// was made. One probe; may split one part even if the element is there.
    #[inline]
    pub fn find_or_insert_with(
        &mut self,
        hash: u64,
        eq: impl FnMut(&T) -> bool,
        make: impl FnOnce() -> T,
        rehash: impl Fn(&T) -> u64,
    ) -> (&mut T, bool) {
        let bits = self.bits_of(hash);
        self.reserve_one(bits, &rehash);
        let (part, len) = self.part_mut(bits);
        match part.entry(hash, eq, rehash) {
            hash_table::Entry::Occupied(entry) => (entry.into_mut(), false),
            hash_table::Entry::Vacant(entry) => {
                if let Some(len) = len {
                    *len += 1;
                }
                (entry.insert(make()).into_mut(), true)
            }
        }
    }

    /// Takes out the element with this hash for which `eq` holds.
    ///
    /// Needs `rehash` because it may merge two small parts or shrink one: a few us at worst.
    #[inline]
    pub fn remove(
        &mut self,
        hash: u64,
        eq: impl FnMut(&T) -> bool,
        rehash: impl Fn(&T) -> u64,
    ) -> Option<T> {
        let bits = self.bits_of(hash);
        let (part, len) = self.part_mut(bits);
        let (value, _) = part.find_entry(hash, eq).ok()?.remove();
        let is_thin = directory::is_thin(part);
        if let Some(len) = len {
            *len -= 1;
        }
        if is_thin {
            self.tighten(bits, &rehash);
        }
        Some(value)
    }

    /// Empties the table and returns what it held, to be dropped elsewhere or in slices. O(1).
    pub fn clear(&mut self) -> IntoIter<T> {
        let empty = Self::new(self.account.skip_bits());
        mem::replace(self, empty).into_iter()
    }

    /// Keeps the elements for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool, rehash: impl Fn(&T) -> u64) {
        let mut cursor = 0;
        loop {
            cursor = self.retain_part(cursor, &mut keep, &rehash);
            if cursor == 0 {
                return;
            }
        }
    }

    /// `retain` for the few hundred elements of one part; returns the cursor of the next, or 0
    /// after the last.
    ///
    /// The cursor belongs to this table alone and begins with 0. The table may change between
    /// calls; an element that stays is asked about at least once, and again if parts merge.
    pub fn retain_part(
        &mut self,
        cursor: u64,
        keep: impl FnMut(&mut T) -> bool,
        rehash: impl Fn(&T) -> u64,
    ) -> u64 {
        let bits = position_from_cursor(cursor);
        let next = end_of_part(bits, self.part_depth(bits));
        let (part, len) = self.part_mut(bits);
        let len_before = part.len();
        part.retain(keep);
        let removed = len_before - part.len();
        let is_thin = directory::is_thin(part);
        if let Some(len) = len {
            *len -= removed;
        }
        if is_thin {
            self.tighten(bits, &rehash);
        }
        cursor_from_position(next.unwrap_or(0))
    }

    /// The few hundred elements of one part, in no order, and the cursor of the next part, or 0
    /// after the last. Cursors are as those of `retain_part`.
    pub fn part_at(&mut self, cursor: u64) -> (hash_table::IterMut<'_, T>, u64) {
        let bits = position_from_cursor(cursor);
        let next = end_of_part(bits, self.part_depth(bits));
        let elements = self.part_mut(bits).0.iter_mut();
        (elements, cursor_from_position(next.unwrap_or(0)))
    }

    /// Visits `count` elements, or all that remain, in order of position, and returns where to go
    /// on, or 0 if there is nothing left.
    ///
    /// The cursor is a position (see `cursor_from_position`) in this table's shard; 0 starts at
    /// the first element whatever the shard. Elements whose positions agree in all `CURSOR_BITS`
    /// are visited together, so a few more than `count` may come. An element that is in the table
    /// from the first call to the last is visited exactly once.
    ///
    /// Costs one `rehash` for each element of the parts touched: some microseconds a part.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        rehash: impl Fn(&T) -> u64,
        mut visit: impl FnMut(&T),
    ) -> u64 {
        let skip_bits = self.account.skip_bits();
        // Without the bits that all elements share, so that they may be missing in the cursor.
        let mut from = position_from_cursor(cursor) << skip_bits;
        let mut left = count.max(1);
        let mut batch: Vec<(u64, &T)> = Vec::new();
        loop {
            let with_cursor = |value| (cursor_from_position(position_of(rehash(value))), value);
            let is_ahead =
                |&(cursor, _): &(u64, &T)| position_from_cursor(cursor) << skip_bits >= from;
            batch.clear();
            batch.extend(self.part(from).iter().map(with_cursor).filter(is_ahead));
            let next = end_of_part(from, self.part_depth(from));
            if batch.len() < left {
                batch.sort_unstable_by_key(|&(cursor, _)| cursor);
                for (_, value) in &batch {
                    visit(value);
                }
                left -= batch.len();
                match next {
                    Some(next) => from = next,
                    None => return 0,
                }
                continue;
            }
            let last = batch
                .select_nth_unstable_by_key(left - 1, |&(cursor, _)| cursor)
                .1
                .0;
            let ahead = batch.len();
            batch.retain(|&(cursor, _)| cursor <= last);
            batch.sort_unstable_by_key(|&(cursor, _)| cursor);
            for (_, value) in &batch {
                visit(value);
            }
            let is_end = batch.len() == ahead && next.is_none();
            return if is_end { 0 } else { last + 1 };
        }
    }

    /// An element picked by the random number `r`; `None` if the table is empty.
    ///
    /// Uniform as long as no part is more than twice as full as the average of its size, which
    /// with random hashes does not happen; O(1) expected. A table that hashes have filled very
    /// unevenly gives an arbitrary element after a bounded number of tries.
    pub fn random(&self, r: u64) -> Option<&T> {
        if self.is_empty() {
            return None;
        }
        let mut stream = r;
        let mut draw = || {
            stream = stream.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (stream ^ (stream >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
            let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
            mixed ^ (mixed >> 32)
        };
        let len = self.len() as u128;
        for _ in 0..RANDOM_TRIES_MAX {
            // A part comes up in proportion to the positions it covers; taking it in proportion
            // to its density makes that the number of its elements.
            let bits = draw();
            let part = self.part(bits);
            let density = (part.len() as u128) << self.part_depth(bits);
            if (u128::from(draw()) * 2 * len) >> 64 < density {
                return random_of_part(part, draw);
            }
        }
        let mut from = draw();
        loop {
            let part = self.part(from);
            if !part.is_empty() {
                return random_of_part(part, draw);
            }
            from = end_of_part(from, self.part_depth(from)).unwrap_or(0);
        }
    }

    /// Makes sure that an insertion at `bits` neither allocates nor rehashes.
    #[inline]
    fn reserve_one(&mut self, bits: u64, rehash: &impl Fn(&T) -> u64) {
        while directory::is_full(self.part(bits)) {
            self.make_room(bits, rehash);
        }
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, bits: u64, rehash: &impl Fn(&T) -> u64) {
        let mut heap = self.account.heap_bytes();
        let skip_bits = self.account.skip_bits();
        match &mut self.root {
            Root::Part(part) => {
                let len = part.len();
                if let Some(halves) = directory::make_room(part, skip_bits, &mut heap, rehash) {
                    let slots = Directory::of_two(halves, &mut heap);
                    self.root = Root::Directory { slots, len };
                }
            }
            Root::Directory { slots, .. } => slots.make_room(bits, skip_bits, &mut heap, rehash),
        }
        self.account.set_heap_bytes(heap);
    }

    /// Gives back the memory that removals left behind around `bits`.
    #[cold]
    #[inline(never)]
    fn tighten(&mut self, bits: u64, rehash: &impl Fn(&T) -> u64) {
        let mut heap = self.account.heap_bytes();
        match &mut self.root {
            Root::Part(part) => directory::shrink(part, &mut heap, rehash),
            Root::Directory { slots, .. } => {
                if let Some(part) = slots.merge(bits, &mut heap, rehash) {
                    self.root = Root::Part(part);
                }
            }
        }
        self.account.set_heap_bytes(heap);
    }
}

/// First position after the part of `depth` bits that covers `bits`, unless it is the last part.
fn end_of_part(bits: u64, depth: u32) -> Option<u64> {
    let size = 1_u64.checked_shl(64 - depth)?;
    (bits & !(size - 1)).checked_add(size)
}

/// A uniformly random element of a part, found by trying buckets.
fn random_of_part<T>(part: &HashTable<T>, mut draw: impl FnMut() -> u64) -> Option<&T> {
    let buckets = part.num_buckets() as u64;
    for _ in 0..RANDOM_TRIES_MAX * 4 {
        let bucket = usize::try_from(draw() % buckets).unwrap_or(0);
        if let Some(value) = part.get_bucket(bucket) {
            return Some(value);
        }
    }
    part.iter().next()
}
