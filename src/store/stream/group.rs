//! Consumer groups: how far a group has read, who reads, and what is pending.
//!
//! A group changes only through [`GroupMut`], which sees the log beside it; claims are in
//! `claim`. Invariant: an entry is in a consumer's ids exactly when the pending list names that
//! consumer as its owner.
//!
//! Costs: reading n new entries is O(n) and a search; acknowledging is O(log pending).

use crate::store::meter::Meter;

use super::consumer::{Consumer, ConsumerIndex, Consumers};
use super::entry::Entry;
use super::id::StreamId;
use super::log::Log;
use super::pending::{DELIVERIES_MAX, Pending, PendingList};
use super::range::Spot;

/// Most due entries that are collected and sorted by id before a walk by id looks cheaper.
const DUE_SORT_MAX: u64 = 1024;

/// What a group does by itself. Set by the policy layer; all off at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupPolicy {
    /// After this many deliveries an entry is not delivered again but handed back as exhausted;
    /// 0 means no bound.
    pub deliveries_max: u64,
    /// A consumer without pending entries that was not seen for this long is removed by the
    /// tick; 0 means never.
    pub consumer_idle_ms_max: u64,
}

/// Why an entry is no longer pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It was acknowledged.
    Acked,
    /// It has left the stream.
    Gone,
    /// It was delivered as often as the group allows.
    Exhausted,
}

/// What became of the entries that a group handed out. At every moment *delivered = acked +
/// pending + `dead_lettered` + dropped + gone + abandoned*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupLedger {
    /// Handed out for the first time, or made pending by force.
    pub delivered: u64,
    /// Handed out again; no part of the balance.
    pub redelivered: u64,
    /// Acknowledged, or read without the need to.
    pub acked: u64,
    /// Delivered as often as the group allows, and moved to the dead-letter stream.
    pub dead_lettered: u64,
    /// The same, and let go of.
    pub dropped: u64,
    /// Left the stream before they were acknowledged.
    pub gone: u64,
    /// Pending for a consumer that was deleted.
    pub abandoned: u64,
}

impl GroupLedger {
    /// What is no longer pending.
    fn settled(&self) -> u64 {
        self.acked + self.dead_lettered + self.dropped + self.gone + self.abandoned
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) name: Box<[u8]>,
    /// Greatest id delivered.
    pub(super) last_id: StreamId,
    /// How many entries of the stream stand up to `last_id`, counting removed ones; `None` where
    /// deletions made that unknowable.
    pub(super) entries_read: Option<u64>,
    pub(super) consumers: Consumers,
    pub(super) pending: PendingList,
    pub(super) policy: GroupPolicy,
    pub(super) ledger: GroupLedger,
    /// How fast it delivers and acknowledges, and how old entries were: see `measure`.
    pub(super) meter: Option<Box<Meter>>,
    /// The greatest id delivered when it was noted, and where in the log that was: what spares
    /// a reader of one entry at a time the search for its place.
    spot: Option<(StreamId, Spot)>,
}

