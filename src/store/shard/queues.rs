//! Queues under their shard: found or made together with the account of their database, and
//! written off when they go.

use std::sync::Arc;

use crate::overflow::QueueBounds;
use crate::policy::{Governed, Kind, Policies};
use crate::store::key::{Hasher, Key, ShardSet};
use crate::store::ledger::{Cause, Ledger, Tally};
use crate::store::lines::{Line, Lines, WaitKey};
use crate::store::meter::quarters;
use crate::store::queue::{End, Letter, Queue};
use crate::store::table::{Place, Table};
use crate::store::value::Value;
use crate::store::vanished::Vanished;

use super::{Database, Entry, Shard, WrongType};

/// A queue with the account of its database: who changes the one writes the other.
#[derive(Debug)]
pub struct Slot<'s> {
    /// The queue.
    pub queue: &'s mut Queue,
    /// The account.
    pub ledger: &'s mut Ledger,
}

/// A queue whose messages may go when memory is short.
#[derive(Debug)]
pub struct Sheddable {
    /// Whether somebody reads it.
    pub has_consumer: bool,
    /// Its payload bytes.
    pub bytes: u64,
    /// The arrival of its oldest message.
    pub oldest: u64,
    /// The queue.
    pub key: WaitKey,
}

impl Slot<'_> {
    /// Counts for one cause what went from the queue since its `gone` was `before`.
    pub fn note_lost(&mut self, cause: Cause, before: Tally) {
        let lost = self.queue.gone() - before;
        self.queue.note_lost(cause, lost);
        self.ledger.lost.add(cause, lost);
    }

    /// Lets go of what is too much, at one end and for one cause.
    #[inline]
    pub fn drop_surplus(&mut self, bounds: &QueueBounds, end: End, cause: Cause) {
        let before = self.queue.gone();
        self.queue.drop_surplus(bounds, end);
        self.note_lost(cause, before);
    }

    /// Counts what came to the queue since its `came` was `before`.
    #[inline]
    pub fn note_came(&mut self, before: Tally) {
        self.ledger.came += self.queue.came() - before;
    }

    /// Counts what was popped since the queue's `gone` was `before`.
    #[inline]
    pub fn note_out(&mut self, before: Tally) {
        self.ledger.out += self.queue.gone() - before;
    }
}

impl Ledger {
    /// Takes in a queue that comes to a key: from another account, or as new.
    pub(super) fn book_in(&mut self, queue: &mut Queue) {
        if queue.is_booked {
            self.carry_in(queue.held());
        } else {
            self.came += queue.held();
            queue.is_booked = true;
        }
    }
}

impl Database {
    /// The account of values of a kind, if that has one.
    fn account(&mut self, value: &Value) -> Option<&mut Ledger> {
        match value {
            Value::Queue(_) => Some(&mut self.ledger),
            Value::Stream(_) => Some(&mut self.streams),
            _ => None,
        }
    }

    /// Takes a value that leaves its key out of its account: it goes to another, or is written off.
    #[inline]
    pub(super) fn book_out(&mut self, value: &Value) {
        if let Some(account) = self.account(value) {
            account.carry_out(value.held());
        }
    }
}

