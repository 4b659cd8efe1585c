//! The ledger: how many messages came, how many were delivered, and for what cause the others went.
//!
//! Double entry. Every queue counts what came and what has gone, and each cause of loss apart;
//! every database of a shard counts the same over all its queues, and keeps counting when their
//! keys vanish. At every moment *came = delivered + held + lost*, per queue and in total, in
//! messages and in bytes; debug builds compare the two accounts after every command.
//!
//! Plain numbers, written under the shard's lock by whoever changes the queue. A queue writes as
//! many words as it would to know its length: that is the difference of two counters.

use std::ops::{AddAssign, Sub, SubAssign};

/// A number of messages and their payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "messages that come or go are counted"]
pub struct Tally {
    /// Messages.
    pub messages: u64,
    /// Their payload bytes.
    pub bytes: u64,
}

impl Tally {
    /// One message of so many bytes.
    #[inline]
    pub fn one(bytes: usize) -> Self {
        Self {
            messages: 1,
            bytes: bytes as u64,
        }
    }

    /// Whether it is no message.
    #[inline]
    pub fn is_zero(self) -> bool {
        self.messages == 0
    }

    /// Whether `other` can be taken from it in messages and bytes alike.
    fn covers(self, other: Self) -> bool {
        self.messages >= other.messages && self.bytes >= other.bytes
    }
}

impl AddAssign for Tally {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.messages = self.messages.wrapping_add(other.messages);
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }
}

impl SubAssign for Tally {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        self.messages = self.messages.wrapping_sub(other.messages);
        self.bytes = self.bytes.wrapping_sub(other.bytes);
    }
}

impl Sub for Tally {
    type Output = Self;

    #[inline]
    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}

/// Why a message left a queue other than to somebody who popped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A bound was reached, and it was the oldest.
    OverflowOldest,
    /// A bound was reached, and it was what came.
    OverflowNewest,
    /// It was older than the policy's `max-age`.
    ExpiredAge,
    /// The time to live that it was pushed with was over.
    ExpiredTtl,
    /// Nobody had pushed to, popped from or waited for its queue for `expire-idle`.
    ExpiredIdle,
    /// The key of its queue expired.
    ExpiredKey,
    /// Memory was over the budget.
    MemoryPressure,
    /// LTRIM cut it off.
    Trimmed,
    /// LREM removed it, or LSET put another in its place.
    Removed,
    /// Its queue was deleted or overwritten.
    Deleted,
    /// Its database was emptied.
    Flushed,
    /// It was to go back from a client that has gone, and its key holds another type.
    ReturnedLost,
    /// It was delayed, and when its time came its key held another type or had no room.
    DelayedLost,
    /// It went to the dead-letter queue instead of being lost.
    DeadLettered,
}

impl Cause {
    /// All causes, in the order in which they are shown.
    pub const ALL: [Self; 14] = [
        Self::OverflowOldest,
        Self::OverflowNewest,
        Self::ExpiredAge,
        Self::ExpiredTtl,
        Self::ExpiredIdle,
        Self::ExpiredKey,
        Self::MemoryPressure,
        Self::Trimmed,
        Self::Removed,
        Self::Deleted,
        Self::Flushed,
        Self::ReturnedLost,
        Self::DelayedLost,
        Self::DeadLettered,
    ];

