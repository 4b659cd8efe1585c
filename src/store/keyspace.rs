//! All shards, and the locks that a command holds on some of them.
//!
//! Lock order: shards in ascending index, and nothing else is locked while waiting for a shard.
//! [`Held`] is the only way to a shard; it takes its locks in that order or not at all.

use std::any::Any;

use smallvec::SmallVec;

use crate::sync::{Guard, Lock};

use super::cold::{self, AHEAD_LEN};
use super::key::{Hasher, Key, ShardSet};
use super::shard::{Entry, Shard};
use super::table;
use super::value::Value;

/// How many shards a keyspace has: enough that two workers seldom want the same one, few enough
/// that all can be held at once for about a microsecond, and that a [`ShardSet`] is one word.
pub const SHARDS: u32 = 64;
const SHARD_BITS: u32 = SHARDS.trailing_zeros();
const _: () = assert!(SHARDS.is_power_of_two() && SHARDS <= u64::BITS);

/// Keeps neighbouring shards' locks off each other's cache lines (two of them, as the prefetcher
/// of current x86 fetches lines in pairs).
#[derive(Debug)]
#[repr(align(128))]
struct Padded(Lock<Shard>);

/// Everything the server holds.
#[derive(Debug)]
pub struct Keyspace {
    shards: Box<[Padded]>,
    hasher: Hasher,
}

impl Keyspace {
    /// An empty keyspace whose hashes depend on `seed`, so that clients cannot aim at one shard.
    pub fn new(seed: u64) -> Self {
        let hasher = Hasher::new(seed);
        let shards = (0..SHARDS)
            .map(|_| Padded(Lock::new(Shard::new(SHARD_BITS, hasher.clone()))))
            .collect();
        Self { shards, hasher }
    }

    /// The key of these bytes in a database.
    #[inline]
    pub fn key<'a>(&self, db: u8, name: &'a [u8]) -> Key<'a> {
        Key {
            db,
            hash: self.hasher.hash(name),
            name,
        }
    }

    /// The same where the hash may be known already.
    #[inline]
    pub fn key_of_hash<'a>(&self, db: u8, name: &'a [u8], hash: Option<u64>) -> Key<'a> {
        let Some(hash) = hash else {
            return self.key(db, name);
        };
        debug_assert_eq!(hash, self.hasher.hash(name));
        Key { db, hash, name }
    }

    /// The shard of a key: the leading bits of its position, so that the shards in order are the
    /// hash order that SCAN walks.
    #[inline]
    pub fn shard_of(&self, key: &Key) -> u32 {
        #[allow(clippy::cast_possible_truncation, reason = "six bits are left")]
        let shard = (table::position_of(key.hash) >> (u64::BITS - SHARD_BITS)) as u32;
        shard
    }

    /// The first position of a shard, and of the one after it at `shard + 1`.
    pub fn first_position(shard: u32) -> u64 {
        u64::from(shard) << (u64::BITS - SHARD_BITS)
    }

    /// The SCAN cursor at which the keys of a shard begin.
    pub fn first_cursor(shard: u32) -> u64 {
        table::cursor_from_position(Self::first_position(shard))
    }

    /// A holder of no locks yet.
    pub fn hold(&self) -> Held<'_> {
        Held {
            keyspace: self,
            guards: SmallVec::new(),
            set: ShardSet::EMPTY,
            touched: ShardSet::EMPTY,
            pinned: false,
            is_unnoticed: false,
            discarded: Vec::new(),
            #[cfg(feature = "lock-times")]
            since_ns: 0,
        }
    }
}

