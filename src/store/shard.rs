//! A share of the keys: the tables of all databases, their deadlines, and who waits for them.
//!
//! Reached only through [`Held`](super::Held), so every method runs under the shard's lock.
//! Invariants: no stored list is empty once a command is over; every key with a deadline stands in
//! `deadlines`; a key that came to life while somebody waits for it stands in `ready`.

mod delayed;
mod queues;
mod streams;
mod timed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::DATABASES;
use crate::policy::Policies;

use super::deadlines::Deadlines;
use super::hash::Hash;
use super::key::{Key, ShardSet};
use super::ledger::{Cause, Ledger};
use super::lines::{Lines, WaitKey};
use super::queue::Queue;
use super::reclaim::{self, HEAVY_BYTES_MIN, SLICE_BYTES, Shed};
use super::set::Set;
use super::sorted_set::SortedSet;
use super::stream::Stream;
use super::table::{IntoIter, Table};
use super::value::{Kind, Text, Value};
use super::vanished::Vanished;
use super::watch::WatchList;

/// A key with its value: one cache line.
#[derive(Debug)]
pub struct Entry {
    name: Box<[u8]>,
    hash: u64,
    /// Wall clock in milliseconds; 0 is never.
    deadline_ms: u64,
    /// Wall clock of the last access in quarters of a second (see [`quarters`]), for OBJECT IDLETIME.
    used: u32,
    /// What the key holds.
    pub value: Value,
}

const _: () = assert!(size_of::<Entry>() == 64, "large values are boxed");

impl Entry {
    /// The key's bytes.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The hash of its name.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// When it expires, in milliseconds since the epoch.
    pub fn deadline_ms(&self) -> Option<u64> {
        (self.deadline_ms != 0).then_some(self.deadline_ms)
    }

    /// Whole seconds since the last access, right to half a unit.
    pub fn idle_s(&self, now_ms: u64) -> u64 {
        let idle = u64::from(quarters(now_ms).wrapping_sub(self.used));
        (idle * QUARTER_MS + QUARTER_MS / 2) / 1000
    }

    /// Name, hash and value, the last for changing what is measured of it.
    pub(super) fn parts_mut(&mut self) -> (&[u8], u64, &mut Value) {
        (&self.name, self.hash, &mut self.value)
    }

    /// Bytes that the key and its value take.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.value.heap_bytes()
    }

    /// Whether its time is over: it is gone for every reader, though not yet removed.
    #[inline]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.deadline_ms != 0 && self.deadline_ms <= now_ms
    }
}

/// Milliseconds of the unit in which accesses are noted: a power of two near a quarter of a second.
const QUARTER_MS: u64 = 256;

/// A wall-clock moment in that unit. It wraps after 34 years, long after any access.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "it may wrap")]
pub(super) fn quarters(now_ms: u64) -> u32 {
    (now_ms / QUARTER_MS) as u32
}

/// The key holds another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A key that may serve somebody who waits for it.
#[derive(Debug)]
pub struct Ready {
    /// Ascending over all shards, so that keys are served in the order in which they became ready.
    pub order: u64,
    /// The key.
    pub key: WaitKey,
}

impl Ready {
    fn new(key: WaitKey) -> Self {
        static ORDER: AtomicU64 = AtomicU64::new(0);
        Self {
            order: ORDER.fetch_add(1, Ordering::Relaxed),
            key,
        }
    }
}

/// What time took of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it, as its own deadline passed.
    Key,
    /// Some fields of its hash.
    Fields,
    /// The last fields of its hash, and so the key.
    LastFields,
}

/// A key that expired, in whole or in part, for those who want to be told.
#[derive(Debug)]
pub struct Expired {
    /// Its database.
    pub db: u8,
    /// Its bytes.
    pub name: Box<[u8]>,
    /// What has gone.
    pub loss: Loss,
}

/// What one key with a small value takes, allocations included.
const ENTRY_BYTES: usize = 128;

pub use delayed::Delayed;
use delayed::{Ids, Waiting};
pub use queues::{Sheddable, Slot};
pub use streams::StreamSlot;
use streams::wants_tending;
use timed::Timed;

/// The keys of databases that were emptied. Heavy values among them hand themselves over.
struct Entries(Vec<IntoIter<Entry>>);