impl Shard {
    /// The list at a key with its account, for changing it.
    #[inline]
    pub fn slot(&mut self, key: &Key, now_ms: u64) -> Result<Option<Slot<'_>>, WrongType> {
        match self.locate(key, now_ms) {
            None => Ok(None),
            Some(place) => self.slot_at(key.db, place, now_ms).map(Some),
        }
    }

    /// The list at a key with its account, made where there is none. The caller puts a message in
    /// it, and counts it.
    #[inline]
    pub fn slot_or_new(&mut self, key: &Key, now_ms: u64) -> Result<Slot<'_>, WrongType> {
        match self.locate(key, now_ms) {
            None => Ok(self.new_slot(key, now_ms)),
            Some(place) => self.slot_at(key.db, place, now_ms),
        }
    }

    /// Where a key is, unless it has expired: then it is removed first.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call less is 20 of a push's 1000 instructions"
    )]
    pub(super) fn locate(&mut self, key: &Key, now_ms: u64) -> Option<Place> {
        let database = &self.dbs[usize::from(key.db)];
        let place = database
            .table
            .locate(key.hash, |entry| key.is_named(&entry.name))?;
        if database.expiring_len > 0
            && database
                .table
                .at(place)
                .is_some_and(|entry| entry.is_due(now_ms))
        {
            self.expire(key);
            return None;
        }
        Some(place)
    }

    #[inline]
    fn slot_at(&mut self, db: u8, place: Place, now_ms: u64) -> Result<Slot<'_>, WrongType> {
        let used = quarters(now_ms);
        self.used = used;
        let Database { table, ledger, .. } = &mut self.dbs[usize::from(db)];
        let entry = table.at_mut(place).ok_or(WrongType)?;
        if !self.is_unnoticed {
            entry.used = used;
        }
        let Value::Queue(queue) = &mut entry.value else {
            return Err(WrongType);
        };
        queue.touch(used);
        Ok(Slot { queue, ledger })
    }

    /// An empty list at a key that is absent: that which vanished from there, if it is remembered.
    fn new_slot(&mut self, key: &Key, now_ms: u64) -> Slot<'_> {
        let used = quarters(now_ms);
        self.used = used;
        let mut entry = self.vanished.take(key).unwrap_or_else(|| {
            let mut queue: Box<Queue> = Box::default();
            queue.is_booked = true;
            if let Some(policies) = &self.policies {
                queue.govern(policies.governing(Kind::Queue, key.name));
            }
            Entry {
                name: key.name.into(),
                deadline_ms: 0,
                used,
                value: Value::Queue(queue),
            }
        });
        entry.deadline_ms = 0;
        entry.used = used;
        self.mark_ready(key);
        let Database { table, ledger, .. } = &mut self.dbs[usize::from(key.db)];
        let hasher = &self.hasher;
        let entry = table.insert_unique(key.hash, entry, |entry| entry.hash(hasher));
        let Value::Queue(queue) = &mut entry.value else {
            unreachable!("only queues vanish and come back")
        };
        queue.touch(used);
        Slot { queue, ledger }
    }

    /// Takes a value into its account and under the policy of its key, which it is about to come
    /// to.
    pub(super) fn welcome_value(&mut self, key: &Key, value: &mut Value) {
        match value {
            Value::Queue(queue) => self.welcome(key, queue),
            Value::Stream(stream) => self.welcome_stream(key, stream),
            _ => {}
        }
    }

    /// Takes a queue into the account of its database and under the policy of its key, which it is
    /// about to come to.
    fn welcome(&mut self, key: &Key, queue: &mut Queue) {
        self.dbs[usize::from(key.db)].ledger.book_in(queue);
        self.vanished.take(key);
        let policies = self.policies.as_ref();
        queue.govern(policies.and_then(|policies| policies.governing(Kind::Queue, key.name)));
        queue.set_scheduled(0);
        if queue.is_over() || queue.is_timed() {
            self.unsettled.push(key.into());
        }
    }

    /// Puts all queues under other policies. `dead_letters` are the shards of all dead-letter
    /// queues. Queues with more than they may hold join `unsettled`. O(keys).
    pub fn govern(&mut self, policies: &Arc<Policies>, dead_letters: ShardSet) {
        let is_for_keys = policies.has(Kind::Queue) || policies.has(Kind::Stream);
        self.policies = is_for_keys.then(|| Arc::clone(policies));
        self.govern_streams(policies);
        self.dead_letters = dead_letters;
        for (db, database) in (0..).zip(&mut self.dbs) {
            for entry in &mut database.table {
                if let Value::Queue(queue) = &mut entry.value {
                    queue.govern(policies.governing(Kind::Queue, &entry.name));
                    if queue.is_over() || queue.is_timed() {
                        let key = entry.key(db, &self.hasher);
                        self.unsettled.push((&key).into());
                    }
                }
            }
        }
        for (db, hash, entry) in self.vanished.iter_mut() {
            if let Value::Queue(queue) = &mut entry.value {
                // When it comes back it may have to be looked after earlier than before.
                self.timed.remove(queue.scheduled(), db, hash);
                queue.set_scheduled(0);
                queue.govern(policies.governing(Kind::Queue, &entry.name));
            }
        }
    }

    /// The shards on which queues may spill that are here.
    #[inline]
    pub fn dead_letters(&self) -> ShardSet {
        self.dead_letters
    }

    /// What is known of the dead letters of the queue at a key, or of the one that vanished from
    /// there, the latest first.
    pub fn letters_of(&mut self, key: &Key, now_ms: u64) -> Result<Vec<Letter>, WrongType> {
        let found = match self.peek(key, now_ms) {
            Some(entry) => Some(&entry.value),
            None => self.vanished.get(key).map(|entry| &entry.value),
        };
        match found {
            None => Ok(Vec::new()),
            Some(Value::Queue(queue)) => Ok(queue.letters().cloned().collect()),
            Some(_) => Err(WrongType),
        }
    }

    /// The bounds of a queue that is pushed to a key where there is none.
    #[inline]
    pub fn bounds_of_new(&self, key: &Key) -> Option<QueueBounds> {
        let governed = self.policies.as_ref()?.governing(Kind::Queue, key.name)?;
        Some(governed.bounds)
    }

    /// What governs the queue at a key, or would govern one that is pushed to it.
    pub fn governing(&self, key: &Key) -> Option<Arc<Governed>> {
        let found = self.dbs[usize::from(key.db)]
            .table
            .find(key.hash, |entry| *entry.name == *key.name);
        if let Some(Value::Queue(queue)) = found.map(|entry| &entry.value) {
            return queue.governed().cloned();
        }
        let policies = self.policies.as_ref()?;
        policies.governing(Kind::Queue, key.name).cloned()
    }

    /// Removes the key of a list that has drained, and remembers its account.
    #[inline]
    pub fn remove_drained(&mut self, key: &Key) {
        if let Some(entry) = self.remove(key) {
            debug_assert!(entry.value.held().is_zero(), "it has drained");
            self.vanished.remember(key.db, key.hash, entry);
        }
    }

    /// Writes off what a value holds that was removed here or elsewhere and goes for good.
    pub fn write_off(&mut self, db: u8, cause: Cause, value: &Value) {
        if let Some(account) = self.dbs[usize::from(db)].account(value) {
            account.carry_in(value.held());
            account.lost.add(cause, value.held());
        }
    }

    /// Lets go of what a removed entry holds for one cause. The account of a queue is remembered.
    pub fn let_go(&mut self, db: u8, cause: Cause, mut entry: Entry) {
        self.write_off(db, cause, &entry.value);
        if let Value::Queue(queue) = &mut entry.value {
            queue.lose_all(cause);
            let hash = entry.hash(&self.hasher);
            self.vanished.remember(db, hash, entry);
        } else {
            entry.value.free();
        }
    }

    /// The account of a database's queues here.
    pub fn ledger(&mut self, db: u8) -> &mut Ledger {
        &mut self.dbs[usize::from(db)].ledger
    }

    /// The account of a database's streams here.
    pub fn streams_ledger(&self, db: u8) -> &Ledger {
        &self.dbs[usize::from(db)].streams
    }

    /// The account of the queue at a key, or of the one that vanished from there.
    pub fn ledger_of(&mut self, key: &Key, now_ms: u64) -> Result<Option<Ledger>, WrongType> {
        let found = match self.peek(key, now_ms) {
            Some(entry) => Some(&entry.value),
            None => self.vanished.get(key).map(|entry| &entry.value),
        };
        match found {
            None => Ok(None),
            Some(Value::Queue(queue)) => Ok(Some(queue.ledger())),
            Some(_) => Err(WrongType),
        }
    }

    /// What a survey walks over: the keys of a database, the queues that have vanished, the lines.
    pub(in crate::store) fn measured(
        &mut self,
        db: u8,
    ) -> (&mut Table<Entry>, &mut Vanished, &Lines, &Hasher) {
        let table = &mut self.dbs[usize::from(db)].table;
        (table, &mut self.vanished, &self.lines, &self.hasher)
    }

    /// The keys that clients wait for and that are neither there nor remembered, with the number
    /// of those who wait.
    pub(in crate::store) fn waited_for(&self, db: u8) -> impl Iterator<Item = (Key<'_>, usize)> {
        let table = &self.dbs[usize::from(db)].table;
        self.lines.keys_of(db).filter_map(move |key| {
            let key = key.as_key();
            let is_it = |entry: &Entry| key.is_named(&entry.name);
            let is_known =
                table.find(key.hash, is_it).is_some() || self.vanished.get(&key).is_some();
            let len = self.lines.get(&key).map_or(0, Line::len);
            (!is_known).then_some((key, len))
        })
    }

    /// The value at a key, or of the queue that vanished from there, for reading what is measured
    /// of it: no use of the key.
    pub(in crate::store) fn measurable(&mut self, key: &Key, now_ms: u64) -> Option<&mut Value> {
        if self.peek(key, now_ms).is_none() {
            let is_it = |entry: &Entry| *entry.name == *key.name;
            return self.vanished.find_mut(key.db, key.hash, is_it);
        }
        self.look(key, now_ms).map(|entry| &mut entry.value)
    }

    /// Adds the queues whose messages may go when memory is short, of some hundred keys from a
    /// cursor on; says how many keys these were, and where to go on, or 0 at the end.
    pub fn sheddable(
        &mut self,
        db: u8,
        cursor: u64,
        consumed_since: u64,
        out: &mut Vec<Sheddable>,
    ) -> (usize, u64) {
        let (entries, next) = self.dbs[usize::from(db)].table.part_at(cursor);
        let len = entries.len();
        for entry in entries {
            let Value::Queue(queue) = &entry.value else {
                continue;
            };
            if !queue.bounds().is_some_and(|bounds| bounds.sheds) {
                continue;
            }
            out.push(Sheddable {
                has_consumer: queue.consumed() > consumed_since,
                bytes: queue.bytes(),
                oldest: queue.oldest_arrival().unwrap_or(0),
                key: (&entry.key(db, &self.hasher)).into(),
            });
        }
        (len, next)
    }

    /// Lets go of whole segments at the old end of a queue, if memory may take its messages, until
    /// so many bytes went; returns how many did.
    pub fn shed(&mut self, key: &Key, bytes: u64) -> u64 {
        let Database { table, ledger, .. } = &mut self.dbs[usize::from(key.db)];
        let found = table.find_mut(key.hash, |entry| key.is_named(&entry.name));
        let Some(Value::Queue(queue)) = found.map(|entry| &mut entry.value) else {
            return 0;
        };
        if !queue.bounds().is_some_and(|bounds| bounds.sheds) {
            return 0;
        }
        let before = queue.gone();
        queue.drop_chunks(queue.old_end(), bytes);
        let lost = queue.gone() - before;
        let is_drained = queue.is_empty();
        Slot { queue, ledger }.note_lost(Cause::MemoryPressure, before);
        self.watched.changed(key);
        if is_drained {
            self.remove_drained(key);
        }
        lost.bytes
    }

    /// Compares the accounts of every database with those of its queues and streams, and theirs with what they
    /// hold. A shard of many keys is looked at so seldom that a look costs a few dozen on average.
    ///
    /// # Panics
    /// When they do not agree: somebody changed a queue and did not count it.
    pub fn check_ledgers(&mut self) {
        const KEYS_MAX: usize = 64;
        self.looks += 1;
        for database in &self.dbs {
            if !self
                .looks
                .is_multiple_of(1 + database.table.len() / KEYS_MAX)
            {
                continue;
            }
            let (mut held, mut streamed) = (Tally::default(), Tally::default());
            for entry in &database.table {
                match &entry.value {
                    Value::Queue(queue) => {
                        held += queue.held();
                        if self.looks.is_multiple_of(1 + queue.chunks_len() / KEYS_MAX) {
                            assert!(queue.is_balanced(), "{:?}", queue.ledger());
                        }
                    }
                    Value::Stream(stream) => {
                        streamed += stream.held();
                        assert!(stream.is_balanced(), "{:?}", stream.ledger());
                    }
                    _ => {}
                }
            }
            assert_eq!(database.ledger.held(), held, "{:?}", database.ledger);
            assert_eq!(database.streams.held(), streamed, "{:?}", database.streams);
        }
    }
}
