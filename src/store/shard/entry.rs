//! A key with its value.

use crate::store::key::{Hasher, Key, Name};
use crate::store::meter::{QUARTER_MS, quarters};
use crate::store::value::Value;

/// A key with its value: one cache line.
#[derive(Debug)]
pub struct Entry {
    pub(super) name: Name,
    /// Wall clock in milliseconds; 0 is never.
    pub(super) deadline_ms: u64,
    /// Wall clock of the last access in quarters of a second (see [`quarters`]), for OBJECT IDLETIME.
    pub(super) used: u32,
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
    #[inline]
    pub(in crate::store) fn hash(&self, hasher: &Hasher) -> u64 {
        hasher.hash(&self.name)
    }

    /// Its key in a database.
    pub(in crate::store) fn key(&self, db: u8, hasher: &Hasher) -> Key<'_> {
        let (hash, name) = (self.hash(hasher), &*self.name);
        Key { db, hash, name }
    }

    /// When it expires, in milliseconds since the epoch.
    pub fn deadline_ms(&self) -> Option<u64> {
        (self.deadline_ms != 0).then_some(self.deadline_ms)
    }

    /// The second of the last access, since the Unix epoch: the same whenever it is asked for.
    pub fn used_s(&self, now_ms: u64) -> u64 {
        let used = (now_ms / QUARTER_MS).saturating_sub(self.idle_quarters(now_ms));
        used * QUARTER_MS / 1000
    }

    /// Whole seconds since the last access, right to half a unit.
    pub fn idle_s(&self, now_ms: u64) -> u64 {
        (self.idle_quarters(now_ms) * QUARTER_MS + QUARTER_MS / 2) / 1000
    }

    fn idle_quarters(&self, now_ms: u64) -> u64 {
        u64::from(quarters(now_ms).wrapping_sub(self.used))
    }

    /// Name and value, the latter for changing what is measured of it.
    pub(in crate::store) fn parts_mut(&mut self) -> (&[u8], &mut Value) {
        (&self.name, &mut self.value)
    }

    /// Bytes that the key and its value take.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.name.heap_bytes() + self.value.heap_bytes()
    }

    /// Whether its time is over: it is gone for every reader, though not yet removed.
    #[inline]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.deadline_ms != 0 && self.deadline_ms <= now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::value::Text;

    #[test]
    fn the_second_of_the_last_access_does_not_depend_on_who_asks_when() {
        let accessed_ms = 1_795_314_390_900;
        let entry = Entry {
            name: Name::default(),
            deadline_ms: 0,
            used: quarters(accessed_ms),
            value: Value::Text(Text::new(b"")),
        };
        let told = entry.used_s(accessed_ms);
        assert!(told <= accessed_ms / 1000 && told + 1 >= accessed_ms / 1000);
        for later_ms in (0..5000).step_by(7) {
            assert_eq!(entry.used_s(accessed_ms + later_ms), told);
        }
    }
}
