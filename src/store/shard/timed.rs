//! Queues that time changes: an index by the tick at which there is something to do.
//!
//! A queue stands here once at most, for a tick that may be earlier than need be and is never
//! later: who looks after it puts it on the list again. Its key may be gone by then.

use std::collections::BTreeSet;

use crate::store::key::Key;
use crate::store::lines::WaitKey;
use crate::store::value::Value;

use super::Shard;

/// Queues to look after, earliest first: tick, database, hash of the name.
#[derive(Debug, Default)]
pub struct Timed(BTreeSet<(u64, u8, u64)>);

impl Timed {
    /// Takes a queue off the list; `tick` is what it was scheduled for.
    pub(super) fn remove(&mut self, tick: u64, db: u8, hash: u64) {
        if tick != 0 {
            self.0.remove(&(tick, db, hash));
        }
    }
}

impl Shard {
    /// Sees to it that somebody looks after the queue at a key when time has changed it.
    pub fn schedule(&mut self, key: &Key) {
        let found = self.dbs[usize::from(key.db)]
            .table
            .find_mut(key.hash, |entry| key.is_named(&entry.name));
        let Some(Value::Queue(queue)) = found.map(|entry| &mut entry.value) else {
            return;
        };
        let Some(due) = queue.next_due() else { return };
        let scheduled = queue.scheduled();
        if scheduled == 0 || due < scheduled {
            self.timed.remove(scheduled, key.db, key.hash);
            // Ticks begin at 0, which stands for none.
            let due = due.max(1);
            self.timed.0.insert((due, key.db, key.hash));
            queue.set_scheduled(due);
        }
    }

    /// Whether queues are on the list whose tick has come.
    pub fn has_due(&self, tick: u64) -> bool {
        self.timed.0.first().is_some_and(|&(due, ..)| due <= tick)
    }

    /// Takes at most `limit` queues off the list whose tick has come.
    pub fn take_due(&mut self, tick: u64, limit: usize) -> Vec<WaitKey> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(&(due, db, hash)) = self.timed.0.first()
            && due <= tick
        {
            self.timed.0.pop_first();
            let is_it =
                |value: &Value| matches!(value, Value::Queue(queue) if queue.scheduled() == due);
            let found = self.dbs[usize::from(db)]
                .table
                .find_mut(hash, |entry| is_it(&entry.value));
            let found = match found {
                Some(entry) => {
                    taken.push(WaitKey {
                        db,
                        hash,
                        name: entry.name().into(),
                    });
                    Some(&mut entry.value)
                }
                // It has drained, and will be put on the list when it comes back.
                None => self
                    .vanished
                    .find_mut(db, hash, |entry| is_it(&entry.value)),
            };
            if let Some(Value::Queue(queue)) = found {
                queue.set_scheduled(0);
            }
        }
        taken
    }
}
