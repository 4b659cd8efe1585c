//! Which queues come first, and the best few of many.

use std::cmp::Reverse;

use crate::store::Figures;

use super::Named;

/// What queues are sorted by, the greatest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What is worst: the state, then the age.
    #[default]
    Trouble,
    /// How long the oldest message has waited.
    Age,
    /// How many messages wait.
    Length,
    /// Their payload bytes.
    Bytes,
    /// How many messages come and go a second.
    Rate,
    /// How many messages were lost.
    Drops,
    /// The name, in ascending order.
    Name,
}

impl Order {
    const ALL: [Self; 7] = [
        Self::Trouble,
        Self::Age,
        Self::Length,
        Self::Bytes,
        Self::Rate,
        Self::Drops,
        Self::Name,
    ];

    /// Its name for clients.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Age => "age",
            Self::Length => "length",
            Self::Bytes => "bytes",
            Self::Rate => "rate",
            Self::Drops => "drops",
            Self::Name => "name",
        }
    }

    /// The order that goes by a name.
    pub fn parse(word: &[u8]) -> Option<Self> {
        let is_it = |order: &Self| word.eq_ignore_ascii_case(order.name().as_bytes());
        Self::ALL.into_iter().find(is_it)
    }

    /// A queue's place: greater comes first.
    fn rank(self, figures: &Figures) -> (u64, u64) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rates are positive, and a few thousandths of one settle a tie"
        )]
        let rate = ((figures.rates.came[1] + figures.rates.out[1]) * 1000.0) as u64;
        let age = figures.age_ms.map_or(0, |age_ms| age_ms + 1);
        match self {
            Self::Trouble => (figures.state() as u64, age),
            Self::Age => (age, figures.waiting),
            Self::Length => (figures.waiting, age),
            Self::Bytes => (figures.held.bytes, figures.waiting),
            Self::Rate => (rate, figures.waiting),
            Self::Drops => (figures.lost, figures.waiting),
            Self::Name => (0, 0),
        }
    }
}

type Rank = (Reverse<(u64, u64)>, Box<[u8]>, u8);

/// The first few of any number of queues, in O(1) each on average.
#[derive(Debug)]
pub struct Pick {
    order: Order,
    limit: usize,
    kept: Vec<(Rank, Figures)>,
    /// What is behind this is not among the first.
    last: Option<Rank>,
}

/// Queues kept beyond the limit before the surplus is cut off: few cuts, little memory.
const SURPLUS_MIN: usize = 64;

impl Pick {
    /// The first `limit` in an order.
    pub fn new(order: Order, limit: usize) -> Self {
        Self {
            order,
            limit,
            kept: Vec::new(),
            last: None,
        }
    }

    /// One queue more.
    pub fn offer(&mut self, db: u8, name: &[u8], figures: &Figures) {
        let rank = self.order.rank(figures);
        let is_behind = |(Reverse(last), last_name, _): &Rank| {
            rank < *last || rank == *last && *name > **last_name
        };
        if self.limit == 0 || self.last.as_ref().is_some_and(is_behind) {
            return;
        }
        self.kept.push(((Reverse(rank), name.into(), db), *figures));
        if self.kept.len() >= self.limit.saturating_mul(2).max(SURPLUS_MIN) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > self.limit {
            let by_rank =
                |(rank, _): &(Rank, Figures), (other, _): &(Rank, Figures)| rank.cmp(other);
            self.kept.select_nth_unstable_by(self.limit - 1, by_rank);
            self.kept.truncate(self.limit);
            self.last = self.kept.last().map(|(rank, _)| rank.clone());
        }
    }

    /// Those that are first, in order.
    pub fn take(&mut self) -> Vec<Named> {
        self.kept
            .sort_unstable_by(|(rank, _), (other, _)| rank.cmp(other));
        let kept = std::mem::take(&mut self.kept).into_iter().take(self.limit);
        let named = kept.map(|((_, name, db), figures)| Named { db, name, figures });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Tally;

    #[test]
    fn the_first_of_many_are_found() {
        let mut pick = Pick::new(Order::Bytes, 3);
        for n in 0..1000_u64 {
            let bytes = n * 7919 % 1000;
            let figures = Figures {
                held: Tally { messages: 1, bytes },
                ..Figures::default()
            };
            pick.offer(0, format!("q{n}").as_bytes(), &figures);
            assert!(pick.kept.len() <= SURPLUS_MIN);
        }
        let first: Vec<u64> = pick
            .take()
            .iter()
            .map(|named| named.figures.held.bytes)
            .collect();
        assert_eq!(first, [999, 998, 997]);
    }

    #[test]
    fn ties_are_settled_by_name() {
        let mut pick = Pick::new(Order::parse(b"NAME").unwrap(), 2);
        for name in ["c", "a", "d", "b"] {
            pick.offer(0, name.as_bytes(), &Figures::default());
        }
        let names: Vec<_> = pick.take().into_iter().map(|named| named.name).collect();
        assert_eq!(names, [Box::from(*b"a"), Box::from(*b"b")]);
        assert_eq!(Order::parse(b"size"), None);
    }
}
