//! Streams under their shard: with the account of their database, under the policies of their
//! keys, and what the tick does for them.
//!
//! Whoever adds entries or takes some away goes through a [`StreamSlot`], which writes both
//! accounts and keeps the bounds. A shard keeps a list of streams that time changes, by the moment
//! at which there is something to do, so that a tick costs what there is to see to. A stream stands
//! there once at most, while it is at its key, for a moment that may be earlier than need be: who
//! looks after it puts it on the list again.

use crate::overflow::{QueueBounds, QueueOverflow};
use crate::policy::{Kind, Policies};
use crate::store::deadlines::Deadlines;
use crate::store::key::Key;
use crate::store::ledger::{Cause, Ledger, Tally};
use crate::store::lines::Line;
use crate::store::meter::quarters;
use crate::store::stream::{
    AddError, Deleted, NewId, NodeLimits, References, Stream, StreamId, Tended, Trim,
};
use crate::store::value::Value;

use super::{Database, Entry, Shard, WrongType};

/// Streams that a tick looks after under one hold of a shard.
const TENDED_PER_HOLD_MAX: usize = 64;

/// A stream with the account of its database.
#[derive(Debug)]
pub struct StreamSlot<'s> {
    /// The stream.
    pub stream: &'s mut Stream,
    ledger: &'s mut Ledger,
}

impl StreamSlot<'_> {
    /// Adds an entry: XADD. A policy that refuses what does not fit refuses it with
    /// [`AddError::Full`], and nothing has changed then; what `trim` will make room for fits. The
    /// caller trims so, and then calls [`StreamSlot::keep_bounds`].
    pub fn add<A: AsRef<[u8]>>(
        &mut self,
        new: NewId,
        pairs: &[A],
        limits: NodeLimits,
        now_ms: u64,
        trim: Option<Trim>,
    ) -> Result<StreamId, AddError> {
        if let Some(bounds) = self.stream.bounds()
            && bounds.overflow == QueueOverflow::Reject
        {
            let (mut after, adding) = (self.stream.held(), tally_of(pairs));
            after += adding;
            let holds = |held: Tally| bounds.hold(held.messages, held.bytes);
            if !holds(after)
                && !trim.is_some_and(|trim| holds(after - self.stream.trim_frees(trim)))
            {
                return Err(AddError::Full(adding));
            }
        }
        let before = self.stream.held();
        let id = self.stream.add(new, pairs, limits, now_ms)?;
        self.ledger.came += self.stream.held() - before;
        Ok(id)
    }

    /// Brings the stream within the bounds of its policy after the entry `newest` was added, which
    /// may be what goes.
    #[inline]
    pub fn keep_bounds(&mut self, newest: StreamId) {
        if let Some(bounds) = self.stream.bounds() {
            self.keep_within(&bounds, newest);
        }
    }

    fn keep_within(&mut self, bounds: &QueueBounds, newest: StreamId) {
        let held = self.stream.held();
        if bounds.overflow == QueueOverflow::Reject || bounds.hold(held.messages, held.bytes) {
            return;
        }
        let entry = self.stream.log().get(newest);
        let bytes = entry.map_or(0, |entry| entry.fields.payload_bytes());
        // What is larger than all may be would push out the others and then go itself.
        if bounds.overflow == QueueOverflow::DropNewest || bytes > bounds.bytes_max {
            let gone = self.stream.drop_newest(newest);
            self.ledger.lost.add(Cause::OverflowNewest, gone);
            return;
        }
        let lost = self.stream.drop_surplus(bounds);
        self.ledger.lost.add(Cause::OverflowOldest, lost);
    }

    /// Trims as XTRIM does; returns how many entries went.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let lost = self.stream.trim(trim);
        self.ledger.lost.add(Cause::Trimmed, lost);
        lost.messages
    }

    /// Deletes one entry by name, as XDEL and XDELEX do.
    pub fn delete(&mut self, id: StreamId, references: References) -> Deleted {
        let deleted = self.stream.delete(id, references);
        if let Deleted::Gone(gone) = deleted {
            self.ledger.lost.add(Cause::Removed, gone);
        }
        deleted
    }

    /// Acknowledges an entry for a group and deletes it, as XACKDEL does; `None` without the group.
    pub fn ack_delete(
        &mut self,
        group: &[u8],
        id: StreamId,
        references: References,
    ) -> Option<Deleted> {
        let deleted = self.stream.ack_delete(group, id, references);
        if let Some(Deleted::Gone(gone)) = deleted {
            self.ledger.out += gone;
        }
        deleted
    }
}

