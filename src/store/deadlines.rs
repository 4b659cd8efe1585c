//! When keys expire: an index by time, so that expiry needs neither traffic nor sampling.

use std::collections::BTreeSet;
use std::mem;

use crate::limits::DATABASES;

/// The deadlines of one shard's keys, earliest first.
///
/// A key is named by its hash: two keys of one database that share both hash and deadline share a
/// place here, and the second then goes when a client next asks for it. Adding and removing cost
/// a walk down a B-tree; asking for the earliest is O(log n).
#[derive(Debug, Default)]
pub struct Deadlines {
    ordered: BTreeSet<(u64, u8, u64)>,
    /// Sum of the deadlines of each database, for their mean.
    sums_ms: [u128; DATABASES],
}

/// Places by moment, database and hash of a name, with those of two databases exchanged. O(places).
pub fn swapped(places: &BTreeSet<(u64, u8, u64)>, a: u8, b: u8) -> BTreeSet<(u64, u8, u64)> {
    let swap = |db| match db {
        db if db == a => b,
        db if db == b => a,
        db => db,
    };
    let places = places.iter();
    places.map(|&(at, db, hash)| (at, swap(db), hash)).collect()
}

impl Deadlines {
    /// Notes that a key expires at `deadline_ms` on the wall clock.
    pub fn insert(&mut self, deadline_ms: u64, db: u8, hash: u64) {
        if self.ordered.insert((deadline_ms, db, hash)) {
            self.sums_ms[usize::from(db)] += u128::from(deadline_ms);
        }
    }

    /// Forgets a deadline.
    pub fn remove(&mut self, deadline_ms: u64, db: u8, hash: u64) {
        if self.ordered.remove(&(deadline_ms, db, hash)) {
            self.sums_ms[usize::from(db)] -= u128::from(deadline_ms);
        }
    }

    /// Takes the earliest deadline that has passed: its database and the key's hash.
    pub fn pop_due(&mut self, now_ms: u64) -> Option<(u8, u64)> {
        let &(deadline_ms, db, hash) = self.ordered.first()?;
        if deadline_ms > now_ms {
            return None;
        }
        self.remove(deadline_ms, db, hash);
        Some((db, hash))
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Whether one has passed.
    pub fn has_due(&self, now_ms: u64) -> bool {
        let first = self.ordered.first();
        first.is_some_and(|&(deadline_ms, ..)| deadline_ms <= now_ms)
    }

    /// Moves the deadlines of two databases to each other.
    pub fn swap_databases(&mut self, a: u8, b: u8) {
        self.sums_ms.swap(usize::from(a), usize::from(b));
        self.ordered = swapped(&self.ordered, a, b);
    }

    /// Forgets all deadlines of a database, and returns them for freeing. At once where no other
    /// database has any, else a walk of all.
    pub fn clear_database(&mut self, cleared: u8) -> Self {
        let mut gone = Self::default();
        let others = (0..).zip(&self.sums_ms).filter(|(db, _)| *db != cleared);
        if others.into_iter().all(|(_, sum_ms)| *sum_ms == 0) {
            mem::swap(self, &mut gone);
        } else {
            self.ordered.retain(|&(_, db, _)| db != cleared);
            self.sums_ms[usize::from(cleared)] = 0;
        }
        gone
    }

    /// The sum of a database's deadlines. O(1).
    pub fn sum_ms(&self, db: u8) -> u128 {
        self.sums_ms[usize::from(db)]
    }

    /// How many keys of a database have passed their deadline and still stand here: a walk of
    /// those of all databases, which are few while time removes them.
    pub fn due_len(&self, db: u8, now_ms: u64) -> usize {
        let due = self.ordered.range(..=(now_ms, u8::MAX, u64::MAX));
        due.filter(|(_, other, _)| *other == db).count()
    }
}

#[cfg(test)]
mod tests {
    use super::Deadlines;

    #[test]
    fn gives_due_keys_earliest_first() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(30, 0, 3);
        deadlines.insert(10, 0, 1);
        deadlines.insert(20, 1, 2);
        deadlines.insert(20, 0, 9);
        deadlines.remove(20, 0, 9);
        assert_eq!(deadlines.sum_ms(0), 40);
        deadlines.swap_databases(0, 1);
        assert_eq!((deadlines.sum_ms(0), deadlines.sum_ms(1)), (20, 40));
        assert_eq!((deadlines.due_len(0, 30), deadlines.due_len(1, 29)), (1, 1));
        assert_eq!(deadlines.pop_due(9), None);
        assert_eq!(deadlines.pop_due(20), Some((1, 1)));
        assert_eq!(deadlines.pop_due(20), Some((0, 2)));
        assert_eq!(deadlines.pop_due(20), None);
        deadlines.insert(50, 0, 4);
        assert_eq!(deadlines.clear_database(1).pop_due(99), None);
        assert_eq!(deadlines.clear_database(0).pop_due(99), Some((0, 4)));
        assert_eq!((deadlines.pop_due(99), deadlines.sum_ms(0)), (None, 0));
    }
}
