//! Sorted sets: members in the order of their scores, and of their bytes where scores are equal.
//!
//! Two forms. Few short members lie end to end in one allocation (`small`): tens of thousands of
//! small sets cost little more than their members. Any other set is a slab of members (`names`)
//! that a table finds by hash and a counted B+ tree (`tree`) keeps in order (`large`). A set
//! becomes large by the bounds that its user sets ([`Limits`]) and stays so, as in Redis, where
//! OBJECT ENCODING shows it.
//!
//! Reading order: `range`, `small`, `names`, `tree`, `large`. Costs of the large form are those of
//! the parts: look-up O(1), everything else O(log n); a step of a walk O(1).
//!
//! Invariants: no score is NaN; no member is twice in a set. Zero has a sign in the large form
//! only, again as in Redis, where clients see it.

#![allow(clippy::float_cmp, reason = "the order of scores is exact")]

mod large;
mod names;
mod range;
mod small;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

use super::cold::{Cold, Names};
use large::Large;
use small::Small;

pub use range::{LexBound, LexRange, ScoreBound, ScoreRange};

/// How far a set may grow before it is kept in the large form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members of a small set.
    pub small_len_max: usize,
    /// Bytes of a member of a small set.
    pub small_member_bytes_max: usize,
}

/// The direction of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest score.
    Up,
    /// From the highest.
    Down,
}

/// Members with their scores, in order.
#[derive(Clone, Debug)]
pub struct SortedSet(Form);

#[derive(Clone, Debug)]
enum Form {
    Small(Small),
    Large(Box<Large>),
}

impl Cold for SortedSet {
    #[inline]
    fn table_len(&self) -> usize {
        match &self.0 {
            Form::Large(large) => large.len(),
            Form::Small(_) => 0,
        }
    }

    fn ask(&self, names: &Names<'_>) {
        if let Form::Large(large) = &self.0 {
            large.ask(names);
        }
    }
}

impl Default for SortedSet {
    fn default() -> Self {
        Self(Form::Small(Small::default()))
    }
}

/// Bytes of small forms past which Redis makes a large one, whatever the settings.
const SMALL_BYTES_MAX: usize = 1 << 30;

/// Members of a range that are walked to find its end; searching costs as much as some dozens.
const WALKED_LEN_MAX: usize = 32;

/// The part of `ranks`, in a set of `len` members, behind the first `skip` in an order, cut to
/// `most`: where it begins, counted in that order, and its length.
pub fn cut(
    ranks: &Range<usize>,
    len: usize,
    order: Order,
    skip: usize,
    most: usize,
) -> (usize, usize) {
    let start = match order {
        Order::Up => ranks.start,
        Order::Down => len - ranks.end,
    };
    let left = ranks.len().saturating_sub(skip);
    (start.saturating_add(skip), left.min(most))
}

impl SortedSet {
    /// An empty set; owns no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty set for about so many members of up to so many bytes, in the form that fits them.
    pub fn sized(len: usize, member_bytes_max: usize, limits: Limits) -> Self {
        if len <= limits.small_len_max && member_bytes_max <= limits.small_member_bytes_max {
            Self::default()
        } else {
            Self::large()
        }
    }

    /// An empty set in the large form: for results, whose zeros keep their signs.
    pub fn large() -> Self {
        Self(Form::Large(Box::default()))
    }

    /// Makes a small set large to which more members may come than a small one holds.
    pub fn expect(&mut self, len: usize, limits: Limits) {
        if len > limits.small_len_max {
            self.enlarge();
        }
    }

    /// Makes a result small if it fits, before it is stored.
    #[must_use]
    pub fn settled(self, limits: Limits) -> Self {
        let mut fits = self.len() <= limits.small_len_max;
        if fits {
            self.for_each(|member, _| fits &= member.len() <= limits.small_member_bytes_max);
        }
        if !fits {
            return self;
        }
        let mut small = Self::default();
        self.for_each(|member, score| {
            small.insert(member, score, limits);
        });
        small
    }

