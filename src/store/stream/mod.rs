//! Streams: logs of entries with consumer groups.
//!
//! A stream is its log ([`Log`]: entries in segments), its groups ([`Group`]: who has read how
//! far, and what is pending), and what it remembers of its producers ([`Idempotence`]). The log
//! knows nothing of groups; groups read the log and never change it; only this type and `trim`
//! touch both, because an entry that leaves may be referenced.
//!
//! Reading order: `id`, `entry`, `segment` (with `varint`, `node_size`), `sorted`, `radix`, `log`, `range`,
//! `pending`, `consumer`, `group`, `claim`, `trim`, `idempotence`, `policy`, `measure`, `shed`. Time is handed in as Unix milliseconds.
//! Nothing here knows the protocol: commands parse, call, and write replies from the views they
//! are handed.

use std::sync::Arc;

use super::ledger::{Ledger, Losses, Tally};
use super::meter::Meter;
use crate::policy::Governed;

mod claim;
mod consumer;
#[cfg(test)]
pub mod dice;
mod entry;
mod group;
mod id;
mod idempotence;
mod log;
mod measure;
#[cfg(test)]
mod model_tests;
mod node_size;
mod pending;
mod policy;
mod radix;
mod range;
mod segment;
mod shed;
mod sorted;
#[cfg(test)]
mod tests;
mod trim;
mod varint;

pub use claim::{AutoclaimOptions, ClaimOptions, Claimed, ClaimedEntry, Exhausted};
pub use consumer::{Consumer, ConsumerIndex};
pub use entry::{Entry, Fields};
pub use group::{Group, GroupLedger, GroupMut, GroupPolicy, NackMode, PendingQuery};
pub use id::{IdText, StreamId};
pub use idempotence::{EntryMark, Idempotence, IdempotenceLimits};
pub use log::{AddError, Log, NewId, SetIdError};
pub use pending::{DELIVERIES_MAX, Pending};
pub use policy::Tended;
pub use range::{Range, RangeRev, Seeker};
pub use segment::NodeLimits;
pub use shed::free_group;
pub use trim::{Deleted, References, Trim, TrimTo};

/// A stream. A clone is independent of the original, and its account begins with what it holds:
/// COPY.
#[derive(Debug, Default)]
pub struct Stream {
    log: Log,
    /// Groups in the order of their names, in which XINFO lists them. Streams have few.
    #[allow(
        clippy::vec_box,
        reason = "a group is large, and most streams have one"
    )]
    groups: Vec<Box<Group>>,
    idempotence: Option<Box<Idempotence>>,
    governed: Option<Arc<Governed>>,
    /// Entries that were ever added, with their payload bytes.
    came: Tally,
    /// Entries that a group was done with and had deleted.
    out: Tally,
    /// Entries that went otherwise. What came is what went out, was lost, or is there.
    lost: Losses,
    /// Whether it is in the account of a database: written by its shard.
    pub(super) is_booked: bool,
    /// When its shard is to look after it, on the wall clock; 0 is never.
    look_ms: u64,
    /// The quarter of a second of the last use: see `measure`.
    rolled: u32,
    /// How fast entries come, once there is something to measure.
    meter: Option<Box<Meter>>,
}

impl Clone for Stream {
    fn clone(&self) -> Self {
        Self {
            log: self.log.clone(),
            groups: self.groups.clone(),
            idempotence: self.idempotence.clone(),
            governed: self.governed.clone(),
            came: self.held(),
            out: Tally::default(),
            lost: Losses::default(),
            is_booked: false,
            look_ms: 0,
            rolled: 0,
            meter: None,
        }
    }
}