/// An entry of these names and values.
fn tally_of<A: AsRef<[u8]>>(pairs: &[A]) -> Tally {
    Tally::one(pairs.iter().map(|part| part.as_ref().len()).sum())
}

/// Whether a value is a stream that the tick is to look after.
#[inline]
pub(super) fn wants_tending(value: &Value) -> bool {
    matches!(value, Value::Stream(stream) if stream.wants_tending())
}

impl Shard {
    /// The stream at a key with its account, for changing what it holds.
    #[inline]
    pub fn stream_slot(
        &mut self,
        key: &Key,
        now_ms: u64,
    ) -> Result<Option<StreamSlot<'_>>, WrongType> {
        if !self.tended.is_empty() {
            self.drop_overdue(key, now_ms);
        }
        let Some(place) = self.locate(key, now_ms) else {
            return Ok(None);
        };
        let used = quarters(now_ms);
        self.used = used;
        let Database { table, streams, .. } = &mut self.dbs[usize::from(key.db)];
        let entry = table.at_mut(place).ok_or(WrongType)?;
        if !self.is_unnoticed {
            entry.used = used;
        }
        match &mut entry.value {
            Value::Stream(stream) => {
                stream.touch(used);
                Ok(Some(StreamSlot {
                    stream,
                    ledger: streams,
                }))
            }
            _ => Err(WrongType),
        }
    }

    /// An empty stream as it is to be at an absent key: `fill` may add to it before it comes to
    /// its key, and says whether it is to come there.
    pub fn make_stream<R>(
        &mut self,
        key: &Key,
        fill: impl FnOnce(&mut StreamSlot<'_>) -> (R, bool),
    ) -> R {
        let mut stream: Box<Stream> = Box::default();
        let policies = self.policies.as_ref();
        stream.govern(policies.and_then(|all| all.governing(Kind::Stream, key.name)));
        // Its account is its own until it has come.
        let mut ledger = Ledger::default();
        let (result, comes) = fill(&mut StreamSlot {
            stream: &mut stream,
            ledger: &mut ledger,
        });
        if comes {
            self.insert_new(key, Value::Stream(stream), None);
        }
        result
    }

    /// Takes a stream into the account of its database and under the policy of its key, which it
    /// is about to come to.
    pub(super) fn welcome_stream(&mut self, key: &Key, stream: &mut Stream) {
        let streams = &mut self.dbs[usize::from(key.db)].streams;
        if stream.is_booked {
            streams.carry_in(stream.held());
        } else {
            streams.add(&stream.ledger());
            stream.is_booked = true;
        }
        let policies = self.policies.as_ref();
        stream.govern(policies.and_then(|all| all.governing(Kind::Stream, key.name)));
        cut(stream, streams);
    }

    /// Puts all streams under other policies, and has those that may lose entries lose what is
    /// too much. O(keys).
    pub(super) fn govern_streams(&mut self, policies: &Policies) {
        self.tended = Deadlines::default();
        for (db, database) in (0..).zip(&mut self.dbs) {
            for entry in &mut database.table {
                let Value::Stream(stream) = &mut entry.value else {
                    continue;
                };
                stream.govern(policies.governing(Kind::Stream, &entry.name));
                let lost = cut(stream, &mut database.streams);
                let look_ms = u64::from(stream.wants_tending());
                stream.set_look_ms(look_ms);
                let key = entry.key(db, &self.hasher);
                if lost > 0 {
                    self.watched.changed(&key);
                }
                if look_ms > 0 {
                    self.tended.insert(look_ms, db, key.hash);
                }
            }
        }
    }

    /// The bounds of a stream that comes to a key where there is none.
    pub fn bounds_of_new_stream(&self, key: &Key) -> Option<QueueBounds> {
        let governed = self.policies.as_ref()?.governing(Kind::Stream, key.name)?;
        Some(governed.bounds)
    }

    /// Sees to it that a tick looks after the stream at a key in time.
    pub fn tend(&mut self, key: &Key) {
        let found = self.dbs[usize::from(key.db)]
            .table
            .find_mut(key.hash, |entry| key.is_named(&entry.name));
        let Some(Value::Stream(stream)) = found.map(|entry| &mut entry.value) else {
            return;
        };
        let is_listed = stream.look_ms() != 0;
        let look_ms = if !is_listed && stream.expires_consumers() {
            // The next tick sees when.
            1
        } else {
            stream.first_due_ms()
        };
        if look_ms == u64::MAX || is_listed && stream.look_ms() <= look_ms {
            return;
        }
        self.tended.remove(stream.look_ms(), key.db, key.hash);
        stream.set_look_ms(look_ms);
        self.tended.insert(look_ms, key.db, key.hash);
    }

    /// How many streams the tick is to look after, and whether it would look at one now.
    #[cfg(test)]
    pub fn tended(&self, now_ms: u64) -> (usize, bool) {
        (self.tended.len(), self.tended.has_due(now_ms))
    }

    /// Does what is due for streams whose moment has come, and tells `visit` where that was
    /// something. A bounded number of them; true while there is more to do at once.
    pub fn tend_due(&mut self, now_ms: u64, mut visit: impl FnMut(&Key, Tended)) -> bool {
        let mut looked_after = Vec::new();
        while looked_after.len() < TENDED_PER_HOLD_MAX
            && let Some((db, hash)) = self.tended.pop_due(now_ms)
        {
            let (table, hasher) = (&mut self.dbs[usize::from(db)].table, &self.hasher);
            let is_due = |entry: &Entry| {
                matches!(&entry.value, Value::Stream(stream)
                    if (1..=now_ms).contains(&stream.look_ms()))
                    && entry.hash(hasher) == hash
            };
            let Some(entry) = table.find_mut(hash, is_due) else {
                continue;
            };
            let name = entry.name.clone();
            let key = Key {
                db,
                hash,
                name: &name,
            };
            if let Value::Stream(stream) = &mut entry.value {
                stream.set_look_ms(0);
                let line = self.lines.get(&key);
                let line = line.filter(|_| stream.expires_consumers());
                for (group, consumer) in line.into_iter().flat_map(Line::readers) {
                    stream.note_waiting(group, consumer, now_ms);
                }
            }
            let Some(Value::Stream(stream)) = self.look(&key, now_ms).map(|entry| &mut entry.value)
            else {
                continue;
            };
            let tended = stream.tend(now_ms);
            let look_ms = if tended.more {
                now_ms
            } else {
                stream.next_look_ms(now_ms)
            };
            if look_ms < u64::MAX {
                stream.set_look_ms(look_ms);
            }
            // On the list after this hold only: the others come first.
            looked_after.push((look_ms, db, hash));
            self.note_overdue(&key, tended.expired);
            if tended != Tended::default() {
                visit(&key, tended);
            }
        }
        for (look_ms, db, hash) in looked_after {
            if look_ms < u64::MAX {
                self.tended.insert(look_ms, db, hash);
            }
        }
        self.tended.has_due(now_ms)
    }

    /// Drops what is too old in a stream that is about to be looked at.
    pub(super) fn drop_overdue(&mut self, key: &Key, now_ms: u64) {
        let mut expired = Tally::default();
        if let Some(entry) = self.look(key, now_ms)
            && let Value::Stream(stream) = &mut entry.value
        {
            while stream.is_overdue(now_ms) {
                let (lost, more) = stream.drop_overdue(now_ms);
                expired += lost;
                if !more {
                    break;
                }
            }
        }
        self.note_overdue(key, expired);
    }

    fn note_overdue(&mut self, key: &Key, expired: Tally) {
        if !expired.is_zero() {
            let streams = &mut self.dbs[usize::from(key.db)].streams;
            // LOSS: expired-age
            streams.lost.add(Cause::ExpiredAge, expired);
            self.watched.changed(key);
        }
    }

    /// Counts entries of the stream at a key that a group was handed too often: so many went to
    /// the dead-letter stream, the others are lost to the group.
    pub fn note_exhausted(&mut self, key: &Key, group: &[u8], len: u64, buried: u64) {
        self.dead_lettered += buried;
        // LOSS: max-deliveries
        self.exhausted += len - buried;
        let found = self.dbs[usize::from(key.db)]
            .table
            .find_mut(key.hash, |entry| key.is_named(&entry.name));
        if let Some(Value::Stream(stream)) = found.map(|entry| &mut entry.value) {
            stream.note_dead_lettered(group, buried);
        }
    }
}

/// Lets go of the oldest entries that a policy, which came later than they, has no room for,
/// unless it refuses what comes instead. Returns how many went.
fn cut(stream: &mut Stream, ledger: &mut Ledger) -> u64 {
    match stream.bounds() {
        Some(bounds) if bounds.overflow != QueueOverflow::Reject => {
            let lost = stream.drop_surplus(&bounds);
            ledger.lost.add(Cause::OverflowOldest, lost);
            lost.messages
        }
        _ => 0,
    }
}
