//! Walks over the entries of a tree, from a rank on.

use smallvec::SmallVec;

use super::inner::Inner;
use super::leaf::Leaf;
use super::{Entry, Node, Tree};

/// Nodes above a leaf, of a tree of some millions of entries.
type Path<'a> = SmallVec<[(&'a Inner, usize); 5]>;

/// Entries from a rank on, upward.
pub(in super::super) struct Forward<'a> {
    path: Path<'a>,
    leaf: Option<&'a Leaf>,
    at: usize,
}

/// Entries from a rank on, downward.
pub(in super::super) struct Backward<'a> {
    path: Path<'a>,
    leaf: Option<&'a Leaf>,
    /// The place after the next entry's.
    at: usize,
}

impl Tree {
    /// The entries from `rank` on, upward.
    #[inline]
    pub fn forward(&self, rank: usize) -> Forward<'_> {
        let mut path = Path::new();
        let (leaf, at) = self.descend(rank, &mut path);
        Forward { path, leaf, at }
    }

    /// The entry before `end` and all before it, downward.
    #[inline]
    pub fn backward(&self, end: usize) -> Backward<'_> {
        let mut path = Path::new();
        let Some(rank) = end.checked_sub(1) else {
            return Backward {
                path,
                leaf: None,
                at: 0,
            };
        };
        let (leaf, at) = self.descend(rank, &mut path);
        Backward {
            path,
            leaf,
            at: at + 1,
        }
    }

    fn descend<'a>(&'a self, rank: usize, path: &mut Path<'a>) -> (Option<&'a Leaf>, usize) {
        let (mut node, mut rank) = (self.root.as_ref(), rank);
        while let Some(Node::Inner(inner)) = node {
            let (at, left) = inner.child_at(rank);
            path.push((inner, at));
            (node, rank) = (Some(inner.child(at)), left);
        }
        match node {
            Some(Node::Leaf(leaf)) => (Some(leaf), rank),
            _ => (None, 0),
        }
    }
}

impl Iterator for Forward<'_> {
    type Item = Entry;

    #[inline]
    fn next(&mut self) -> Option<Entry> {
        loop {
            let leaf = self.leaf?;
            if self.at < leaf.len() {
                self.at += 1;
                return Some(leaf.entry(self.at - 1));
            }
            self.leaf = next_leaf(&mut self.path);
            self.at = 0;
        }
    }
}

impl Iterator for Backward<'_> {
    type Item = Entry;

    #[inline]
    fn next(&mut self) -> Option<Entry> {
        loop {
            let leaf = self.leaf?;
            if self.at > 0 {
                self.at -= 1;
                return Some(leaf.entry(self.at));
            }
            self.leaf = previous_leaf(&mut self.path);
            self.at = self.leaf.map_or(0, Leaf::len);
        }
    }
}

fn next_leaf<'a>(path: &mut Path<'a>) -> Option<&'a Leaf> {
    loop {
        let (inner, at) = path.last_mut()?;
        *at += 1;
        if *at < inner.len() {
            break;
        }
        path.pop();
    }
    enter(path, |_| 0)
}

fn previous_leaf<'a>(path: &mut Path<'a>) -> Option<&'a Leaf> {
    loop {
        let (_, at) = path.last_mut()?;
        if *at > 0 {
            *at -= 1;
            break;
        }
        path.pop();
    }
    enter(path, |inner| inner.len() - 1)
}

/// Goes down to a leaf from the child that the path ends in; `pick` says which child to take.
fn enter<'a>(path: &mut Path<'a>, pick: impl Fn(&Inner) -> usize) -> Option<&'a Leaf> {
    let &(inner, at) = path.last()?;
    let mut node = inner.child(at);
    loop {
        match node {
            Node::Leaf(leaf) => return Some(leaf),
            Node::Inner(inner) => {
                let at = pick(inner);
                path.push((inner, at));
                node = inner.child(at);
            }
        }
    }
}
