//! The inner nodes of the tree: children with the number of entries and the first entry of each.

use super::{Entry, Node, Probe};

/// Children of an inner node. A million entries are two levels of inner nodes deep.
pub(super) const CHILDREN_MAX: usize = 64;

/// An inner node, with at least one child.
///
/// The first entries tell the way. That of the first child is never asked for, and therefore never
/// kept right: what lies before a node's second child belongs to its first.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    scores: [f64; CHILDREN_MAX],
    ids: [u32; CHILDREN_MAX],
    counts: [u32; CHILDREN_MAX],
    children: Vec<Node>,
}

impl Inner {
    /// A node with two children.
    pub fn of(left: Node, first_of_right: Entry, right: Node) -> Box<Self> {
        let mut inner = Self::empty();
        inner.insert(0, first_of_right, left);
        inner.insert(1, first_of_right, right);
        inner
    }

    fn empty() -> Box<Self> {
        Box::new(Self {
            scores: [0.0; CHILDREN_MAX],
            ids: [0; CHILDREN_MAX],
            counts: [0; CHILDREN_MAX],
            children: Vec::with_capacity(CHILDREN_MAX),
        })
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.children.len()
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() == CHILDREN_MAX
    }

    /// Entries below.
    pub fn entries_len(&self) -> usize {
        self.counts[..self.len()]
            .iter()
            .map(|&count| count as usize)
            .sum()
    }

    /// Entries below the children before `at`.
    #[inline]
    pub fn entries_before(&self, at: usize) -> usize {
        self.counts[..at].iter().map(|&count| count as usize).sum()
    }

    #[inline]
    pub fn child(&self, at: usize) -> &Node {
        &self.children[at]
    }

    #[inline]
    pub fn child_mut(&mut self, at: usize) -> &mut Node {
        &mut self.children[at]
    }

    /// The first entry of a child other than the first.
    #[inline]
    pub fn first(&self, at: usize) -> Entry {
        Entry {
            score: self.scores[at],
            id: self.ids[at],
        }
    }

    #[inline]
    pub fn set_first(&mut self, at: usize, entry: Entry) {
        self.scores[at] = entry.score;
        self.ids[at] = entry.id;
    }

    #[inline]
    pub fn count_more(&mut self, at: usize) {
        self.counts[at] += 1;
    }

    /// Notes that an entry went; returns how many are left below the child.
    #[inline]
    pub fn count_less(&mut self, at: usize) -> u32 {
        self.counts[at] -= 1;
        self.counts[at]
    }

    /// The last child that begins with an entry which the probe has before it, else the first.
    #[inline]
    pub fn child_for(&self, probe: &impl Probe) -> usize {
        let len = self.len();
        probe.partition(&self.scores[1..len], &self.ids[1..len])
    }

    /// The child of the entry at `rank`, with the rank below it; the last one past the end.
    #[inline]
    pub fn child_at(&self, rank: usize) -> (usize, usize) {
        let (mut left, last) = (rank, self.len() - 1);
        for (at, &count) in self.counts[..last].iter().enumerate() {
            let count = count as usize;
            if left < count {
                return (at, left);
            }
            left -= count;
        }
        (last, left)
    }

    /// Adds a child.
    pub fn insert(&mut self, at: usize, first: Entry, child: Node) {
        let len = self.len();
        self.scores.copy_within(at..len, at + 1);
        self.ids.copy_within(at..len, at + 1);
        self.counts.copy_within(at..len, at + 1);
        self.counts[at] = to_u32(child.entries_len());
        self.set_first(at, first);
        self.children.insert(at, child);
    }

    /// Puts in what a child has split off: behind it, and out of its count.
    pub fn insert_split(&mut self, at: usize, first: Entry, right: Node) {
        self.insert(at + 1, first, right);
        self.counts[at] -= self.counts[at + 1];
    }

    /// Removes a child.
    pub fn remove(&mut self, at: usize) -> Node {
        let len = self.len();
        self.scores.copy_within(at + 1..len, at);
        self.ids.copy_within(at + 1..len, at);
        self.counts.copy_within(at + 1..len, at);
        self.children.remove(at)
    }

    /// Takes the children from `at` on away, with the first entry below them.
    pub fn split_off(&mut self, at: usize) -> (Entry, Box<Self>) {
        let (first, len) = (self.first(at), self.len());
        let mut right = Self::empty();
        right.scores[..len - at].copy_from_slice(&self.scores[at..len]);
        right.ids[..len - at].copy_from_slice(&self.ids[at..len]);
        right.counts[..len - at].copy_from_slice(&self.counts[at..len]);
        right.children.extend(self.children.drain(at..));
        (first, right)
    }

    /// Makes one of a child and the next one, if both together leave some room.
    pub fn merge_with_next(&mut self, at: usize) {
        if at + 1 >= self.len() || !self.children[at].has_room_for(&self.children[at + 1]) {
            return;
        }
        let (first, count) = (self.first(at + 1), self.counts[at + 1]);
        let right = self.remove(at + 1);
        self.children[at].append(first, right);
        self.counts[at] += count;
    }

    /// Adds the children of the node to the right, whose first entry is `first`.
    pub fn append(&mut self, first: Entry, mut right: Self) {
        let (len, more) = (self.len(), right.len());
        right.set_first(0, first);
        self.scores[len..len + more].copy_from_slice(&right.scores[..more]);
        self.ids[len..len + more].copy_from_slice(&right.ids[..more]);
        self.counts[len..len + more].copy_from_slice(&right.counts[..more]);
        self.children.append(&mut right.children);
    }

    /// Takes the last child away.
    pub fn pop(&mut self) -> Option<Node> {
        self.children.pop()
    }

    /// Frees what lies below the last child that is not a leaf, or all leaves; returns how many
    /// bytes that were, 0 if nothing is left below.
    pub fn shed_last(&mut self) -> usize {
        match self.children.last_mut() {
            None => 0,
            Some(Node::Leaf(_)) => {
                let bytes = self.children.len() * size_of::<super::Leaf>();
                self.children.clear();
                bytes
            }
            Some(Node::Inner(below)) => match below.shed_last() {
                0 => {
                    self.children.pop();
                    size_of::<Self>()
                }
                bytes => bytes,
            },
        }
    }

    /// Bytes allocated for it and below.
    pub fn heap_bytes(&self) -> usize {
        let below: usize = match self.children.first() {
            Some(Node::Leaf(_)) => self.len() * size_of::<super::Leaf>(),
            _ => self.children.iter().map(Node::heap_bytes).sum(),
        };
        size_of::<Self>() + CHILDREN_MAX * size_of::<Node>() + below
    }
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).expect("numbers of members are as wide")
}
