//! Directories: which part of a table holds a position, and how parts split and merge.
//!
//! A part is one small `hashbrown` table. A directory has a power of two of slots and reads that
//! many bits of a position; parts that have not split as far as the deepest one own a run of
//! slots, whose first slot holds the part and whose other slots say `Shared(log2 of the run)`.
//! A part that is full in a directory of `SLOTS_BITS_MAX` bits becomes a directory of its own, so
//! no directory ever grows past the size that can be copied without a noticeable pause.
//!
//! `bits` is always a position shifted left by all bits that were read higher up. `heap` is the
//! running account of the bytes allocated below the table; every path that allocates keeps it.

use hashbrown::HashTable;
use std::mem;

/// Buckets of a part that is split instead of growing further.
///
/// Smaller parts make shorter pauses and a larger directory; see `benches/table.rs`.
pub(super) const PART_BUCKETS_MAX: usize = 512;

/// Two sibling parts that together hold no more than this become one: three eighths of a full
/// part, so that a merged part is far from splitting again and a split one far from merging.
pub(super) const MERGED_LEN_MAX: usize = PART_BUCKETS_MAX / 16 * 7 * 3 / 8;

/// Bits read by one directory at most: 2048 slots of 32 bytes, enough for about 700 thousand
/// elements. Doubling up to there costs some 20 us, most of it page faults of the new slots; one
/// bit more costs 60.
pub(super) const SLOTS_BITS_MAX: u32 = 11;

/// Position bits that may choose a part. The bucket index inside a part uses the low bits of the
/// hash, which are the low bits of the position but seven, so the two never meet.
pub(super) const DEPTH_MAX: u32 = 40;

/// A part with no more buckets than this is never shrunk: a collection that oscillates around
/// empty must not allocate on each turn.
const SHRINK_BUCKETS_MIN: usize = 16;

/// A part with fewer buckets than this may grow because of tombstones: it costs next to nothing.
const REBUILD_BUCKETS_MIN: usize = 64;

/// One slot of a directory. As large as a part alone: 32 bytes.
#[derive(Debug, Clone)]
pub(super) enum Slot<T> {
    /// A part, at the first slot of its run.
    Part(HashTable<T>),
    /// Anything else; nested so that both enums fit in the part's niche.
    Link(Link<T>),
}

/// A slot without a part.
#[derive(Debug, Clone)]
pub(super) enum Link<T> {
    /// A later slot of a run of `1 << span` slots; the run starts at the index rounded down.
    Shared(u8),
    /// The part here had to split when the directory was at its largest.
    Below(Directory<T>),
}

/// At least two slots, a power of two of them.
#[derive(Debug, Clone)]
pub(super) struct Directory<T>(Box<[Slot<T>]>);

const _: () = assert!(size_of::<Slot<u64>>() == size_of::<HashTable<u64>>());

/// Whether a part wastes enough room to be merged or shrunk.
#[inline]
pub(super) fn is_thin<T>(part: &HashTable<T>) -> bool {
    let buckets = part.num_buckets();
    buckets > SHRINK_BUCKETS_MIN && part.len() < buckets / 8
}

/// Whether the next insertion would make the part allocate or rehash.
#[inline]
pub(super) fn is_full<T>(part: &HashTable<T>) -> bool {
    part.len() == part.capacity()
}

/// Gives a thin part memory for twice what it holds.
pub(super) fn shrink<T>(part: &mut HashTable<T>, heap: &mut usize, rehash: &impl Fn(&T) -> u64) {
    if is_thin(part) {
        *heap -= part.allocation_size();
        part.shrink_to(part.len() * 2, rehash);
        *heap += part.allocation_size();
    }
}

