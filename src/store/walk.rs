//! Walking through all keys of a shard, of which others may have the use after each part.

use crate::limits::DATABASES;

/// How far a walk has come. It goes from database to database, and in each from part to part of its
/// table; the shard may be let go in between.
#[derive(Debug, Default)]
pub struct Walk {
    db: u8,
    /// Where the next part begins in that database; 0 before the first.
    cursor: u64,
}

impl Walk {
    /// The database and the cursor of the next part; `None` when there is no more. A database that
    /// it `passes_over` has no part.
    pub fn next_part(&mut self, mut passes_over: impl FnMut(u8) -> bool) -> Option<(u8, u64)> {
        while usize::from(self.db) < DATABASES {
            if self.cursor > 0 || !passes_over(self.db) {
                return Some((self.db, self.cursor));
            }
            self.db += 1;
        }
        None
    }

    /// Goes on behind that part, to the cursor that it ended with: 0 if it was the database's last.
    pub fn advance(&mut self, cursor: u64) {
        self.cursor = cursor;
        self.db += u8::from(cursor == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Walk;

    #[test]
    fn parts_come_in_order_and_passed_over_databases_have_none() {
        let (mut walk, mut seen) = (Walk::default(), Vec::new());
        while let Some((db, cursor)) = walk.next_part(|db| db != 2 && db != 15) {
            seen.push((db, cursor));
            walk.advance(if db == 2 && cursor < 20 {
                cursor + 10
            } else {
                0
            });
        }
        assert_eq!(seen, [(2, 0), (2, 10), (2, 20), (15, 0)]);
    }
}
