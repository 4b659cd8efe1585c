//! Streams that do something by themselves: their policies, and what the tick does for them.
//!
//! A shard keeps a list of such streams, so that a tick costs what there is to see to and not a
//! walk over all keys. A key on the list may be gone by now; the next tick takes it off.

use std::sync::Arc;

use super::key::Key;
use super::lines::WaitKey;
use super::shard::{Shard, WrongType};
use super::stream::{StreamPolicy, Tended};
use super::value::Value;

/// Whether a value is a stream that the tick is to look after.
#[inline]
pub(super) fn wants_tending(value: &Value) -> bool {
    matches!(value, Value::Stream(stream) if stream.wants_tending())
}

impl Shard {
    /// Says what the stream at a key and its groups do by themselves, in place of what was said
    /// before; nothing happens where there is no key. For whoever owns the policies: to be called
    /// when a stream comes to life and when its policy changes. COPY and RENAME take the policy
    /// along until it is set again.
    pub fn set_stream_policy(
        &mut self,
        key: &Key,
        policy: Option<Arc<StreamPolicy>>,
        now_ms: u64,
    ) -> Result<(), WrongType> {
        if let Some(stream) = self.stream(key, now_ms)? {
            stream.set_policy(policy);
            if stream.wants_tending() {
                self.tend(key);
            }
        }
        Ok(())
    }

    /// Puts a stream on the list of those that the tick looks after.
    pub fn tend(&mut self, key: &Key) {
        let is_listed = |listed: &WaitKey| listed.db == key.db && *listed.name == *key.name;
        if !self.tended.iter().any(is_listed) {
            self.tended.push(key.into());
        }
    }

    /// Whether the tick has anything to do here.
    pub fn has_tended(&self) -> bool {
        !self.tended.is_empty()
    }

    /// Does for every listed stream what is due, and tells `visit` where that was something.
    /// Costs a look-up for each; true while there is more to do at once.
    pub fn tend_all(&mut self, now_ms: u64, mut visit: impl FnMut(&Key, Tended)) -> bool {
        let mut more = false;
        let mut at = 0;
        while let Some(listed) = self.tended.get(at).cloned() {
            let key = listed.as_key();
            let tended = match self.look(&key, now_ms).map(|entry| &mut entry.value) {
                Some(Value::Stream(stream)) if stream.wants_tending() => stream.tend(now_ms),
                _ => {
                    self.tended.swap_remove(at);
                    continue;
                }
            };
            at += 1;
            self.note_overdue(&key, tended.expired.entries);
            more |= tended.more;
            if tended != Tended::default() {
                visit(&key, tended);
            }
        }
        more
    }

    /// Drops what is too old in a stream that is about to be looked at.
    pub(super) fn drop_overdue(&mut self, key: &Key, now_ms: u64) {
        let mut entries = 0;
        if let Some(entry) = self.look(key, now_ms)
            && let Value::Stream(stream) = &mut entry.value
        {
            while stream.is_overdue(now_ms) {
                let (lost, more) = stream.drop_overdue(now_ms);
                entries += lost.entries;
                if !more {
                    break;
                }
            }
        }
        self.note_overdue(key, entries);
    }

    fn note_overdue(&mut self, key: &Key, entries: u64) {
        if entries > 0 {
            // LOSS: expired
            self.entries_expired += entries;
            self.watched.changed(key);
        }
    }
}