/// Makes room in a full part. Returns two parts if it had to be split; `part` is then empty.
///
/// Room that only tombstones occupy is won back by rebuilding at the same size: left alone,
/// hashbrown would double a part that is more than half full, and steady insertion and removal
/// would leave every part twice as large as needed.
pub(super) fn make_room<T>(
    part: &mut HashTable<T>,
    depth: u32,
    heap: &mut usize,
    rehash: &impl Fn(&T) -> u64,
) -> Option<[HashTable<T>; 2]> {
    *heap -= part.allocation_size();
    let buckets = part.num_buckets();
    let capacity = buckets / 8 * 7;
    let mut halves = None;
    let is_mostly_tombstones = part.len() <= capacity / 2;
    if !is_mostly_tombstones && part.len() <= capacity / 4 * 3 && buckets >= REBUILD_BUCKETS_MIN {
        let old = mem::replace(part, HashTable::with_capacity(capacity));
        pour(old, part, rehash);
    } else if is_mostly_tombstones || buckets < PART_BUCKETS_MAX {
        part.reserve(1, rehash);
    } else {
        halves = split(part, depth, rehash);
    }
    *heap += part.allocation_size();
    for half in halves.iter().flatten() {
        *heap += half.allocation_size();
    }
    halves
}

/// Splits by position bit `depth`. If that bit does not spread the elements, as with equal hashes,
/// the part grows instead, and the next try comes when it has doubled.
fn split<T>(
    part: &mut HashTable<T>,
    depth: u32,
    rehash: &impl Fn(&T) -> u64,
) -> Option<[HashTable<T>; 2]> {
    if depth >= DEPTH_MAX {
        part.reserve(1, rehash);
        return None;
    }
    let old = mem::take(part);
    let old_len = old.len();
    // A third above the expected half: a half that must grow at once would be moved twice.
    let half_capacity = old_len / 2 * 4 / 3;
    let mut low = HashTable::with_capacity(half_capacity);
    let mut high = HashTable::with_capacity(half_capacity);
    for value in old {
        let hash = rehash(&value);
        let is_high = (super::position_of(hash) << depth) >> 63 != 0;
        let half = if is_high { &mut high } else { &mut low };
        half.insert_unique(hash, value, rehash);
    }
    if low.len().min(high.len()) >= old_len / 8 {
        return Some([low, high]);
    }
    *part = join(low, high, old_len, rehash);
    None
}

/// Moves all elements of one part into another.
fn pour<T>(from: HashTable<T>, into: &mut HashTable<T>, rehash: &impl Fn(&T) -> u64) {
    for value in from {
        into.insert_unique(rehash(&value), value, rehash);
    }
}

/// One part out of two, with room for `spare` more.
fn join<T>(
    one: HashTable<T>,
    other: HashTable<T>,
    spare: usize,
    rehash: &impl Fn(&T) -> u64,
) -> HashTable<T> {
    let one_is_larger = one.capacity() >= other.capacity();
    let (mut into, from) = if one_is_larger {
        (one, other)
    } else {
        (other, one)
    };
    into.reserve(from.len() + spare, rehash);
    pour(from, &mut into, rehash);
    into
}

impl<T> Slot<T> {
    fn shared(span: u32) -> Self {
        // A span is at most `SLOTS_BITS_MAX`.
        Self::Link(Link::Shared(u8::try_from(span).unwrap_or(u8::MAX)))
    }
}

impl<T> Directory<T> {
    /// A directory of two slots.
    pub(super) fn of_two([low, high]: [HashTable<T>; 2], heap: &mut usize) -> Self {
        let directory = Self(Box::new([Slot::Part(low), Slot::Part(high)]));
        *heap += directory.own_bytes();
        directory
    }

    fn own_bytes(&self) -> usize {
        size_of_val::<[Slot<T>]>(&self.0)
    }

    /// The slots, in order of position.
    pub(super) fn slots(&self) -> &[Slot<T>] {
        &self.0
    }

    /// The slots, in order of position; their links must stay.
    pub(super) fn slots_mut(&mut self) -> &mut [Slot<T>] {
        &mut self.0
    }

