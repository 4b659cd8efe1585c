//! The form of a sorted set that is not small: members in a slab, found by a table of their
//! hashes and, in order, by a tree.

use std::hint::black_box;
use std::sync::OnceLock;

use ahash::RandomState;
use smallvec::SmallVec;

use crate::ends::is_same;
use crate::store::cold::{AHEAD_LEN, Cold, Names as Wanted, end_of, likely};
use crate::store::reclaim::{self, HEAVY_BYTES_MIN, SLICE_BYTES, Shed};
use crate::store::table::{IntoIter, Table};

use super::names::{Id, Names};
use super::tree::{ByMember, ByScore, ByScoreOnly, Entry, Tree};

/// Any number of members. Look-ups O(1), all else O(log n).
#[derive(Clone, Debug, Default)]
pub(super) struct Large {
    names: Names,
    table: Table<Id>,
    tree: Tree,
}

/// The hash of a member: alike in all sets of a process, different in every process.
#[inline]
fn hash(member: &[u8]) -> u64 {
    static STATE: OnceLock<RandomState> = OnceLock::new();
    STATE.get_or_init(RandomState::new).hash_one(member)
}

/// The place of a score and a member.
#[inline]
fn place<'a>(names: &'a Names, score: f64, member: &'a [u8]) -> ByScore<impl Fn(Id) -> bool + 'a> {
    ByScore {
        score,
        tie: move |id| names.get(id) < member,
    }
}

impl Large {
    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    #[inline]
    fn find(&self, hash: u64, member: &[u8]) -> Option<Id> {
        let names = &self.names;
        self.table
            .find(hash, |&id| is_same(names.get(id), member))
            .copied()
    }

    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        let id = self.find(hash(member), member)?;
        Some(self.names.score(id))
    }

    /// Gives a member the score that `decide` makes of its present one, if it makes any.
    pub fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) {
        let hash = hash(member);
        let Some(id) = self.find(hash, member) else {
            if let Some(score) = decide(None) {
                self.add(hash, member, score);
            }
            return;
        };
        let old = self.names.score(id);
        if let Some(score) = decide(Some(old))
            && score.to_bits() != old.to_bits()
        {
            self.remove_from_tree(old, id);
            self.insert_into_tree(score, id, member);
            self.names.set_score(id, score);
        }
    }

    fn add(&mut self, hash: u64, member: &[u8], score: f64) {
        let id = self.names.add(member, score);
        let names = &self.names;
        self.table
            .insert_unique(hash, id, |&id| self::hash(names.get(id)));
        self.insert_into_tree(score, id, member);
    }

    #[inline]
    fn insert_into_tree(&mut self, score: f64, id: Id, member: &[u8]) {
        let place = place(&self.names, score, member);
        self.tree.insert(Entry { score, id }, &place);
    }

    #[inline]
    fn remove_from_tree(&mut self, score: f64, id: Id) {
        let names = &self.names;
        let removed = self.tree.remove(ByScore {
            score,
            tie: |other| other == id || names.get(other) < names.get(id),
        });
        debug_assert_eq!(removed.map(|entry| entry.id), Some(id));
    }

    /// Takes a member that has left the tree out of the table and the slab.
    #[inline]
    fn forget(&mut self, id: Id) {
        let names = &self.names;
        let hash = hash(names.get(id));
        self.table
            .remove(hash, |&other| other == id, |&id| self::hash(names.get(id)));
        self.names.remove(id);
    }

    /// Removes a member; returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let id = self.find(hash(member), member)?;
        let score = self.names.score(id);
        self.remove_from_tree(score, id);
        self.forget(id);
        Some(score)
    }

    /// Removes the member at a rank that there is, and shows it first.
    #[inline]
    pub fn remove_at<R>(&mut self, rank: usize, show: impl FnOnce(&[u8], f64) -> R) -> Option<R> {
        if self.is_cold() && self.len().is_multiple_of(AHEAD_LEN) {
            self.ask_ahead(rank);
        }
        let entry = self.tree.remove_at(rank)?;
        let shown = show(self.names.get(entry.id), entry.score);
        self.forget(entry.id);
        Some(shown)
    }

    /// Asks for the memory of the member at a rank and of those after it, or before it near the
    /// end: who removes one mostly goes on. One after the other each would be waited for twice,
    /// for its name and then for its place in the table; together they come together.
    fn ask_ahead(&self, rank: usize) {
        let mut next: SmallVec<[Id; AHEAD_LEN]> = SmallVec::new();
        if rank + AHEAD_LEN <= self.len() {
            next.extend(
                self.tree
                    .forward(rank)
                    .take(AHEAD_LEN)
                    .map(|entry| entry.id),
            );
        } else {
            let before = self.tree.backward(rank + 1).take(AHEAD_LEN);
            next.extend(before.map(|entry| entry.id));
        }
        let names = next.iter().map(|&id| self.names.get(id));
        black_box(names.clone().fold(0, |a, name| a ^ end_of(name)));
        let places = likely(&self.table, names.map(hash));
        black_box(places.iter().fold(0, |a, &&id| a ^ id));
    }

    /// The rank and the score of a member.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        let rank = self.tree.rank(&place(&self.names, score, member));
        Some((rank, score))
    }

    /// How many members, from the first on, `before` holds for.
    #[inline]
    pub fn count_by_score(&self, before: impl Fn(f64) -> bool) -> usize {
        self.tree.rank(&ByScoreOnly(before))
    }

    /// How many members, from the first on, `before` holds for.
    pub fn count_by_member(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.tree.rank(&ByMember(|id| before(self.names.get(id))))
    }

    /// Shows members from a rank on for as long as `visit` says so.
    #[inline]
    pub fn walk_up(&self, rank: usize, mut visit: impl FnMut(&[u8], f64) -> bool) {
        for entry in self.tree.forward(rank) {
            if !visit(self.names.get(entry.id), entry.score) {
                return;
            }
        }
    }

    /// Shows the members before `end`, the last one first, for as long as `visit` says so.
    pub fn walk_down(&self, end: usize, mut visit: impl FnMut(&[u8], f64) -> bool) {
        for entry in self.tree.backward(end) {
            if !visit(self.names.get(entry.id), entry.score) {
                return;
            }
        }
    }

    /// How many of the first `most` members from a rank on, upward, have scores that are meant,
    /// until the first one that has not.
    #[inline]
    pub fn run_up(&self, rank: usize, most: usize, is_meant: impl Fn(f64) -> bool) -> usize {
        let run = self.tree.forward(rank).take(most);
        run.take_while(|entry| is_meant(entry.score)).count()
    }

    /// The same downward; ranks count from the last member.
    #[inline]
    pub fn run_down(&self, rank: usize, most: usize, is_meant: impl Fn(f64) -> bool) -> usize {
        let end = self.len().saturating_sub(rank);
        let run = self.tree.backward(end).take(most);
        run.take_while(|entry| is_meant(entry.score)).count()
    }

    /// Shows the members at a cursor and after; see [`Table::scan`].
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        let names = &self.names;
        self.table.scan(
            cursor,
            count,
            |&id| hash(names.get(id)),
            |&id| visit(names.get(id), names.score(id)),
        )
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.names.heap_bytes() + self.table.heap_bytes() + self.tree.heap_bytes()
    }

    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        self.tree.verify();
        assert_eq!(self.table.len(), self.tree.len());
        let mut last: Option<(f64, Vec<u8>)> = None;
        for entry in self.tree.forward(0) {
            let member = self.names.get(entry.id);
            assert_eq!(self.find(hash(member), member), Some(entry.id));
            assert!(self.names.score(entry.id) == entry.score);
            let this = (entry.score, member.to_vec());
            assert!(last.is_none_or(|last| last < this), "out of order");
            last = Some(this);
        }
    }
}

