//! What the consumers of one group have been given and have acknowledged, as they saw it, and what
//! the server says of it: the two must agree to the entry.

use std::collections::{BTreeMap, BTreeSet};

/// The id of an entry.
pub type Id = (u64, u64);

/// An entry as it was handed out.
#[derive(Clone, Copy)]
pub struct Taken {
    /// Its id in the stream.
    pub id: Id,
    /// Its number, which the producer wrote into it.
    pub number: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unread,
    Pending,
    Acknowledged,
}

/// The books of one group. Moments are numbers of a counter that every request raises, before it
/// is sent and after it is answered.
pub struct Ledger {
    states: Vec<State>,
    acknowledged_at: Vec<u64>,
    pending: BTreeMap<Id, usize>,
    acknowledged_len: usize,
    /// The sum of what XACK answered.
    confirmed: usize,
    /// Entries in XACKs whose answers nobody read.
    unconfirmed: Vec<Taken>,
    unconfirmed_sum: usize,
    /// Entries that may have gone to consumers who died before they read them.
    unseen_max: usize,
    /// Entries that turned up by a claim before anybody said that he had read them: he may be about
    /// to say so, or have died.
    unseen: BTreeSet<usize>,
    /// How many claims brought.
    pub claimed: usize,
}

impl Ledger {
    /// Books for entries numbered from 0 on.
    pub fn new(total: usize) -> Self {
        Self {
            states: vec![State::Unread; total],
            acknowledged_at: vec![0; total],
            pending: BTreeMap::new(),
            acknowledged_len: 0,
            confirmed: 0,
            unconfirmed: Vec::new(),
            unconfirmed_sum: 0,
            unseen_max: 0,
            unseen: BTreeSet::new(),
            claimed: 0,
        }
    }

    /// Entries that somebody has acknowledged.
    pub fn acknowledged_len(&self) -> usize {
        self.acknowledged_len
    }

    /// Entries that somebody has got.
    pub fn delivered_len(&self) -> usize {
        self.acknowledged_len + self.pending.len()
    }

    /// New entries came to a consumer: nobody else may ever have had them.
    pub fn read(&mut self, taken: &[Taken]) {
        for entry in taken {
            if self.states[entry.number] == State::Unread {
                self.states[entry.number] = State::Pending;
                self.pending.insert(entry.id, entry.number);
                continue;
            }
            assert!(
                self.unseen.remove(&entry.number),
                "{:?} came a second time without a claim",
                entry.id
            );
        }
    }

    /// A consumer died with a read of at most so many entries under way.
    pub fn died_reading(&mut self, count: usize) {
        self.unseen_max += count;
    }

    /// A claim, asked for at a moment, brought entries: pending ones, as far as anybody knew.
    pub fn claim(&mut self, taken: &[Taken], asked_at: u64) {
        self.claimed += taken.len();
        for entry in taken {
            match self.states[entry.number] {
                State::Pending => {}
                State::Unread => self.find(*entry),
                State::Acknowledged => assert!(
                    asked_at < self.acknowledged_at[entry.number],
                    "{:?} was claimed after it had been acknowledged",
                    entry.id
                ),
            }
        }
    }

    /// An entry turns up that nobody has said to have read.
    fn find(&mut self, entry: Taken) {
        self.read(&[entry]);
        self.unseen.insert(entry.number);
    }

    /// An XACK was answered: its entries are acknowledged, `count` of them by this very request.
    pub fn acknowledge(&mut self, taken: &[Taken], count: usize, now: u64) {
        assert!(count <= taken.len());
        self.confirmed += count;
        for entry in taken {
            self.settle(*entry, now);
        }
    }

    fn settle(&mut self, entry: Taken, now: u64) {
        if self.states[entry.number] == State::Pending {
            self.states[entry.number] = State::Acknowledged;
            self.acknowledged_at[entry.number] = now;
            self.acknowledged_len += 1;
            self.pending.remove(&entry.id);
        }
    }

    /// A consumer died with an XACK under way.
    pub fn died_acknowledging(&mut self, taken: &[Taken]) {
        self.unconfirmed_sum += taken.len();
        self.unconfirmed.extend_from_slice(taken);
    }

    /// Compares the books with the ids that the server says are pending, while nothing is under
    /// way: what was uncertain is settled by it, all else must be as expected. `number_of` looks an
    /// entry up.
    pub fn compare(
        &mut self,
        pending: &BTreeSet<Id>,
        now: u64,
        mut number_of: impl FnMut(Id) -> usize,
    ) {
        for entry in std::mem::take(&mut self.unconfirmed) {
            if !pending.contains(&entry.id) {
                self.settle(entry, now);
            }
        }
        for &id in pending {
            if !self.pending.contains_key(&id) {
                self.find(Taken {
                    id,
                    number: number_of(id),
                });
            }
        }
        assert!(
            self.unseen.len() <= self.unseen_max,
            "{} entries went to nobody",
            self.unseen.len()
        );
        self.unseen.clear();
        self.unseen_max = 0;
        assert!(
            self.pending.keys().eq(pending),
            "the pending entries are others than those read and not acknowledged"
        );
        assert!(
            self.confirmed <= self.acknowledged_len
                && self.acknowledged_len <= self.confirmed + self.unconfirmed_sum,
            "XACK answered {} for {} entries, and {} went unanswered",
            self.confirmed,
            self.acknowledged_len,
            self.unconfirmed_sum
        );
    }
}