impl Shed for Entries {
    fn shed(&mut self) -> bool {
        let mut freed = 0;
        while freed < SLICE_BYTES {
            let Some(table) = self.0.last_mut() else {
                return false;
            };
            match table.next() {
                Some(entry) => freed += ENTRY_BYTES.max(entry.heap_bytes().min(HEAVY_BYTES_MIN)),
                None => drop(self.0.pop()),
            }
        }
        true
    }
}

#[derive(Debug)]
struct Database {
    table: Table<Entry>,
    /// How many of its keys have a deadline.
    expiring_len: usize,
    /// How many of its hashes have fields with deadlines.
    timed_len: usize,
    /// The account of its queues, those whose keys have gone included.
    ledger: Ledger,
    /// The account of its streams, likewise.
    streams: Ledger,
}

/// A share of the keyspace.
#[derive(Debug)]
pub struct Shard {
    dbs: Vec<Database>,
    deadlines: Deadlines,
    /// The earliest deadline of a field of each hash that has any.
    field_deadlines: Deadlines,
    /// Who waits for keys of this shard.
    pub lines: Lines,
    /// Transactions that watch keys of this shard.
    pub watched: WatchList,
    /// Keys that changed in a way that may serve those who wait for them. Whoever holds the shard
    /// serves them before letting go.
    pub ready: Vec<Ready>,
    /// Keys that expired since somebody last took this list.
    pub expired: Vec<Expired>,
    /// All keys that expired, by traffic or by time.
    pub expired_total: u64,
    /// All fields of hashes that expired, by traffic or by time.
    pub expired_fields_total: u64,
    /// Queues that drained.
    vanished: Vanished,
    /// The policies, if any is for queues or streams.
    policies: Option<Arc<Policies>>,
    /// The shards of all dead-letter queues, on which pushes and pops may spill.
    dead_letters: ShardSet,
    /// Queues that time changes.
    timed: Timed,
    /// Messages that wait for their time.
    waiting: Waiting,
    /// Ids of messages that came lately.
    ids: Ids,
    /// Queues that came to their key with more than their policy allows, or that time changes.
    /// Whoever holds the shard cuts and schedules them before letting go.
    pub unsettled: Vec<WaitKey>,
    /// How often the accounts were checked.
    looks: usize,
    /// Entries of streams that were delivered too often and went to a dead-letter stream.
    pub dead_lettered: u64,
    /// Entries of streams that were delivered too often and that their group let go of.
    pub exhausted: u64,
    /// Streams that do something by themselves, for the tick to see to.
    tended: Vec<WaitKey>,
    /// The last moment that anybody brought along, in quarters of a second: when a key is inserted.
    /// The ticks that expire keys keep it fresh.
    used: u32,
}

impl Shard {
    /// An empty shard; `skip_bits` of a position are the same for all its keys.
    pub(super) fn new(skip_bits: u32) -> Self {
        let database = || Database {
            table: Table::new(skip_bits),
            expiring_len: 0,
            timed_len: 0,
            ledger: Ledger::default(),
            streams: Ledger::default(),
        };
        Self {
            dbs: (0..DATABASES).map(|_| database()).collect(),
            deadlines: Deadlines::default(),
            field_deadlines: Deadlines::default(),
            lines: Lines::default(),
            watched: WatchList::default(),
            ready: Vec::new(),
            expired: Vec::new(),
            expired_total: 0,
            expired_fields_total: 0,
            vanished: Vanished::default(),
            policies: None,
            dead_letters: ShardSet::EMPTY,
            timed: Timed::default(),
            waiting: Waiting::default(),
            ids: Ids::default(),
            unsettled: Vec::new(),
            looks: 0,
            dead_lettered: 0,
            exhausted: 0,
            tended: Vec::new(),
            used: 0,
        }
    }

    /// The entry of a key, unless it has expired: then it is removed first. Notes the access.
    #[inline]
    pub fn entry(&mut self, key: &Key, now_ms: u64) -> Option<&mut Entry> {
        let used = quarters(now_ms);
        self.used = used;
        let entry = self.look(key, now_ms)?;
        entry.used = used;
        Some(entry)
    }

    /// The entry of a key, unless it has expired, for those whose looks are no use of the key.
    #[inline]
    pub fn peek(&mut self, key: &Key, now_ms: u64) -> Option<&Entry> {
        self.look(key, now_ms).map(|entry| &*entry)
    }