    /// The slots, in order of position.
    pub(super) fn into_slots(self) -> Vec<Slot<T>> {
        self.0.into_vec()
    }

    #[inline]
    fn depth(&self) -> u32 {
        self.0.len().trailing_zeros()
    }

    /// First slot of the run that covers `bits`.
    #[inline]
    fn owner(&self, bits: u64) -> usize {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "at most SLOTS_BITS_MAX bits are left"
        )]
        let index = (bits >> (64 - self.depth())) as usize;
        match self.0[index] {
            Slot::Link(Link::Shared(span)) => index >> span << span,
            _ => index,
        }
    }

    /// Log2 of the number of slots in the run that `index` belongs to.
    fn span(&self, index: usize) -> u32 {
        match (&self.0[index], self.0.get(index | 1)) {
            // Any run of more than its owner has a shared slot right behind, at an odd index.
            (Slot::Link(Link::Shared(span)), _) | (_, Some(Slot::Link(Link::Shared(span)))) => {
                u32::from(*span)
            }
            _ => 0,
        }
    }

    /// The part that covers `bits`.
    #[inline]
    pub(super) fn part(&self, mut bits: u64) -> &HashTable<T> {
        let mut directory = self;
        loop {
            match &directory.0[directory.owner(bits)] {
                Slot::Part(part) => return part,
                Slot::Link(Link::Below(below)) => directory = below,
                Slot::Link(Link::Shared(_)) => unreachable!("a run starts with its owner"),
            }
            bits <<= SLOTS_BITS_MAX;
        }
    }

    /// The part that covers `bits`.
    #[inline]
    pub(super) fn part_mut(&mut self, mut bits: u64) -> &mut HashTable<T> {
        let mut directory = self;
        loop {
            let owner = directory.owner(bits);
            match &mut directory.0[owner] {
                Slot::Part(part) => return part,
                Slot::Link(Link::Below(below)) => directory = below,
                Slot::Link(Link::Shared(_)) => unreachable!("a run starts with its owner"),
            }
            bits <<= SLOTS_BITS_MAX;
        }
    }

    /// How many of the leading `bits` choose the part that covers them.
    pub(super) fn part_depth(&self, mut bits: u64) -> u32 {
        let mut directory = self;
        let mut depth = 0;
        loop {
            let owner = directory.owner(bits);
            depth += directory.depth() - directory.span(owner);
            let Slot::Link(Link::Below(below)) = &directory.0[owner] else {
                return depth;
            };
            directory = below;
            bits <<= SLOTS_BITS_MAX;
        }
    }

    /// Makes room in the part that covers `bits`; `depth` position bits were read before them.
    pub(super) fn make_room(
        &mut self,
        bits: u64,
        depth: u32,
        heap: &mut usize,
        rehash: &impl Fn(&T) -> u64,
    ) {
        let mut owner = self.owner(bits);
        let mut span = self.span(owner);
        let part_depth = depth + self.depth() - span;
        let halves = match &mut self.0[owner] {
            Slot::Part(part) => make_room(part, part_depth, heap, rehash),
            Slot::Link(Link::Below(below)) => {
                return below.make_room(bits << SLOTS_BITS_MAX, part_depth, heap, rehash);
            }
            Slot::Link(Link::Shared(_)) => unreachable!("a run starts with its owner"),
        };
        let Some(halves) = halves else { return };
        if span == 0 && self.depth() == SLOTS_BITS_MAX {
            self.0[owner] = Slot::Link(Link::Below(Self::of_two(halves, heap)));
            return;
        }
        if span == 0 {
            *heap += self.own_bytes();
            self.double();
            owner *= 2;
            span = 1;
        }
        let half_slots = 1 << (span - 1);
        for (half, start) in halves.into_iter().zip([owner, owner + half_slots]) {
            self.set_run(start, span - 1, half);
        }
    }

    /// Gives the run of `1 << span` slots at `start` to a part.
    fn set_run(&mut self, start: usize, span: u32, part: HashTable<T>) {
        for slot in &mut self.0[start + 1..start + (1 << span)] {
            *slot = Slot::shared(span);
        }
        self.0[start] = Slot::Part(part);
    }

    fn double(&mut self) {
        let mut doubled = Vec::with_capacity(self.0.len() * 2);
        for index in 0..self.0.len() {
            let span = self.span(index) + 1;
            let first = match mem::replace(&mut self.0[index], Slot::shared(span)) {
                Slot::Link(Link::Shared(_)) => Slot::shared(span),
                owner => owner,
            };
            doubled.push(first);
            doubled.push(Slot::shared(span));
        }
        self.0 = doubled.into_boxed_slice();
    }

    /// Reads one bit less. Every run must have two slots or more.
    fn halve(&mut self) {
        let mut halved = Vec::with_capacity(self.0.len() / 2);
        for slot in mem::take(&mut self.0).into_iter().step_by(2) {
            halved.push(match slot {
                Slot::Link(Link::Shared(span)) => Slot::Link(Link::Shared(span - 1)),
                owner => owner,
            });
        }
        // The first odd slot of a run of two becomes the next run's owner above, and the slots of
        // a longer run keep their order; only the spans had to change.
        self.0 = halved.into_boxed_slice();
    }

    /// Merges the part that covers `bits` with its siblings as long as both are small, shrinks
    /// what is left, and gives up slots nobody needs.
    ///
    /// Returns the part if it is the only one left; the directory is then of no more use.
    pub(super) fn merge(
        &mut self,
        bits: u64,
        heap: &mut usize,
        rehash: &impl Fn(&T) -> u64,
    ) -> Option<HashTable<T>> {
        let mut owner = self.owner(bits);
        if let Slot::Link(Link::Below(below)) = &mut self.0[owner] {
            let part = below.merge(bits << SLOTS_BITS_MAX, heap, rehash)?;
            self.0[owner] = Slot::Part(part);
        }
        while let Some(sibling) = self.small_sibling(owner) {
            let span = self.span(owner);
            let (one, other) = (self.take_part(owner), self.take_part(sibling));
            *heap -= one.allocation_size() + other.allocation_size();
            let part = join(one, other, 0, rehash);
            *heap += part.allocation_size();
            owner = owner.min(sibling);
            self.set_run(owner, span + 1, part);
            if span == 0 {
                owner = self.give_up_slots(owner, heap);
            }
            if self.0.len() == 1 {
                *heap -= self.own_bytes();
                return Some(self.take_part(0));
            }
        }
        if let Slot::Part(part) = &mut self.0[owner] {
            shrink(part, heap, rehash);
        }
        None
    }

    /// Halves the directory while it reads a bit that no two parts differ in; returns where the
    /// run that began at `owner` begins now.
    fn give_up_slots(&mut self, mut owner: usize, heap: &mut usize) -> usize {
        let is_shared = |slot: &Slot<T>| matches!(slot, Slot::Link(Link::Shared(_)));
        while self.0.len() > 1 && self.0.iter().skip(1).step_by(2).all(is_shared) {
            *heap -= self.own_bytes();
            self.halve();
            *heap += self.own_bytes();
            owner /= 2;
        }
        owner
    }

    /// Start of the sibling run, if it is one part and small enough to merge with.
    fn small_sibling(&self, owner: usize) -> Option<usize> {
        let span = self.span(owner);
        let sibling = owner ^ (1 << span);
        match (&self.0[owner], self.0.get(sibling)?) {
            (Slot::Part(one), Slot::Part(other)) => (self.span(sibling) == span
                && one.len() + other.len() <= MERGED_LEN_MAX)
                .then_some(sibling),
            _ => None,
        }
    }

    fn take_part(&mut self, index: usize) -> HashTable<T> {
        match &mut self.0[index] {
            Slot::Part(part) => mem::take(part),
            Slot::Link(_) => unreachable!("only an owner's part is taken"),
        }
    }
}