impl Cold for Large {
    #[inline]
    fn table_len(&self) -> usize {
        self.len()
    }

    fn ask(&self, names: &Wanted<'_>) {
        let ids = likely(&self.table, names.iter().map(|name| hash(name)));
        let scores: SmallVec<[_; AHEAD_LEN]> =
            ids.iter().map(|&&id| self.names.score(id)).collect();
        black_box(ids.iter().fold(0, |a, &&id| a ^ end_of(self.names.get(id))));
        // Who names members gives them other scores, or removes them.
        black_box(scores.iter().fold(0, |a, &score| a ^ self.tree.ask(score)));
    }
}

impl Drop for Large {
    /// Hands a heavy set over to be freed elsewhere: whoever drops it may hold a shard.
    fn drop(&mut self) {
        // What a member takes at the least; measuring walks the tree.
        const MEMBER_BYTES: usize = 48;
        if self.len() * MEMBER_BYTES >= HEAVY_BYTES_MIN
            || self.names.heap_bytes() >= HEAVY_BYTES_MIN
        {
            let bytes = self.heap_bytes();
            let parts = Parts {
                names: std::mem::take(&mut self.names),
                table: self.table.clear(),
                tree: std::mem::take(&mut self.tree),
            };
            reclaim::free(parts, bytes);
        }
    }
}

/// What a large set was made of.
struct Parts {
    names: Names,
    table: IntoIter<Id>,
    tree: Tree,
}

impl Shed for Parts {
    fn shed(&mut self) -> bool {
        const TABLE_SLICE_LEN: usize = SLICE_BYTES / 8;
        self.tree.shed(SLICE_BYTES)
            || self.names.shed(SLICE_BYTES)
            || self.table.by_ref().take(TABLE_SLICE_LEN).count() == TABLE_SLICE_LEN
    }
}
