//! Deadlines of keys and of fields of hashes: setting them, and removing what is due.

use crate::store::key::Key;
use crate::store::ledger::Cause;
use crate::store::meter::quarters;
use crate::store::value::{Kind, Value};

use super::{Entry, Shard};

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

impl Shard {
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
    pub(super) fn forget_times(&mut self, db: u8, hash: u64, value: &mut Value) {
        match value {
            Value::Hash(fields) if fields.noted_ms() != 0 => {
                self.field_deadlines.remove(fields.noted_ms(), db, hash);
                self.dbs[usize::from(db)].timed_len -= 1;
                fields.set_noted_ms(0);
            }
            Value::Stream(stream) if stream.look_ms() != 0 => {
                self.tended.remove(stream.look_ms(), db, hash);
                stream.set_look_ms(0);
            }
            _ => {}
        }
    }

    /// Removes a key whose deadline has passed.
    #[cold]
    pub(super) fn expire(&mut self, key: &Key) {
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
    /// back for freeing after the lock is let go, but for those of queues, whose accounts are
    /// remembered. Returns also how many keys went: fewer than `limit` means that none is due any more.
    pub fn expire_due(&mut self, now_ms: u64, limit: usize) -> (Vec<Entry>, usize) {
        self.used = quarters(now_ms);
        let (mut values, mut removed) = (Vec::new(), 0);
        while removed < limit {
            let Some((db, hash)) = self.deadlines.pop_due(now_ms) else {
                break;
            };
            let (database, hasher) = (&mut self.dbs[usize::from(db)], &self.hasher);
            let found = database.table.remove(
                hash,
                |entry| entry.is_due(now_ms) && entry.hash(hasher) == hash,
                |entry| entry.hash(hasher),
            );
            if let Some(mut entry) = found {
                database.expiring_len -= 1;
                database.book_out(&entry.value);
                self.forget_times(db, hash, &mut entry.value);
                let key = Key {
                    db,
                    hash,
                    name: &entry.name,
                };
                self.note_expired(&key);
                self.mark_ready(&key);
                removed += 1;
                // LOSS: expired-key
                if entry.value.kind() == Kind::Queue {
                    self.let_go(db, Cause::ExpiredKey, entry);
                } else {
                    self.write_off(db, Cause::ExpiredKey, &entry.value);
                    values.push(entry);
                }
            }
        }
        (values, removed)
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
            let (database, hasher) = (&mut self.dbs[usize::from(db)], &self.hasher);
            let is_due = |entry: &Entry| {
                matches!(&entry.value, Value::Hash(fields)
                    if (1..=now_ms).contains(&fields.noted_ms()))
                    && entry.hash(hasher) == hash
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::store::Keyspace;
    use crate::store::key::ShardSet;
    use crate::store::value::{Text, Value};
    use crate::store::watch::WatchFlag;

    #[test]
    fn whose_deadline_passed_is_who_is_told_of() {
        let keyspace = Keyspace::new(7);
        let mut held = keyspace.hold();
        held.need(ShardSet::ALL);
        let names: Vec<_> = (0..20_000).map(|n| format!("key:{n}")).collect();
        let flags: Vec<Arc<WatchFlag>> = names.iter().map(|_| Arc::default()).collect();
        for (name, flag) in names.iter().zip(&flags) {
            let key = keyspace.key(0, name.as_bytes());
            let shard = held.shard_of(&key);
            shard.insert_new(&key, Value::Text(Text::new(b"value")), Some(5));
            shard.watched.watch(&key, flag);
        }
        for (_, shard) in held.shards() {
            // All are due at once, so that many could be taken for each other.
            while shard.expire_due(10, 100).1 > 0 {}
            assert_eq!(shard.keys_len(0), 0);
        }
        assert!(flags.iter().all(|flag| flag.is_raised()));
    }
}