    /// Members held. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Small(small) => small.len(),
            Form::Large(large) => large.len(),
        }
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is in the small form, which OBJECT ENCODING calls a listpack.
    pub fn is_small(&self) -> bool {
        matches!(self.0, Form::Small(_))
    }

    /// Bytes that it owns. O(1) if small, else O(n / 4000).
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Small(small) => small.heap_bytes(),
            Form::Large(large) => size_of::<Large>() + large.heap_bytes(),
        }
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Small(small) => small.score(member),
            Form::Large(large) => large.score(member),
        }
    }

    /// Gives a member the score that `decide` makes of its present one; leaves all as it is if it
    /// makes none. One look-up for both. Scores are not NaN.
    #[inline]
    pub fn update(
        &mut self,
        member: &[u8],
        limits: Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        match &mut self.0 {
            Form::Large(large) => large.update(member, decide),
            Form::Small(small) => {
                let len = small.len();
                let outgrows = len >= limits.small_len_max
                    || member.len() > limits.small_member_bytes_max
                    || small.heap_bytes() > SMALL_BYTES_MAX;
                small.update(member, |old| {
                    let stays = old.is_some() || !outgrows;
                    // Adding 0 takes the minus from -0 and changes nothing else.
                    decide(old).map(|score| if stays { score + 0.0 } else { score })
                });
                if outgrows && small.len() > len {
                    self.enlarge();
                }
            }
        }
    }

    /// Gives a member a score, whether it is there or not; returns the one that it had.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: Limits) -> Option<f64> {
        let mut old = None;
        self.update(member, limits, |found| {
            old = found;
            Some(score)
        });
        old
    }

    /// Makes it large, if it is small.
    #[cold]
    pub fn enlarge(&mut self) {
        let Form::Small(small) = &self.0 else { return };
        let mut large = Box::<Large>::default();
        small.walk_up(0, |member, score| {
            large.update(member, |_| Some(score));
            true
        });
        self.0 = Form::Large(large);
    }

    /// Removes a member; returns its score.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Small(small) => small.remove(member),
            Form::Large(large) => large.remove(member),
        }
    }

    /// The rank of a member, counted from the lowest score, and its score.
    #[inline]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Form::Small(small) => small.rank(member),
            Form::Large(large) => large.rank(member),
        }
    }

    /// The ranks of the members whose scores lie in a range.
    #[inline]
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let below = |score| range.min.is_above(score);
        let up_to_end = |score| range.max.reaches(score);
        let (start, end) = match &self.0 {
            Form::Small(small) => {
                let start = small.count(|_, score| below(score));
                (
                    start,
                    small.count(|_, score| below(score) || up_to_end(score)),
                )
            }
            Form::Large(large) => (large.count_by_score(below), large.count_by_score(up_to_end)),
        };
        start..end.max(start)
    }

    /// The ranks of members whose scores lie in a range, without the first `skip` of them in an
    /// order, and of the others the first `most`: where they begin, counted in that order, and
    /// how many they are. Few are found by one search and a walk, without searching for the end.
    #[inline]
    pub fn part_by_score(
        &self,
        range: &ScoreRange,
        order: Order,
        skip: usize,
        most: usize,
    ) -> (usize, usize) {
        let large = match &self.0 {
            Form::Large(large) if most <= WALKED_LEN_MAX && !range.is_empty() => large,
            _ => return cut(&self.ranks_by_score(range), self.len(), order, skip, most),
        };
        let start = match order {
            Order::Up => large.count_by_score(|score| range.min.is_above(score)),
            Order::Down => self.len() - large.count_by_score(|score| range.max.reaches(score)),
        };
        let start = start.saturating_add(skip);
        let len = match order {
            Order::Up => large.run_up(start, most, |score| range.max.reaches(score)),
            Order::Down => large.run_down(start, most, |score| !range.min.is_above(score)),
        };
        (start, len)
    }

    /// The ranks of the members that lie in a range, of a set whose scores are all the same.
    pub fn ranks_by_member(&self, range: &LexRange<'_>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let below = |member: &[u8]| range.min.is_above(member);
        let up_to_end = |member: &[u8]| range.max.reaches(member);
        let (start, end) = match &self.0 {
            Form::Small(small) => {
                let start = small.count(|member, _| below(member));
                (
                    start,
                    small.count(|member, _| below(member) || up_to_end(member)),
                )
            }
            Form::Large(large) => (
                large.count_by_member(below),
                large.count_by_member(up_to_end),
            ),
        };
        start..end.max(start)
    }

    /// Shows `len` members from a rank on. Ranks count from where the walk begins: rank 0 of
    /// [`Order::Down`] is the highest score.
    #[inline]
    pub fn walk(&self, rank: usize, len: usize, order: Order, mut visit: impl FnMut(&[u8], f64)) {
        if len == 0 {
            return;
        }
        let mut left = len;
        self.walk_while(rank, order, |member, score| {
            visit(member, score);
            left -= 1;
            left > 0
        });
    }

    /// Shows members from a rank on for as long as `visit` says so.
    #[inline]
    pub fn walk_while(&self, rank: usize, order: Order, visit: impl FnMut(&[u8], f64) -> bool) {
        if rank >= self.len() {
            return;
        }
        match (&self.0, order) {
            (Form::Small(small), Order::Up) => small.walk_up(rank, visit),
            (Form::Small(small), Order::Down) => small.walk_down(small.len() - rank, visit),
            (Form::Large(large), Order::Up) => large.walk_up(rank, visit),
            (Form::Large(large), Order::Down) => large.walk_down(large.len() - rank, visit),
        }
    }

    /// Shows all members, from the lowest score on.
    pub fn for_each(&self, visit: impl FnMut(&[u8], f64)) {
        self.walk(0, self.len(), Order::Up, visit);
    }

    /// Removes the member with the lowest or the highest score, and shows it first.
    #[inline]
    pub fn pop<R>(&mut self, order: Order, show: impl FnOnce(&[u8], f64) -> R) -> Option<R> {
        let rank = match order {
            Order::Up => 0,
            Order::Down => self.len().checked_sub(1)?,
        };
        if self.is_empty() {
            return None;
        }
        match &mut self.0 {
            Form::Small(small) => small.remove_at(rank, show),
            Form::Large(large) => large.remove_at(rank, show),
        }
    }

    /// Removes the members at these ranks.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        let (start, end) = (ranks.start, ranks.end.min(self.len()));
        if start >= end {
            return;
        }
        match &mut self.0 {
            Form::Small(small) => small.remove_ranks(start, end),
            Form::Large(large) => {
                for _ in start..end {
                    large.remove_at(start, |_, _| ());
                }
            }
        }
    }

    /// Shows members from a cursor on, about `count` of them, and returns the cursor to go on
    /// with, 0 after the last. A member that is there from the first call to the last is shown.
    /// A small set is shown whole.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        match &self.0 {
            Form::Small(_) => {
                self.for_each(visit);
                0
            }
            Form::Large(large) => large.scan(cursor, count, &mut visit),
        }
    }

    /// Checks that every invariant holds. O(n).
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        match &self.0 {
            Form::Small(small) => {
                let (mut last, mut len): (Option<(f64, Vec<u8>)>, _) = (None, 0);
                small.walk_up(0, |member, score| {
                    let this = (score, member.to_vec());
                    assert!(
                        last.as_ref().is_none_or(|last| *last < this),
                        "out of order"
                    );
                    last = Some(this);
                    len += 1;
                    true
                });
                assert_eq!(len, small.len());
            }
            Form::Large(large) => large.verify(),
        }
    }
}