    /// One probe, whether the key has a deadline or not.
    #[inline]
    pub(super) fn look(&mut self, key: &Key, now_ms: u64) -> Option<&mut Entry> {
        let db = usize::from(key.db);
        if self.dbs[db].expiring_len == 0 {
            return self.dbs[db]
                .table
                .find_mut(key.hash, |entry| key.is_named(&entry.name));
        }
        let database = &self.dbs[db];
        let place = database
            .table
            .locate(key.hash, |entry| key.is_named(&entry.name))?;
        if database.table.at(place)?.is_due(now_ms) {
            self.expire(key);
            return None;
        }
        self.dbs[db].table.at_mut(place)
    }

    /// The value of a key.
    #[inline]
    pub fn value(&mut self, key: &Key, now_ms: u64) -> Option<&mut Value> {
        self.entry(key, now_ms).map(|entry| &mut entry.value)
    }

    /// Whether the key exists. Asking is no use of the key.
    pub fn exists(&mut self, key: &Key, now_ms: u64) -> bool {
        self.peek(key, now_ms).is_some()
    }

    /// The list at a key.
    #[inline]
    pub fn queue(&mut self, key: &Key, now_ms: u64) -> Result<Option<&mut Queue>, WrongType> {
        match self.value(key, now_ms) {
            None => Ok(None),
            Some(Value::Queue(queue)) => Ok(Some(queue)),
            Some(_) => Err(WrongType),
        }
    }

    /// The stream at a key.
    #[inline]
    pub fn stream(&mut self, key: &Key, now_ms: u64) -> Result<Option<&mut Stream>, WrongType> {
        if !self.tended.is_empty() {
            self.drop_overdue(key, now_ms);
        }
        match self.value(key, now_ms) {
            None => Ok(None),
            Some(Value::Stream(stream)) => {
                stream.touch(quarters(now_ms));
                Ok(Some(stream))
            }
            Some(_) => Err(WrongType),
        }
    }

    /// The sorted set at a key.
    #[inline]
    pub fn sorted_set(
        &mut self,
        key: &Key,
        now_ms: u64,
    ) -> Result<Option<&mut SortedSet>, WrongType> {
        match self.value(key, now_ms) {
            None => Ok(None),
            Some(Value::SortedSet(set)) => Ok(Some(set)),
            Some(_) => Err(WrongType),
        }
    }

    /// The string at a key.
    #[inline]
    pub fn text(&mut self, key: &Key, now_ms: u64) -> Result<Option<&mut Text>, WrongType> {
        match self.value(key, now_ms) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    /// The hash at a key. Whoever changes deadlines of its fields, or may have, calls
    /// [`Shard::note_fields`] afterwards.
    #[inline]
    pub fn hash(&mut self, key: &Key, now_ms: u64) -> Result<Option<&mut Hash>, WrongType> {
        match self.value(key, now_ms) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(WrongType),
        }
    }

