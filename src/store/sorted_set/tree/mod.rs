//! Entries in order, with their ranks: a counted B+ tree.
//!
//! An entry is a score and a member's number; the order is by score, then by the member's bytes,
//! which whoever asks brings along in a probe. Inner nodes know how many entries lie below
//! each child, so a rank is found, and an entry by its rank, on one way down.
//!
//! Wide nodes instead of the skip list of Redis: a search touches three nodes of a million entries
//! instead of about twenty, an entry costs 12 bytes and the slack of its leaf instead of 45, and
//! neighbours lie together.
//!
//! Invariants: every node but the root of an empty tree has an entry; leaves are equally deep;
//! counts are right; the first entry that an inner node keeps of each child but its first is that
//! child's. So an inner node never refers to a member that has gone.
//!
//! All operations are O(log n), but walking, which is O(1) a step.

mod inner;
mod leaf;
mod walk;

use super::names::Id;
use inner::{CHILDREN_MAX, Inner};
use leaf::{LEAF_LEN_MAX, Leaf};

/// An entry: its score and its member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub score: f64,
    pub id: Id,
}

/// What a search looks for: it divides entries in order into those before it and the others.
///
/// Scores come as a slice, so that the search among them is without branches to mispredict.
pub(super) trait Probe {
    fn partition(&self, scores: &[f64], ids: &[Id]) -> usize;
}

/// A place among entries by score, and where scores are equal by a predicate.
pub(super) struct ByScore<F> {
    pub score: f64,
    /// Whether a member of that very score comes before the place.
    pub tie: F,
}

/// Entries of one score that are counted one by one before the end of their run is searched for.
const RUN_LEN_COUNTED: usize = 4;

impl<F> ByScore<F> {
    /// How many of the scores, from the first on, are the one looked for: mostly very few.
    #[inline]
    fn run(&self, scores: &[f64]) -> usize {
        let is_same = |&&score: &&f64| score == self.score;
        let counted = scores.iter().take(RUN_LEN_COUNTED);
        let run = counted.take_while(is_same).count();
        if run < RUN_LEN_COUNTED {
            return run;
        }
        scores.partition_point(|&score| score == self.score)
    }
}

impl<F: Fn(Id) -> bool> Probe for ByScore<F> {
    #[inline]
    fn partition(&self, scores: &[f64], ids: &[Id]) -> usize {
        let low = scores.partition_point(|&score| score < self.score);
        if scores.get(low).is_none_or(|&score| score != self.score) {
            return low;
        }
        let run = self.run(&scores[low..]);
        low + ids[low..low + run].partition_point(|&id| (self.tie)(id))
    }
}

/// A place by nothing but the score.
pub(super) struct ByScoreOnly<F>(pub F);

impl<F: Fn(f64) -> bool> Probe for ByScoreOnly<F> {
    #[inline]
    fn partition(&self, scores: &[f64], _: &[Id]) -> usize {
        scores.partition_point(|&score| (self.0)(score))
    }
}

/// A place by nothing but the member.
pub(super) struct ByMember<F>(pub F);

impl<F: Fn(Id) -> bool> Probe for ByMember<F> {
    #[inline]
    fn partition(&self, _: &[f64], ids: &[Id]) -> usize {
        ids.partition_point(|&id| (self.0)(id))
    }
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

/// Entries in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: Option<Node>,
    len: usize,
}

/// What an insertion below a node made of it, besides the node itself.
struct Split {
    first: Entry,
    right: Node,
}

/// What a removal below a node took.
struct Removed {
    entry: Entry,
    /// The first entry below the node now, if it was the first that went and another is left.
    first: Option<Entry>,
}

/// How a removal finds its way.
trait Way {
    fn child(&mut self, inner: &Inner) -> usize;
    fn place(&mut self, leaf: &Leaf) -> usize;
}

/// To the last entry that the probe has before it.
struct ByOrder<P>(P);

impl<P: Probe> Way for ByOrder<P> {
    #[inline]
    fn child(&mut self, inner: &Inner) -> usize {
        inner.child_for(&self.0)
    }

    #[inline]
    fn place(&mut self, leaf: &Leaf) -> usize {
        leaf.partition(&self.0) - 1
    }
}

/// To the entry at a rank.
struct ByRank(usize);