impl Group {
    pub(super) fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self {
            name: name.into(),
            last_id,
            entries_read,
            consumers: Consumers::default(),
            pending: PendingList::default(),
            policy: GroupPolicy::default(),
            ledger: GroupLedger::default(),
            meter: None,
            spot: None,
        }
    }

    /// The name it goes by.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Greatest id delivered.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The group's read counter, where it is known.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// Entries not yet delivered, where that can be told: Redis's rules for when it can. Below
    /// zero once XSETID has set the number of entries added below what the group has read.
    pub fn lag(&self, log: &Log) -> Option<i64> {
        if log.is_empty() {
            return Some(0);
        }
        let countable = !log.tombstone_after(self.last_id);
        if countable && self.last_id < log.first_id() {
            // Everything there is lies ahead.
            return i64::try_from(log.len()).ok();
        }
        let read = match self.entries_read {
            Some(read) if countable => Some(read),
            _ => log.position(self.last_id),
        };
        read.map(|read| log.entries_added().wrapping_sub(read).cast_signed())
    }

    /// What became of the entries that it handed out.
    pub fn ledger(&self) -> GroupLedger {
        self.ledger
    }

    /// Whether what was handed out and is not settled is pending.
    pub fn is_balanced(&self) -> bool {
        self.ledger.delivered == self.ledger.settled() + self.pending.len()
    }

    /// Notes that so many entries that were counted as dropped went to the dead-letter stream.
    pub(super) fn note_dead_lettered(&mut self, entries: u64) {
        self.ledger.dropped -= entries;
        self.ledger.dead_lettered += entries;
    }

    /// Pending entries.
    pub fn pending(&self) -> u64 {
        self.pending.len()
    }

    /// Pending entries that XNACK released and nobody claimed since.
    pub fn released(&self) -> u64 {
        self.pending.released()
    }

    /// Least and greatest pending id.
    pub fn pending_bounds(&self) -> Option<(StreamId, StreamId)> {
        self.pending.bounds()
    }

    /// One pending entry.
    pub fn pending_entry(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(id)
    }

    /// Pending entries by id.
    pub fn pending_entries(&self) -> impl Iterator<Item = Pending> + '_ {
        self.pending.iter_from(StreamId::MIN)
    }

    /// When the entry that has been idle longest will have been idle for `min_idle_ms`.
    pub fn next_due_ms(&self, min_idle_ms: u64) -> Option<u64> {
        let oldest_ms = self.pending.oldest_ms()?;
        Some(oldest_ms.saturating_add(min_idle_ms))
    }

    /// Pending entries by id; see [`PendingQuery`]. O(what is returned) where few are due or most
    /// are, never more than a walk over the range.
    pub fn pending_range(&self, query: PendingQuery, mut visit: impl FnMut(Pending)) {
        let PendingQuery {
            from, to, now_ms, ..
        } = query;
        let within = |id: StreamId| from <= id && id <= to;
        let count = usize::try_from(query.count).unwrap_or(usize::MAX);
        let wanted = |entry: &Pending| entry.idle_ms(now_ms) >= query.min_idle_ms;
        if let Some(owner) = query.owner {
            let ids = &self.consumers.get(owner).ids;
            ids.iter_from(from)
                .take_while(|&&id| id <= to)
                .filter_map(|&id| self.pending.get(id))
                .filter(wanted)
                .take(count)
                .for_each(visit);
        } else if let Some(due) = self.few_due(query.min_idle_ms, now_ms) {
            due.into_iter()
                .filter(|&id| within(id))
                .filter_map(|id| self.pending.get(id))
                .take(count)
                .for_each(&mut visit);
        } else {
            self.pending
                .iter_from(from)
                .take_while(|entry| entry.id <= to)
                .filter(wanted)
                .take(count)
                .for_each(visit);
        }
    }

    /// Ids of all due entries, in order, if there are few of them and many that are not.
    pub(super) fn few_due(&self, min_idle_ms: u64, now_ms: u64) -> Option<Vec<StreamId>> {
        if min_idle_ms == 0 {
            return None;
        }
        let bound = DUE_SORT_MAX.min(self.pending.len() / 8);
        let mut due = Vec::new();
        for id in self.pending.due(min_idle_ms, now_ms) {
            if due.len() as u64 == bound {
                return None;
            }
            due.push(id);
        }
        due.sort_unstable();
        Some(due)
    }

    /// Consumers.
    pub fn consumers_len(&self) -> usize {
        self.consumers.len()
    }

    /// Consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerIndex, &Consumer)> + '_ {
        self.consumers.iter()
    }

    /// The consumer of this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerIndex> {
        self.consumers.find(name)
    }

    /// The consumer behind an index of this group.
    ///
    /// # Panics
    /// When the consumer was deleted since the index was handed out.
    pub fn consumer(&self, index: ConsumerIndex) -> &Consumer {
        self.consumers.get(index)
    }

    /// Ids a consumer has not acknowledged, in order.
    pub fn consumer_pending(&self, index: ConsumerIndex) -> impl Iterator<Item = Pending> + '_ {
        let ids = self.consumers.get(index).ids.iter();
        ids.filter_map(|&id| self.pending.get(id))
    }

    /// What the group does by itself.
    pub fn policy(&self) -> GroupPolicy {
        self.policy
    }

    /// Bytes allocated for the group. O(consumers).
    pub fn heap_bytes(&self) -> u64 {
        let own = (size_of::<Self>() + self.name.len()) as u64;
        own + self.pending.heap_bytes() + self.consumers.heap_bytes()
    }

    /// Records a delivery: `owner` has the entry now, whoever had it before.
    pub(super) fn deliver(&mut self, id: StreamId, owner: ConsumerIndex, at_ms: u64, count: u64) {
        let old = self.pending.put(Pending {
            id,
            owner: Some(owner),
            delivered_ms: at_ms,
            deliveries: count.min(DELIVERIES_MAX),
        });
        match old {
            None => self.ledger.delivered += 1,
            Some(old) => self.ledger.redelivered += u64::from(count > old.deliveries),
        }
        let old_owner = old.and_then(|old| old.owner);
        if old_owner != Some(owner) {
            if let Some(old_owner) = old_owner {
                self.consumers.get_mut(old_owner).ids.remove(id);
            }
            self.consumers.get_mut(owner).ids.insert(id);
        }
    }

    /// Takes an entry off the pending list.
    pub(super) fn forget(&mut self, id: StreamId, why: Left) -> Option<Pending> {
        let entry = self.pending.remove(id)?;
        match why {
            Left::Acked => self.ledger.acked += 1,
            Left::Gone => self.ledger.gone += 1,
            // LOSS: max-deliveries
            Left::Exhausted => self.ledger.dropped += 1,
        }
        if let Some(owner) = entry.owner {
            self.consumers.get_mut(owner).ids.remove(id);
        }
        Some(entry)
    }

    /// Frees up to so many bytes of pending entries; true while there are more.
    pub(super) fn shed_some(&mut self, left: &mut usize) -> bool {
        self.pending.shed_some(left) || self.consumers.shed_some(left)
    }

    /// Checks that both sides of ownership agree.
    ///
    /// # Panics
    /// When that is not so.
    #[cfg(any(test, feature = "verify"))]
    pub fn verify(&self) {
        self.pending.verify();
        assert!(self.is_balanced(), "{:?}", self.ledger);
        self.consumers.verify();
        let mut owned = 0;
        for (index, consumer) in self.consumers.iter() {
            owned += consumer.pending();
            for &id in consumer.ids.iter() {
                assert_eq!(self.pending.get(id).and_then(|e| e.owner), Some(index));
            }
        }
        assert_eq!(owned + self.pending.released(), self.pending.len());
    }
}

