//! Queues that time changes: an index by the tick at which there is something to do.
//!
//! A queue stands here once at most, for a tick that may be earlier than need be and is never
//! later: who looks after it puts it on the list again. Its key may be gone by then.

use std::collections::BTreeSet;

use crate::store::deadlines::swapped;
use crate::store::key::Key;
use crate::store::lines::WaitKey;
use crate::store::value::Value;

use super::Shard;

/// Queues to look after, earliest first: tick, database, hash of the name.
type List = BTreeSet<(u64, u8, u64)>;

/// All of a shard.
#[derive(Debug, Default)]
pub struct Timed {
    /// Those whose messages only go: the next tick of the worker is soon enough, and what is too
    /// old is not delivered before it.
    lax: List,
    /// Those whose messages go on to a dead-letter queue, where somebody may wait for them.
    prompt: List,
}

impl Timed {
    /// Takes a queue off the list; `tick` is what it was scheduled for.
    pub(super) fn remove(&mut self, tick: u64, db: u8, hash: u64) {
        let place = (tick, db, hash);
        if tick != 0 && !self.lax.remove(&place) {
            // Its policy may have changed since it came here.
            self.prompt.remove(&place);
        }
    }

    /// Gives the queues of two databases each other's places.
    pub(super) fn swap_databases(&mut self, a: u8, b: u8) {
        for list in [&mut self.lax, &mut self.prompt] {
            *list = swapped(list, a, b);
        }
    }

    fn list_due(&mut self, tick: u64) -> Option<&mut List> {
        let lists = [&mut self.lax, &mut self.prompt];
        let is_due = |list: &&mut List| list.first().is_some_and(|&(due, ..)| due <= tick);
        lists.into_iter().find(is_due)
    }
}

impl Shard {
    /// Sees to it that somebody looks after the queue at a key when time has changed it. Gives the
    /// tick for which a worker is to be called, where its own next tick may be too late.
    pub fn schedule(&mut self, key: &Key) -> Option<u64> {
        let found = self.dbs[usize::from(key.db)]
            .table
            .find_mut(key.hash, |entry| key.is_named(&entry.name));
        let Some(Value::Queue(queue)) = found.map(|entry| &mut entry.value) else {
            return None;
        };
        let due = queue.next_due()?;
        let scheduled = queue.scheduled();
        let is_prompt = queue.governed().is_some_and(|g| g.dead_letter.is_some());
        let place = (scheduled, key.db, key.hash);
        // A policy that has become prompt finds it on the other list.
        let is_listed = scheduled != 0 && (!is_prompt || self.timed.prompt.contains(&place));
        if is_listed && due >= scheduled {
            return None;
        }
        self.timed.remove(scheduled, key.db, key.hash);
        // Ticks begin at 0, which stands for none.
        let due = due.max(1);
        queue.set_scheduled(due);
        let list = if is_prompt {
            &mut self.timed.prompt
        } else {
            &mut self.timed.lax
        };
        list.insert((due, key.db, key.hash));
        is_prompt.then_some(due)
    }

    /// The first tick for which a worker is to be called: a delayed message's, or a queue's whose
    /// messages go on to another.
    pub fn next_prompt(&self) -> Option<u64> {
        let queue = self.timed.prompt.first().map(|&(due, ..)| due);
        queue.into_iter().chain(self.next_ripe()).min()
    }

    /// Takes at most `limit` queues off the list whose tick has come.
    pub fn take_due(&mut self, tick: u64, limit: usize) -> Vec<WaitKey> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(list) = self.timed.list_due(tick)
            && let Some((due, db, hash)) = list.pop_first()
        {
            let is_it =
                |value: &Value| matches!(value, Value::Queue(queue) if queue.scheduled() == due);
            let (table, hasher) = (&mut self.dbs[usize::from(db)].table, &self.hasher);
            let found = table.find_mut(hash, |entry| {
                is_it(&entry.value) && entry.hash(hasher) == hash
            });
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