impl Way for ByRank {
    #[inline]
    fn child(&mut self, inner: &Inner) -> usize {
        let (at, left) = inner.child_at(self.0);
        self.0 = left;
        at
    }

    #[inline]
    fn place(&mut self, _: &Leaf) -> usize {
        self.0
    }
}

impl Tree {
    /// Entries held.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry behind all those that the probe has before it.
    pub fn insert(&mut self, entry: Entry, probe: &impl Probe) {
        self.len += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Node::Leaf(Leaf::of(entry)));
            return;
        };
        if let Some(Split { first, right }) = root.insert(entry, probe)
            && let Some(left) = self.root.take()
        {
            self.root = Some(Node::Inner(Inner::of(left, first, right)));
        }
    }

    /// Removes the last entry that the probe has before it; there must be one.
    pub fn remove(&mut self, probe: impl Probe) -> Option<Entry> {
        self.remove_by(&mut ByOrder(probe))
    }

    /// Removes the entry at a rank that there is.
    #[inline]
    pub fn remove_at(&mut self, rank: usize) -> Option<Entry> {
        self.remove_by(&mut ByRank(rank))
    }

    fn remove_by(&mut self, way: &mut impl Way) -> Option<Entry> {
        let entry = self.root.as_mut()?.remove(way).entry;
        self.len -= 1;
        match &mut self.root {
            Some(Node::Leaf(leaf)) if leaf.len() == 0 => self.root = None,
            Some(Node::Inner(inner)) if inner.len() == 1 => self.root = inner.pop(),
            _ => {}
        }
        Some(entry)
    }

    /// How many entries the probe has before it: the rank of the first that it has not.
    pub fn rank(&self, probe: &impl Probe) -> usize {
        let Some(mut node) = self.root.as_ref() else {
            return 0;
        };
        let mut rank = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.partition(probe),
                Node::Inner(inner) => {
                    let at = inner.child_for(probe);
                    rank += inner.entries_before(at);
                    node = inner.child(at);
                }
            }
        }
    }

    /// Looks at the leaf of a score as a search does, for its memory to come. What it returns says
    /// nothing.
    pub fn ask(&self, score: f64) -> usize {
        let probe = ByScoreOnly(|other| other < score);
        let Some(mut node) = self.root.as_ref() else {
            return 0;
        };
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.partition(&probe) ^ leaf.entry(0).id as usize,
                Node::Inner(inner) => node = inner.child(inner.child_for(&probe)),
            }
        }
    }

    /// Frees about `bytes`; true while there is more. The tree is of no other use afterwards.
    pub fn shed(&mut self, bytes: usize) -> bool {
        let mut freed = 0;
        while freed < bytes {
            match &mut self.root {
                None => return false,
                Some(Node::Leaf(_)) => self.root = None,
                Some(Node::Inner(inner)) => match inner.shed_last() {
                    0 => self.root = None,
                    bytes => freed += bytes,
                },
            }
        }
        true
    }

    /// Bytes allocated. O(n / 4000).
    pub fn heap_bytes(&self) -> usize {
        self.root.as_ref().map_or(0, Node::heap_bytes)
    }
}