/// Which pending entries XPENDING is to list.
#[derive(Clone, Copy, Debug)]
pub struct PendingQuery {
    /// Least id.
    pub from: StreamId,
    /// Greatest id.
    pub to: StreamId,
    /// Most entries.
    pub count: u64,
    /// Only entries idle for at least this long.
    pub min_idle_ms: u64,
    /// Only this consumer's entries.
    pub owner: Option<ConsumerIndex>,
    /// Present time.
    pub now_ms: u64,
}

/// How XNACK leaves the delivery count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NackMode {
    /// As if the last delivery had not been: one less.
    Silent,
    /// As it is.
    Fail,
    /// At its greatest, so that any bound on deliveries is passed.
    Fatal,
    /// At this value.
    Count(u64),
}

/// A group at work, with the log beside it. Entries it hands out borrow the log only, so they
/// may be kept while the group goes on.
#[derive(Debug)]
pub struct GroupMut<'a> {
    pub(super) log: &'a Log,
    pub(super) group: &'a mut Group,
    /// Entries past the bound on deliveries stay pending, and are passed over.
    pub(super) keeps_exhausted: bool,
}

impl<'a> GroupMut<'a> {
    /// The group, to look at.
    pub fn group(&self) -> &Group {
        self.group
    }

    /// From here on claims pass entries over that are past the bound on deliveries, and leave
    /// them pending: for callers that cannot dead-letter them now.
    pub fn keep_exhausted(&mut self) {
        self.keeps_exhausted = true;
    }

    /// Whether an entry was delivered as often as the group allows.
    pub(super) fn is_spent(&self, pending: &Pending) -> bool {
        let deliveries_max = self.group.policy.deliveries_max;
        deliveries_max > 0 && pending.deliveries >= deliveries_max
    }

    /// The consumer of this name, made if need be, and whether it was made. Being asked for
    /// counts as being seen.
    pub fn consumer(&mut self, name: &[u8], now_ms: u64) -> (ConsumerIndex, bool) {
        let (index, created) = self.group.consumers.find_or_create(name, now_ms);
        self.group.consumers.get_mut(index).seen_ms = now_ms;
        (index, created)
    }