impl Stream {
    /// An empty stream. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries, to read.
    #[inline]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// XADD: appends an entry; `pairs` are names and values in turn, at least one pair. About
    /// 40 ns and a copy. Trimming is a call of its own: [`Stream::trim`].
    #[inline]
    pub fn add<A: AsRef<[u8]>>(
        &mut self,
        new: NewId,
        pairs: &[A],
        limits: NodeLimits,
        now_ms: u64,
    ) -> Result<StreamId, AddError> {
        let before = self.held();
        let id = self.log.append(new, pairs, limits, now_ms)?;
        self.came += self.held() - before;
        Ok(id)
    }

    /// Entries that are there, with their payload bytes.
    #[inline]
    pub fn held(&self) -> Tally {
        Tally {
            messages: self.log.len(),
            bytes: self.log.payload_bytes(),
        }
    }

    /// Its account.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.came, self.out, Tally::default(), self.lost.clone())
    }

    /// Whether it holds what came and has not gone, and so for what its groups handed out.
    /// O(groups).
    pub fn is_balanced(&self) -> bool {
        self.ledger().held() == self.held() && self.groups().all(Group::is_balanced)
    }

    /// XSETID.
    pub fn set_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        self.log.set_id(last_id, entries_added, max_deleted_id)
    }

    /// XGROUP CREATE: makes a group that has read up to `last_id`; `false` if the name is taken.
    /// A read counter past what was ever added is taken back to that.
    pub fn create_group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        let Err(place) = self.find_group(name) else {
            return false;
        };
        let added = self.log.entries_added();
        let mut group = Group::new(name, last_id, entries_read.map(|read| read.min(added)));
        group.policy = self.group_policy();
        self.groups
            .reserve_exact(usize::from(self.groups.is_empty()));
        self.groups.insert(place, Box::new(group));
        true
    }

    /// XGROUP DESTROY: removes a group and returns it, so that dropping a long pending list can
    /// happen outside the shard's lock.
    pub fn destroy_group(&mut self, name: &[u8]) -> Option<Box<Group>> {
        let place = self.find_group(name).ok()?;
        Some(self.groups.remove(place))
    }

    fn find_group(&self, name: &[u8]) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| group.name().cmp(name))
    }

    /// A group, to look at.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        let place = self.find_group(name).ok()?;
        Some(&self.groups[place])
    }

    /// A group, to work with.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<GroupMut<'_>> {
        let place = self.find_group(name).ok()?;
        Some(self.group_at(place))
    }

    fn group_at(&mut self, place: usize) -> GroupMut<'_> {
        GroupMut {
            log: &self.log,
            group: &mut self.groups[place],
            keeps_exhausted: false,
        }
    }

    /// Notes that so many entries of a group that were counted as dropped went to the dead-letter
    /// stream.
    pub(super) fn note_dead_lettered(&mut self, group: &[u8], entries: u64) {
        if let Ok(place) = self.find_group(group) {
            self.groups[place].note_dead_lettered(entries);
        }
    }

    /// Groups in the order of their names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group> + '_ {
        self.groups.iter().map(|group| &**group)
    }

    /// What is remembered of producers, if any ever asked for it.
    pub fn idempotence(&self) -> Option<&Idempotence> {
        self.idempotence.as_deref()
    }

    /// What is remembered of producers, to change; made with these limits if there is none.
    pub fn idempotence_mut(&mut self, limits: IdempotenceLimits) -> &mut Idempotence {
        self.idempotence
            .get_or_insert_with(|| Box::new(Idempotence::new(limits)))
    }

    /// Bytes allocated; O(groups and consumers). MEMORY USAGE.
    pub fn heap_bytes(&self) -> u64 {
        let groups: u64 = self.groups().map(Group::heap_bytes).sum();
        let known = self.idempotence().map_or(0, Idempotence::heap_bytes);
        self.log.heap_bytes()
            + groups
            + known
            + (self.groups.capacity() * size_of::<usize>()) as u64
    }

    /// Checks that every invariant of the stream holds. O(everything).
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        self.log.verify();
        assert!(self.is_balanced(), "{:?}", self.ledger());
        for group in &self.groups {
            group.verify();
        }
    }
}