impl Node {
    fn entries_len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.entries_len(),
        }
    }

    fn insert(&mut self, entry: Entry, probe: &impl Probe) -> Option<Split> {
        match self {
            Self::Leaf(leaf) => insert_into_leaf(leaf, entry, probe),
            Self::Inner(inner) => {
                let at = inner.child_for(probe);
                inner.count_more(at);
                let Split { first, right } = inner.child_mut(at).insert(entry, probe)?;
                insert_child(inner, at, first, right)
            }
        }
    }

    fn remove(&mut self, way: &mut impl Way) -> Removed {
        let inner = match self {
            Self::Leaf(leaf) => {
                let at = way.place(leaf);
                let entry = leaf.remove(at);
                let first = (at == 0 && leaf.len() > 0).then(|| leaf.entry(0));
                return Removed { entry, first };
            }
            Self::Inner(inner) => inner,
        };
        let at = way.child(inner);
        let Removed { entry, mut first } = inner.child_mut(at).remove(way);
        let left = inner.count_less(at);
        if left == 0 {
            inner.remove(at);
            if at == 0 && inner.len() > 0 {
                first = Some(inner.first(0));
            }
        } else if let Some(entry) = first
            && at > 0
        {
            inner.set_first(at, entry);
        }
        if left > 0 && inner.child(at).is_sparse() {
            inner.merge_with_next(at);
            if at > 0 {
                inner.merge_with_next(at - 1);
            }
        }
        Removed {
            entry,
            first: first.filter(|_| at == 0),
        }
    }

    /// Whether it has so little in it that it should share its place with a neighbour.
    #[inline]
    fn is_sparse(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.len() < LEAF_LEN_MAX / 4,
            Self::Inner(inner) => inner.len() < CHILDREN_MAX / 4,
        }
    }

    /// Whether what is in its right neighbour fits too, with some room left.
    fn has_room_for(&self, right: &Self) -> bool {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => {
                left.len() + right.len() <= LEAF_LEN_MAX * 3 / 4
            }
            (Self::Inner(left), Self::Inner(right)) => {
                left.len() + right.len() <= CHILDREN_MAX * 3 / 4
            }
            _ => unreachable!("neighbours are equally deep"),
        }
    }

    /// Takes in what is in its right neighbour, whose first entry is `first`.
    fn append(&mut self, first: Entry, right: Self) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => left.append(&right),
            (Self::Inner(left), Self::Inner(right)) => left.append(first, *right),
            _ => unreachable!("neighbours are equally deep"),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Leaf(_) => size_of::<Leaf>(),
            Self::Inner(inner) => inner.heap_bytes(),
        }
    }
}

/// Entries that come in order fill their leaves: only what comes in between halves one.
fn insert_into_leaf(leaf: &mut Leaf, entry: Entry, probe: &impl Probe) -> Option<Split> {
    let at = leaf.partition(probe);
    if !leaf.is_full() {
        leaf.insert(at, entry);
        return None;
    }
    if at == LEAF_LEN_MAX {
        let right = Node::Leaf(Leaf::of(entry));
        return Some(Split {
            first: entry,
            right,
        });
    }
    let middle = LEAF_LEN_MAX / 2;
    let mut right = leaf.split_off(middle);
    if at <= middle {
        leaf.insert(at, entry);
    } else {
        right.insert(at - middle, entry);
    }
    Some(Split {
        first: right.entry(0),
        right: Node::Leaf(right),
    })
}

/// Puts what a child split off behind it, and splits the node if it is full.
fn insert_child(inner: &mut Inner, at: usize, first: Entry, right: Node) -> Option<Split> {
    if !inner.is_full() {
        inner.insert_split(at, first, right);
        return None;
    }
    let is_last = at == CHILDREN_MAX - 1;
    let middle = if is_last { at } else { CHILDREN_MAX / 2 };
    let (first_beyond, mut beyond) = inner.split_off(middle);
    if at < middle {
        inner.insert_split(at, first, right);
    } else {
        beyond.insert_split(at - middle, first, right);
    }
    Some(Split {
        first: first_beyond,
        right: Node::Inner(beyond),
    })
}

#[cfg(any(test, feature = "verify"))]
impl Tree {
    /// Checks the shape: counts, first entries, depth.
    pub fn verify(&self) {
        let Some(root) = &self.root else {
            assert_eq!(self.len, 0);
            return;
        };
        assert_eq!(root.verify(true).1, self.len);
    }
}

#[cfg(any(test, feature = "verify"))]
impl Node {
    /// Returns the depth, the number of entries and the first entry.
    fn verify(&self, is_root: bool) -> (usize, usize, Entry) {
        let inner = match self {
            Self::Leaf(leaf) => {
                assert!(leaf.len() > 0);
                return (0, leaf.len(), leaf.entry(0));
            }
            Self::Inner(inner) => inner,
        };
        assert!(
            inner.len() > usize::from(is_root),
            "a root of one child is its child"
        );
        let (depth, count, first) = inner.child(0).verify(false);
        assert_eq!(inner.entries_before(1), count);
        let mut total = count;
        for at in 1..inner.len() {
            let (other_depth, count, first) = inner.child(at).verify(false);
            total += count;
            assert_eq!(other_depth, depth);
            assert_eq!(inner.entries_before(at + 1), total);
            assert_eq!(inner.first(at), first);
        }
        (depth + 1, total, first)
    }
}
