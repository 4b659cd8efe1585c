//! A share of the keys: the tables of all databases, their deadlines, and who waits for them.
//!
//! Reached only through [`Held`](super::Held), so every method runs under the shard's lock.
//! Invariants: no stored list is empty once a command is over; every key with a deadline stands in
//! `deadlines`; a key that came to life while somebody waits for it stands in `ready`.

mod databases;
mod delayed;
mod entry;
mod expiry;
mod queues;
mod streams;
mod timed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::DATABASES;
use crate::policy::Policies;

use super::cold::COLD_LEN_MIN;
use super::deadlines::Deadlines;
use super::hash::Hash;
use super::key::{Hasher, Key, ShardSet};
use super::ledger::Ledger;
use super::lines::{Lines, WaitKey};
use super::meter::quarters;
use super::queue::Queue;
use super::set::Set;
use super::sorted_set::SortedSet;
use super::stream::Stream;
use super::table::Table;
use super::value::{Kind, Text, Value};
use super::vanished::Vanished;
use super::watch::WatchList;

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

pub use delayed::Delayed;
use delayed::{Ids, Waiting};
pub use entry::Entry;
pub use expiry::{Expired, Loss};
pub use queues::{Sheddable, Slot};
pub use streams::StreamSlot;
use streams::wants_tending;
use timed::Timed;

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
    /// Finds the hashes of stored names again.
    pub(super) hasher: Hasher,
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
    /// When each stream is to be looked after that does something by itself.
    tended: Deadlines,
    /// The last moment that anybody brought along, in quarters of a second: when a key is inserted.
    /// The ticks that expire keys keep it fresh.
    used: u32,
    /// Who holds the shard looks without using what it looks at.
    pub(super) is_unnoticed: bool,
}

impl Shard {
    /// An empty shard; `skip_bits` of a position are the same for all its keys.
    pub(super) fn new(skip_bits: u32, hasher: Hasher) -> Self {
        let database = || Database {
            table: Table::new(skip_bits),
            expiring_len: 0,
            timed_len: 0,
            ledger: Ledger::default(),
            streams: Ledger::default(),
        };
        Self {
            dbs: (0..DATABASES).map(|_| database()).collect(),
            hasher,
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
            tended: Deadlines::default(),
            used: 0,
            is_unnoticed: false,
        }
    }

    /// The entry of a key, unless it has expired: then it is removed first. Notes the access.
    #[inline]
    pub fn entry(&mut self, key: &Key, now_ms: u64) -> Option<&mut Entry> {
        let used = quarters(now_ms);
        self.used = used;
        let is_noted = !self.is_unnoticed;
        let entry = self.look(key, now_ms)?;
        if is_noted {
            entry.used = used;
        }
        Some(entry)
    }

    /// The entry of a key, unless it has expired, for those whose looks are no use of the key.
    #[inline]
    pub fn peek(&mut self, key: &Key, now_ms: u64) -> Option<&Entry> {
        self.look(key, now_ms).map(|entry| &*entry)
    }

    /// What probably is the entry of a key, whether or not it has expired: only for asking for its
    /// memory, see [`cold::likely`].
    #[inline]
    pub(super) fn glance(&self, key: &Key) -> Option<&Entry> {
        let table = &self.dbs[usize::from(key.db)].table;
        table.find(key.hash, |_| true)
    }

    /// Whether there are so many keys that to look for one probably means to wait for memory.
    #[inline]
    pub fn is_cold(&self, db: u8) -> bool {
        self.dbs[usize::from(db)].table.len() >= COLD_LEN_MIN / super::SHARDS as usize
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
        self.look_in_time(key, now_ms)
    }

    /// The same where keys expire. Apart, because it would weigh on every look: a GET's by 4%.
    #[inline(never)]
    fn look_in_time(&mut self, key: &Key, now_ms: u64) -> Option<&mut Entry> {
        let database = &self.dbs[usize::from(key.db)];
        let place = database
            .table
            .locate(key.hash, |entry| key.is_named(&entry.name))?;
        if database.table.at(place)?.is_due(now_ms) {
            self.expire(key);
            return None;
        }
        self.dbs[usize::from(key.db)].table.at_mut(place)
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
        self.forget_times(key.db, key.hash, &mut old);
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
            deadline_ms: 0,
            used: self.used,
            value,
        };
        let hasher = &self.hasher;
        self.dbs[usize::from(key.db)]
            .table
            .insert_unique(key.hash, entry, |entry| entry.hash(hasher));
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
        let (database, hasher) = (&mut self.dbs[usize::from(key.db)], &self.hasher);
        let mut entry = database.table.remove(
            key.hash,
            |entry| key.is_named(&entry.name),
            |entry| entry.hash(hasher),
        )?;
        if entry.deadline_ms != 0 {
            database.expiring_len -= 1;
            self.deadlines.remove(entry.deadline_ms, key.db, key.hash);
        }
        database.book_out(&entry.value);
        self.forget_times(key.db, key.hash, &mut entry.value);
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
        let stands = |ready: &Ready| {
            let known = &ready.key;
            known.hash == key.hash && known.db == key.db && *known.name == *key.name
        };
        if !self.ready.iter().any(stands) {
            self.ready.push(Ready::new(key.into()));
        }
    }

    /// How many keys a database has here, expired ones that nobody asked for included.
    pub fn keys_len(&self, db: u8) -> usize {
        self.dbs[usize::from(db)].table.len()
    }

    /// Visits `count` keys of a database from a cursor of SCAN on, or all that remain; gives the next
    /// cursor, or 0 at the end. See [`Table::scan`].
    pub fn scan(&self, db: u8, cursor: u64, count: usize, visit: impl FnMut(&Entry)) -> u64 {
        let hash = |entry: &Entry| entry.hash(&self.hasher);
        self.table(db).scan(cursor, count, hash, visit)
    }

    /// The table of a database, for walking it.
    pub fn table(&self, db: u8) -> &Table<Entry> {
        &self.dbs[usize::from(db)].table
    }
}