    /// The set at a key.
    #[inline]
    pub fn set(&mut self, key: &Key, now_ms: u64) -> Result<Option<&mut Set>, WrongType> {
        match self.value(key, now_ms) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(WrongType),
        }
    }

    /// The entry of a key as it stands, expired or not: for looking at several keys at once, after
    /// [`Shard::entry`] has seen to each.
    #[inline]
    pub fn standing(&self, key: &Key) -> Option<&Entry> {
        self.dbs[usize::from(key.db)]
            .table
            .find(key.hash, |entry| *entry.name == *key.name)
    }

    /// Takes note of the earliest deadline of a field of the hash at a key, if it holds one.
    pub fn note_fields(&mut self, key: &Key) {
        let database = &mut self.dbs[usize::from(key.db)];
        let found = database
            .table
            .find_mut(key.hash, |entry| *entry.name == *key.name);
        let Some(Value::Hash(hash)) = found.map(|entry| &mut entry.value) else {
            return;
        };
        let (noted_ms, first_ms) = (hash.noted_ms(), hash.first_deadline_ms().unwrap_or(0));
        if noted_ms == first_ms {
            return;
        }
        hash.set_noted_ms(first_ms);
        if noted_ms != 0 {
            database.timed_len -= 1;
            self.field_deadlines.remove(noted_ms, key.db, key.hash);
        }
        if first_ms != 0 {
            database.timed_len += 1;
            self.field_deadlines.insert(first_ms, key.db, key.hash);
        }
    }

    /// Forgets what was noted of a value that leaves its key.
    #[inline]
    fn forget_fields(&mut self, db: u8, hash: u64, value: &mut Value) {
        if let Value::Hash(fields) = value
            && fields.noted_ms() != 0
        {
            self.field_deadlines.remove(fields.noted_ms(), db, hash);
            self.dbs[usize::from(db)].timed_len -= 1;
            fields.set_noted_ms(0);
        }
    }

    /// Puts a value at a key, in place of what was there; its deadline is as given.
    /// Returns the old value, for freeing after the lock is let go.
    pub fn insert(
        &mut self,
        key: &Key,
        mut value: Value,
        deadline_ms: Option<u64>,
    ) -> Option<Value> {
        let used = self.used;
        let found = self.dbs[usize::from(key.db)]
            .table
            .locate(key.hash, |entry| key.is_named(&entry.name));
        let Some(place) = found else {
            self.insert_new(key, value, deadline_ms);
            return None;
        };
        let (is_text, is_hash) = (value.kind() == Kind::Text, value.kind() == Kind::Hash);
        self.welcome_value(key, &mut value);
        let is_tended = wants_tending(&value);
        let database = &mut self.dbs[usize::from(key.db)];
        let entry = database.table.at_mut(place)?;
        entry.used = used;
        let mut old = std::mem::replace(&mut entry.value, value);
        database.book_out(&old);
        self.forget_fields(key.db, key.hash, &mut old);
        if is_hash {
            self.note_fields(key);
        }
        self.set_deadline(key, deadline_ms);
        if is_tended {
            self.tend(key);
        }
        // Whoever waits for a stream learns that it has gone. Nothing else that goes makes a key
        // ready: its place in the order of service is that of what comes.
        if !is_text || old.kind() == Kind::Stream {
            self.mark_ready(key);
        }
        Some(old)
    }

    /// Puts a value at a key that the caller knows to be absent, without looking for it again.
    #[inline]
    pub fn insert_new(&mut self, key: &Key, mut value: Value, deadline_ms: Option<u64>) {
        let is_text = value.kind() == Kind::Text;
        let is_timed = matches!(&value, Value::Hash(hash) if hash.first_deadline_ms().is_some());
        self.welcome_value(key, &mut value);
        let is_tended = wants_tending(&value);
        let entry = Entry {
            name: key.name.into(),
            hash: key.hash,
            deadline_ms: 0,
            used: self.used,
            value,
        };
        self.dbs[usize::from(key.db)]
            .table
            .insert_unique(key.hash, entry, Entry::hash);
        if deadline_ms.is_some() {
            self.set_deadline(key, deadline_ms);
        }
        if is_timed {
            self.note_fields(key);
        }
        if is_tended {
            self.tend(key);
        }
        if !is_text {
            self.mark_ready(key);
        }
    }

    /// Removes a key. Its value comes back for freeing after the lock is let go.
    pub fn remove(&mut self, key: &Key) -> Option<Entry> {
        let database = &mut self.dbs[usize::from(key.db)];
        let mut entry =
            database
                .table
                .remove(key.hash, |entry| key.is_named(&entry.name), Entry::hash)?;
        if entry.deadline_ms != 0 {
            database.expiring_len -= 1;
            self.deadlines.remove(entry.deadline_ms, key.db, key.hash);
        }
        database.book_out(&entry.value);
        self.forget_fields(key.db, key.hash, &mut entry.value);
        if entry.value.kind() == Kind::Stream {
            self.mark_ready(key);
        }
        Some(entry)
    }

    /// Removes the key if its list has drained; says whether it did.
    #[inline]
    pub fn remove_if_drained(&mut self, key: &Key) -> bool {
        let database = &mut self.dbs[usize::from(key.db)];
        let found = database
            .table
            .find(key.hash, |entry| key.is_named(&entry.name));
        let drained = match found.map(|entry| &entry.value) {
            Some(Value::Queue(queue)) => queue.is_empty(),
            _ => false,
        };
        if drained {
            self.remove(key);
        }
        drained
    }

    /// Sets or, with `None`, forgets when a key expires. Nothing happens where there is no key.
    pub fn set_deadline(&mut self, key: &Key, deadline_ms: Option<u64>) {
        let database = &mut self.dbs[usize::from(key.db)];
        let found = database
            .table
            .find_mut(key.hash, |entry| key.is_named(&entry.name));
        let Some(entry) = found else { return };
        let deadline_ms = deadline_ms.unwrap_or(0);
        let old = std::mem::replace(&mut entry.deadline_ms, deadline_ms);
        if old == deadline_ms {
            return;
        }
        if old != 0 {
            database.expiring_len -= 1;
            self.deadlines.remove(old, key.db, key.hash);
        }
        if deadline_ms != 0 {
            database.expiring_len += 1;
            self.deadlines.insert(deadline_ms, key.db, key.hash);
        }
    }

    /// Whether commands left something to do before the shard is let go: waiters to serve, expired
    /// keys to tell of.
    #[inline]
    pub fn has_aftermath(&self) -> bool {
        !self.ready.is_empty() || !self.expired.is_empty() || !self.unsettled.is_empty()
    }

    /// Whether a command that writes here may have to touch other shards: to serve who waits, or
    /// to leave dead letters.
    #[inline]
    pub fn reaches_out(&self) -> bool {
        !self.lines.is_empty() || !self.dead_letters.is_empty()
    }

    /// Notes that a key may now serve those who wait for it.
    #[inline]
    pub fn mark_ready(&mut self, key: &Key) {
        if !self.lines.is_empty() && self.lines.get(key).is_some() {
            self.push_ready(key);
        }
    }

    #[cold]
    fn push_ready(&mut self, key: &Key) {
        let stands = |ready: &Ready| ready.key.db == key.db && *ready.key.name == *key.name;
        if !self.ready.iter().any(stands) {
            self.ready.push(Ready::new(key.into()));
        }
    }

    /// Removes a key whose deadline has passed.
    #[cold]
    fn expire(&mut self, key: &Key) {
        if let Some(entry) = self.remove(key) {
            // LOSS: expired-key
            self.let_go(key.db, Cause::ExpiredKey, entry);
        }
        self.note_expired(key);
    }

    fn note_expired(&mut self, key: &Key) {
        self.expired_total += 1;
        self.watched.changed(key);
        self.push_expired(key, Loss::Key);
    }

    fn push_expired(&mut self, key: &Key, loss: Loss) {
        self.expired.push(Expired {
            db: key.db,
            name: key.name.into(),
            loss,
        });
    }

    /// Removes up to `limit` keys whose deadline has passed, earliest first; their values come
    /// back for freeing after the lock is let go. Fewer than `limit`: none is due any more.
    pub fn expire_due(&mut self, now_ms: u64, limit: usize) -> Vec<Entry> {
        self.used = quarters(now_ms);
        let mut removed = Vec::new();
        while removed.len() < limit {
            let Some((db, hash)) = self.deadlines.pop_due(now_ms) else {
                break;
            };
            let database = &mut self.dbs[usize::from(db)];
            if let Some(mut entry) =
                database
                    .table
                    .remove(hash, |entry| entry.is_due(now_ms), Entry::hash)
            {
                database.expiring_len -= 1;
                // LOSS: expired-key
                database.lose(Cause::ExpiredKey, &entry.value);
                self.forget_fields(db, hash, &mut entry.value);
                let key = Key {
                    db,
                    hash,
                    name: &entry.name,
                };
                self.note_expired(&key);
                self.mark_ready(&key);
                removed.push(entry);
            }
        }
        removed
    }

    /// Removes up to `limit` fields whose deadline has passed from the hashes that have them; hashes
    /// left without fields come back for freeing after the lock is let go. Returns also how many
    /// fields went: fewer than `limit` means that none is due any more.
    pub fn expire_fields_due(&mut self, now_ms: u64, limit: usize) -> (Vec<Entry>, usize) {
        let (mut emptied, mut removed) = (Vec::new(), 0);
        while removed < limit {
            let Some((db, hash)) = self.field_deadlines.pop_due(now_ms) else {
                break;
            };
            let database = &mut self.dbs[usize::from(db)];
            let is_due = |entry: &Entry| {
                matches!(&entry.value, Value::Hash(fields)
                    if (1..=now_ms).contains(&fields.noted_ms()))
            };
            let Some(entry) = database.table.find_mut(hash, is_due) else {
                continue;
            };
            let Value::Hash(fields) = &mut entry.value else {
                continue;
            };
            database.timed_len -= 1;
            fields.set_noted_ms(0);
            let gone = fields.expire_due(now_ms, limit - removed);
            let is_empty = fields.is_empty();
            removed += gone;
            let name = entry.name.clone();
            let key = Key {
                db,
                hash,
                name: &name,
            };
            self.note_fields(&key);
            if gone > 0 {
                self.note_expired_fields(&key, gone, is_empty);
            }
            if is_empty {
                emptied.extend(self.remove(&key));
            }
        }
        (emptied, removed)
    }

    /// Counts fields that expired, and leaves word of it.
    fn note_expired_fields(&mut self, key: &Key, fields_len: usize, is_last: bool) {
        self.expired_fields_total += fields_len as u64;
        self.watched.changed(key);
        let loss = if is_last {
            Loss::LastFields
        } else {
            Loss::Fields
        };
        self.push_expired(key, loss);
    }

    /// How many hashes of a database have fields with deadlines.
    pub fn timed_len(&self, db: u8) -> usize {
        self.dbs[usize::from(db)].timed_len
    }

    /// How many keys a database has here, expired ones that nobody asked for included.
    pub fn keys_len(&self, db: u8) -> usize {
        self.dbs[usize::from(db)].table.len()
    }

    /// How many keys of a database have a deadline.
    pub fn expiring_len(&self, db: u8) -> usize {
        self.dbs[usize::from(db)].expiring_len
    }

    /// How many keys a database has here that have not expired.
    pub fn live_len(&self, db: u8, now_ms: u64) -> usize {
        self.keys_len(db) - self.deadlines.due_len(db, now_ms)
    }

    /// The sum of the deadlines of a database's keys, in milliseconds since the epoch.
    pub fn deadlines_sum_ms(&self, db: u8) -> u128 {
        self.deadlines.sum_ms(db)
    }

    /// The table of a database, for walking it.
    pub fn table(&self, db: u8) -> &Table<Entry> {
        &self.dbs[usize::from(db)].table
    }

    /// Empties a database. The table comes back for freeing after the lock is let go.
    pub fn take_database(&mut self, db: u8) -> IntoIter<Entry> {
        self.flush_delayed(db);
        let database = &mut self.dbs[usize::from(db)];
        let table = &database.table;
        let hit = |key: &Key| {
            table
                .find(key.hash, |entry| key.is_named(&entry.name))
                .is_some()
        };
        self.watched.changed_where(db, hit);
        let ready: Vec<WaitKey> = self
            .lines
            .keys_of(db)
            .filter(|key| hit(&key.as_key()))
            .cloned()
            .collect();
        self.ready.extend(ready.into_iter().map(Ready::new));
        self.deadlines.clear_database(db);
        self.field_deadlines.clear_database(db);
        database.timed_len = 0;
        self.vanished.forget_database(db);
        database.expiring_len = 0;
        for ledger in [&mut database.ledger, &mut database.streams] {
            let held = ledger.held();
            // LOSS: flushed
            ledger.lost.add(Cause::Flushed, held);
        }
        database.table.clear()
    }

    /// Frees what [`Shard::take_database`] took, elsewhere if it is much.
    pub fn free(tables: Vec<IntoIter<Entry>>) {
        let keys_len: usize = tables.iter().map(ExactSizeIterator::len).sum();
        reclaim::free(Entries(tables), keys_len * ENTRY_BYTES);
    }

    /// Swaps two databases, and marks the keys that somebody waits for in either.
    pub fn swap_databases(&mut self, a: u8, b: u8) {
        for (db, other) in [(a, b), (b, a)] {
            let (table, other) = (
                &self.dbs[usize::from(db)].table,
                &self.dbs[usize::from(other)].table,
            );
            let holds = |table: &Table<Entry>, key: &Key| {
                table
                    .find(key.hash, |entry| key.is_named(&entry.name))
                    .is_some()
            };
            self.watched
                .changed_where(db, |key| holds(table, key) || holds(other, key));
            let ready: Vec<WaitKey> = self.lines.keys_of(db).cloned().collect();
            self.ready.extend(ready.into_iter().map(Ready::new));
        }
        for db in [a, b] {
            self.vanished.forget_database(db);
        }
        for listed in &mut self.tended {
            match listed.db {
                db if db == a => listed.db = b,
                db if db == b => listed.db = a,
                _ => {}
            }
        }
        self.swap_delayed(a, b);
        self.dbs.swap(usize::from(a), usize::from(b));
        self.deadlines.swap_databases(a, b);
        self.field_deadlines.swap_databases(a, b);
    }
}