    /// XGROUP CREATECONSUMER: makes a consumer; `false` if there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> bool {
        self.group.consumers.find_or_create(name, now_ms).1
    }

    /// XGROUP DELCONSUMER: removes a consumer with its pending entries and returns how many
    /// those were. The entries stay in the stream; the group will not deliver them again.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<u64> {
        let index = self.group.consumers.find(name)?;
        let consumer = self.group.consumers.remove(index)?;
        for &id in consumer.ids.iter() {
            let removed = self.group.pending.remove(id);
            self.group.ledger.abandoned += u64::from(removed.is_some());
        }
        Some(consumer.pending())
    }

    /// XREADGROUP with `>`: delivers up to `count` entries that the group has not delivered.
    ///
    /// With `noack` nothing becomes pending. Returns how many there were. O(returned).
    pub fn read_new(
        &mut self,
        reader: ConsumerIndex,
        count: u64,
        noack: bool,
        now_ms: u64,
        mut visit: impl FnMut(Entry<'a>),
    ) -> u64 {
        let log: &'a Log = self.log;
        let group = &mut *self.group;
        let Some(from) = group.last_id.next() else {
            return 0;
        };
        if from > log.last_id() {
            return 0;
        }
        let mut delivered = 0;
        let spot = group.spot.filter(|(last_id, _)| *last_id == group.last_id);
        let resumed = spot.and_then(|(_, spot)| log.resume(spot, from));
        let mut entries = resumed.unwrap_or_else(|| log.range(from, StreamId::MAX));
        while delivered < count
            && let Some(entry) = entries.next()
        {
            group.entries_read = match group.entries_read {
                Some(read) if log.counts_on_from(group.last_id) => Some(read + 1),
                _ => log.position(entry.id),
            };
            group.last_id = entry.id;
            group.note_wait(entry.id, now_ms);
            if noack {
                group.ledger.delivered += 1;
                group.ledger.acked += 1;
            } else {
                group.deliver(entry.id, reader, now_ms, 1);
            }
            visit(entry);
            delivered += 1;
        }
        if delivered > 0 {
            group.spot = entries.spot().map(|spot| (group.last_id, spot));
        }
        if delivered > 0 && !noack {
            group.consumers.get_mut(reader).active_ms = Some(now_ms);
        }
        delivered
    }

    /// XREADGROUP with an id: the reader's own pending entries past `after`, each counted as
    /// delivered again unless it is gone from the stream; then `visit` gets no entry.
    pub fn read_history(
        &mut self,
        reader: ConsumerIndex,
        after: StreamId,
        count: u64,
        now_ms: u64,
        mut visit: impl FnMut(StreamId, Option<Entry<'a>>),
    ) {
        let Some(from) = after.next() else {
            return;
        };
        let log: &'a Log = self.log;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let ids = &self.group.consumers.get(reader).ids;
        let ids: Vec<StreamId> = ids.iter_from(from).take(count).copied().collect();
        let mut seeker = log.seeker();
        for id in ids {
            let entry = seeker.seek(id);
            if entry.is_some()
                && let Some(pending) = self.group.pending.get(id)
            {
                self.group
                    .deliver(id, reader, now_ms, pending.deliveries + 1);
            }
            visit(id, entry);
        }
    }

    /// XACK: takes the entry off the pending list; whether it was there.
    pub fn ack(&mut self, id: StreamId) -> bool {
        self.group.forget(id, Left::Acked).is_some()
    }

    /// XNACK: takes the entry from its owner and puts it at the head of what is due; whether it
    /// was pending. With `force` an entry of the stream that is not pending becomes so.
    pub fn nack(&mut self, id: StreamId, mode: NackMode, force: bool) -> bool {
        let old = match self.group.pending.get(id) {
            Some(old) => Some(old),
            None if force && self.log.get(id).is_some() => None,
            None => return false,
        };
        let deliveries = old.map_or(0, |old| old.deliveries);
        let deliveries = match mode {
            NackMode::Silent => deliveries.saturating_sub(1),
            NackMode::Fail => deliveries,
            NackMode::Fatal => DELIVERIES_MAX,
            NackMode::Count(count) => count.min(DELIVERIES_MAX),
        };
        self.group.pending.put(Pending {
            id,
            owner: None,
            delivered_ms: 0,
            deliveries,
        });
        self.group.ledger.delivered += u64::from(old.is_none());
        if let Some(owner) = old.and_then(|old| old.owner) {
            self.group.consumers.get_mut(owner).ids.remove(id);
        }
        true
    }

    /// XGROUP SETID: moves the group's place. Pending entries stay.
    /// A read counter past what was ever added is taken back to that.
    pub fn set_id(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        let added = self.log.entries_added();
        self.group.last_id = last_id;
        self.group.entries_read = entries_read.map(|read| read.min(added));
    }

    /// XCLAIM LASTID: moves the group's place forward, never back.
    pub fn raise_last_id(&mut self, last_id: StreamId) {
        self.group.last_id = self.group.last_id.max(last_id);
    }

    /// Says what the group is to do by itself.
    pub fn set_policy(&mut self, policy: GroupPolicy) {
        self.group.policy = policy;
    }

    /// Removes consumers that own nothing and were not seen for as long as the policy allows;
    /// returns how many. For the background tick; O(consumers).
    pub fn expire_consumers(&mut self, now_ms: u64) -> u64 {
        let idle_ms_max = self.group.policy.consumer_idle_ms_max;
        if idle_ms_max == 0 {
            return 0;
        }
        let is_idle = |consumer: &Consumer| now_ms.saturating_sub(consumer.seen_ms) >= idle_ms_max;
        self.group.consumers.remove_where(is_idle)
    }
}