    /// Its name in WEIR.LEDGER and INFO.
    pub fn name(self) -> &'static str {
        match self {
            Self::OverflowOldest => "overflow_oldest",
            Self::OverflowNewest => "overflow_newest",
            Self::ExpiredAge => "expired_age",
            Self::ExpiredTtl => "expired_ttl",
            Self::ExpiredIdle => "expired_idle",
            Self::ExpiredKey => "expired_key",
            Self::MemoryPressure => "memory_pressure",
            Self::Trimmed => "trimmed",
            Self::Removed => "removed",
            Self::Deleted => "deleted",
            Self::Flushed => "flushed",
            Self::ReturnedLost => "returned_lost",
            Self::DelayedLost => "delayed_lost",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// What was lost, by cause. Owns nothing until something is.
#[derive(Clone, Debug, Default)]
pub struct Losses(Option<Box<[Tally; Cause::ALL.len()]>>);

impl Losses {
    /// Counts a loss.
    #[inline]
    pub fn add(&mut self, cause: Cause, lost: Tally) {
        if !lost.is_zero() {
            self.0.get_or_insert_default()[cause as usize] += lost;
        }
    }

    /// What one cause took.
    pub fn of(&self, cause: Cause) -> Tally {
        self.0
            .as_ref()
            .map_or(Tally::default(), |by_cause| by_cause[cause as usize])
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.as_deref().map_or(0, size_of_val)
    }

    /// What all causes took.
    pub fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        for lost in self.0.iter().flat_map(|by_cause| by_cause.iter()) {
            sum += *lost;
        }
        sum
    }
}

/// The account of a queue, of a database's queues in one shard, or of all.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Came in: pushed, or moved here by hand.
    pub came: Tally,
    /// Delivered: popped, less what went back.
    pub out: Tally,
    /// Went back to the queue because its client had gone before a byte of the reply was written.
    /// Not part of the balance: it counts as never having been delivered.
    pub returned: Tally,
    /// Lost, by cause.
    pub lost: Losses,
    /// Waits for its time, and has not come yet: no part of the balance. What waits is in no queue,
    /// so the account of one has none of it.
    pub delayed: Tally,
    /// Held by queues that came from elsewhere less those that left (RENAME, SWAPDB), wrapping: it
    /// is zero over all shards while no command is under way.
    carried: Tally,
}

impl Ledger {
    /// An account of these numbers.
    pub(super) fn new(came: Tally, out: Tally, returned: Tally, lost: Losses) -> Self {
        Self {
            came,
            out,
            returned,
            lost,
            delayed: Tally::default(),
            carried: Tally::default(),
        }
    }

    /// Messages held now, as they follow from the rest.
    pub fn held(&self) -> Tally {
        let mut held = self.came;
        held += self.carried;
        held -= self.out;
        held -= self.lost.sum();
        held
    }

    /// A queue with these messages comes to this account from another.
    pub(super) fn carry_in(&mut self, held: Tally) {
        self.carried += held;
    }

    /// A queue with these messages leaves for another account.
    pub(super) fn carry_out(&mut self, held: Tally) {
        self.carried -= held;
    }

    /// A delivered message went back.
    pub fn give_back(&mut self, message: Tally) {
        self.returned += message;
        self.undeliver(message);
    }

    /// A delivered message turns out to be lost.
    pub fn lose_delivered(&mut self, cause: Cause, message: Tally) {
        self.undeliver(message);
        self.lost.add(cause, message);
    }

    /// What goes back to an account that has not delivered it (its database was swapped) came to it.
    fn undeliver(&mut self, message: Tally) {
        if self.out.covers(message) {
            self.out -= message;
        } else {
            self.came += message;
        }
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &Self) {
        self.came += other.came;
        self.out += other.out;
        self.returned += other.returned;
        self.carried += other.carried;
        self.delayed += other.delayed;
        for cause in Cause::ALL {
            self.lost.add(cause, other.lost.of(cause));
        }
    }

    /// Whether nothing is between two accounts, as is so over all shards between commands.
    pub fn is_settled(&self) -> bool {
        self.carried == Tally::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Ledger, Tally};

    #[test]
    fn causes_are_indexed_by_their_order() {
        for (index, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, index);
        }
    }

    #[test]
    fn accounts_add_up() {
        let mut ledger = Ledger::default();
        for bytes in [3, 4, 5] {
            ledger.came += Tally::one(bytes);
        }
        ledger.out += Tally::one(4);
        ledger.lost.add(Cause::Trimmed, Tally::one(3));
        assert_eq!(ledger.held(), Tally::one(5));
        ledger.give_back(Tally::one(4));
        let mut total = Ledger::default();
        total.add(&ledger);
        total.add(&ledger);
        assert_eq!((total.held().messages, total.held().bytes), (4, 18));
        assert_eq!(total.lost.of(Cause::Trimmed).bytes, 6);
        assert_eq!(total.returned.messages, 2);
        ledger.lose_delivered(Cause::ReturnedLost, Tally::one(9));
        assert_eq!(ledger.held().messages, 2, "it came, and is lost");
    }
}