/// The shards that the running commands hold.
///
/// Consecutive commands on one shard share one acquisition: [`Held::need`] lets go only when it
/// must. Never kept across an await (clippy checks it).
#[derive(Debug)]
pub struct Held<'k> {
    keyspace: &'k Keyspace,
    guards: SmallVec<[(u32, Guard<'k, Shard>); 2]>,
    set: ShardSet,
    /// The shards, the first aside, that somebody could change since it was last found that
    /// nothing is left to do in them.
    touched: ShardSet,
    /// A transaction or script runs: the set stays as it is.
    pinned: bool,
    /// Accesses are no use of the keys: see [`Held::note_uses`].
    is_unnoticed: bool,
    /// Freed after the locks, whose guards stand before it.
    discarded: Vec<Box<dyn Any>>,
    /// When these shards were taken.
    #[cfg(feature = "lock-times")]
    since_ns: u64,
}

impl<'k> Held<'k> {
    /// The keyspace whose shards these are.
    #[inline]
    pub fn keyspace(&self) -> &'k Keyspace {
        self.keyspace
    }

    /// The shards held now.
    #[inline]
    pub fn set(&self) -> ShardSet {
        self.set
    }

    /// Holds the shards of `set`, and no others unless it held them all along. True if it had to take
    /// them, for which it may have waited.
    ///
    /// # Panics
    /// While pinned, when the set is not held already: EXEC or a script held too little.
    #[inline]
    pub fn need(&mut self, set: ShardSet) -> bool {
        let takes = !self.set.contains(set);
        if takes {
            self.take(set);
        }
        takes
    }

    fn take(&mut self, set: ShardSet) {
        assert!(
            !self.pinned,
            "a pinned holder was asked for a shard that it does not hold"
        );
        self.release();
        #[cfg(feature = "lock-times")]
        let asked_ns = crate::clock::mono_ns();
        let (shards, is_unnoticed) = (&self.keyspace.shards, self.is_unnoticed);
        let lock = |shard: u32| {
            let mut guard = shards[shard as usize].0.lock();
            guard.is_unnoticed = is_unnoticed;
            (shard, guard)
        };
        if set == ShardSet::ALL {
            // As one run of known length, for which there is room at once.
            self.guards.extend((0..SHARDS).map(lock));
        } else {
            for shard in set.iter() {
                self.guards.push(lock(shard));
            }
        }
        #[cfg(feature = "lock-times")]
        {
            self.since_ns = super::lock_times::WAITS.note(asked_ns);
        }
        debug_assert!(
            self.guards.is_sorted_by_key(|(shard, _)| *shard),
            "shards are held in ascending order"
        );
        self.set = set;
        self.touched = ShardSet::EMPTY;
    }

    /// Whether looking a key up from now on is noted as a use of it, as it is at first.
    pub fn note_uses(&mut self, are_noted: bool) {
        self.is_unnoticed = !are_noted;
        for (_, guard) in &mut self.guards {
            guard.is_unnoticed = !are_noted;
        }
    }

    /// Asks for the memory of keys that will be used next, as far as their shards are held or free:
    /// nobody is waited for, and nothing changes. Shards that are not held are let go of at once.
    pub fn ask(&self, keys: &[Key<'_>]) {
        let mut free: SmallVec<[(u32, Guard<'_, Shard>); AHEAD_LEN]> = SmallVec::new();
        for key in keys {
            let shard = self.keyspace.shard_of(key);
            if !self.set.contains(ShardSet::one(shard))
                && !free.iter().any(|(at, _)| *at == shard)
                && let Some(guard) = self.keyspace.shards[shard as usize].0.try_lock()
            {
                free.push((shard, guard));
            }
        }
        cold::ask(keys.iter().filter_map(|key| {
            let shard = self.keyspace.shard_of(key);
            let mut known = self.guards.iter().chain(&free);
            known.find(|(at, _)| *at == shard)?.1.glance(key)
        }));
    }

    /// Keeps the present set until [`Held::unpin`], for a transaction or a script.
    pub fn pin(&mut self) {
        self.pinned = true;
    }

    /// Ends [`Held::pin`].
    pub fn unpin(&mut self) {
        self.pinned = false;
    }

    /// Whether the set is pinned.
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// The shards, the first aside, that were handed out to be changed since they were taken. Who
    /// reads several at once looked each of them up so before.
    pub fn touched(&self) -> ShardSet {
        self.touched
    }

    /// Lets go of all shards.
    #[inline]
    pub fn release(&mut self) {
        debug_assert!(!self.pinned, "released while pinned");
        #[cfg(feature = "lock-times")]
        if !self.set.is_empty() {
            super::lock_times::HOLDS.note(self.since_ns);
        }
        self.guards.clear();
        self.set = ShardSet::EMPTY;
        self.discarded.clear();
    }

    /// Frees a value once the locks are let go, so that nobody waits for it.
    pub fn discard(&mut self, value: impl Any) {
        self.discarded.push(Box::new(value));
    }

    /// A shard that is held.
    ///
    /// # Panics
    /// When it is not held: the command's key positions in the table are wrong.
    #[inline]
    pub fn shard(&mut self, shard: u32) -> &mut Shard {
        let place = self.place(shard);
        if place > 0 {
            self.touched.insert(shard);
        }
        &mut self.guards[place].1
    }

    /// A shard that is held, for looking at several at once.
    ///
    /// # Panics
    /// When it is not held: the command's key positions in the table are wrong.
    pub fn view(&self, shard: u32) -> &Shard {
        &self.guards[self.place(shard)].1
    }

    /// The first of the shards that are held.
    pub fn first(&mut self) -> Option<&mut Shard> {
        self.guards.first_mut().map(|(_, guard)| &mut **guard)
    }

    /// Where the guard of a shard stands: behind those of all lower ones that are held.
    #[inline]
    fn place(&self, shard: u32) -> usize {
        if self
            .guards
            .first()
            .is_some_and(|(first, _)| *first == shard)
        {
            return 0;
        }
        assert!(
            self.set.contains(ShardSet::one(shard)),
            "a handler asked for a key that its command does not declare"
        );
        self.set.below(shard).len() as usize
    }

    /// Whether commands left something to do in the shards that are held: see
    /// [`Shard::has_aftermath`]. Looks only where somebody could leave it.
    #[inline]
    pub fn has_aftermath(&mut self) -> bool {
        let first = self.guards.first();
        first.is_some_and(|(_, shard)| shard.has_aftermath())
            || !self.touched.is_empty() && self.touched_has_aftermath()
    }

    /// Has [`Held::has_aftermath`] look everywhere next: others may have left something that could
    /// not be done then.
    pub fn touch_all(&mut self) {
        self.touched = self.set;
    }

    fn touched_has_aftermath(&mut self) -> bool {
        // A command that was postponed has let go of them.
        let mut touched = self.touched.shared_with(self.set).iter();
        let has = touched.any(|shard| self.view(shard).has_aftermath());
        if !has {
            self.touched = ShardSet::EMPTY;
        }
        has
    }

    /// The shard of a key, which is held.
    #[inline]
    pub fn shard_of(&mut self, key: &Key) -> &mut Shard {
        let shard = self.keyspace.shard_of(key);
        self.shard(shard)
    }

    /// The value of a key as it lies there, for commands that read several at once: each was looked
    /// up by [`Shard::entry`] before, which removes what has expired. No use of the key.
    ///
    /// # Panics
    /// When its shard is not held.
    pub fn look(&self, key: &Key) -> Option<&Value> {
        let shard = self.view(self.keyspace.shard_of(key));
        let same = |entry: &Entry| *entry.name() == *key.name;
        let entry = shard.table(key.db).find(key.hash, same)?;
        Some(&entry.value)
    }

    /// Checks the accounts of all shards that are held: see [`Shard::check_ledgers`].
    pub fn check_ledgers(&mut self) {
        for (_, guard) in &mut self.guards {
            guard.check_ledgers();
        }
    }

    /// Whether something holds for any of the shards that are held. Unlike [`Held::shards`] it
    /// lets nobody change them.
    #[inline]
    pub fn any(&self, holds: impl Fn(&Shard) -> bool) -> bool {
        self.guards.iter().any(|(_, shard)| holds(shard))
    }

    /// All shards that are held, in order.
    pub fn shards(&mut self) -> impl Iterator<Item = (u32, &mut Shard)> {
        self.touch_all();
        self.guards
            .iter_mut()
            .map(|(shard, guard)| (*shard, &mut **guard))
    }
}

#[cfg(test)]
mod tests {
    use super::{Keyspace, ShardSet};
    use crate::store::{Text, Value};

    #[test]
    fn asking_waits_for_nobody_and_holds_nothing() {
        let keyspace = Keyspace::new(7);
        let names: Vec<_> = (0..40).map(|n| format!("k{n}")).collect();
        let keys: Vec<_> = names
            .iter()
            .map(|name| keyspace.key(0, name.as_bytes()))
            .collect();
        let (mut one, mut two) = (keyspace.hold(), keyspace.hold());
        for key in &keys[..20] {
            one.need(ShardSet::one(keyspace.shard_of(key)));
            let value = Value::Text(Text::new(key.name));
            one.shard_of(key).insert_new(key, value, None);
        }
        let (first, last) = (keyspace.shard_of(&keys[0]), keyspace.shard_of(&keys[39]));
        assert_ne!(first, last, "by the seed");
        one.need(ShardSet::one(first));
        two.need(ShardSet::one(last));
        // A shard of its own, one of somebody else's, and free ones.
        for part in keys.chunks(8) {
            two.ask(part);
        }
        assert_eq!(two.set(), ShardSet::one(last));
        drop((one, two));
        let mut all = keyspace.hold();
        all.need(ShardSet::ALL);
        all.ask(&keys);
        let found = keys.iter().filter(|key| all.look(key).is_some());
        assert_eq!(found.count(), 20);
    }
}
