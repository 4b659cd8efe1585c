//! Lines of waiters: per key, first come first served.
//!
//! A client that blocks on several keys stands in the line of each. Who serves a waiter holds the
//! locks of *all* its shards ([`Waiter::shards`]) and takes it out of all its lines at once; who
//! cancels one holds the same locks. So a waiter is served exactly once, and finding it in its
//! line proves that nobody has served it yet.
//!
//! A line is ordered by ticket. Joining and finding the first are O(1), leaving and finding the
//! next O(log n) in the length of the line, on average over those who leave.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::mem;
use std::sync::Arc;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::key::{Key, Name, ShardSet};
use super::value::Kind;

/// Places that the list of a line that ended may have room for to be kept for the next line.
const SPARE_PLACES_MAX: usize = 64;
/// Places that a line may have beyond twice as many as are taken.
const FREE_PLACES_MAX: usize = 16;

/// A key that a waiter waits for, owned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitKey {
    /// The logical database.
    pub db: u8,
    /// The name's hash.
    pub hash: u64,
    /// The key's bytes.
    pub name: Name,
}

impl WaitKey {
    /// The same key, borrowed.
    pub fn as_key(&self) -> Key<'_> {
        Key {
            db: self.db,
            hash: self.hash,
            name: &self.name,
        }
    }
}

impl From<&Key<'_>> for WaitKey {
    fn from(key: &Key<'_>) -> Self {
        Self {
            db: key.db,
            hash: key.hash,
            name: key.name.into(),
        }
    }
}

/// What the command room needs to try a request again; opaque here.
pub trait Attempt: Any + fmt::Debug + Send + Sync {
    /// The group and the consumer that it reads as, if it reads for a group.
    fn reader(&self) -> Option<(&[u8], &[u8])> {
        None
    }
}

/// A client that waits for a key to hold something.
#[derive(Debug)]
pub struct Waiter<A: ?Sized = dyn Attempt> {
    /// The place in every line: lower was first.
    pub ticket: u64,
    /// The type that can serve it.
    pub kind: Kind,
    /// Whether a key that vanishes or changes its type serves it too (group readers get an error).
    pub wakes_on_removal: bool,
    /// The keys it waits for, in the order in which they are tried.
    pub keys: SmallVec<[WaitKey; 1]>,
    /// Bytes of the keys' names.
    pub names_bytes: usize,
    /// All shards that serving it may touch: those of its keys and of its destination.
    pub shards: ShardSet,
    /// The request, for trying it again.
    pub attempt: A,
}

/// A ticket and who holds it, unless that waiter has left.
type Place = (u64, Option<Arc<Waiter>>);

/// What can serve somebody of a line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    /// A bit for each kind.
    kinds: u16,
    /// Whether nothing at all can.
    removal: bool,
}

impl Wants {
    fn add(&mut self, waiter: &Waiter) {
        self.kinds |= 1 << waiter.kind as u16;
        self.removal |= waiter.wakes_on_removal;
    }

    /// Whether a key with a value of this kind, or without one, may serve anybody.
    #[inline]
    pub fn any_of(self, kind: Option<Kind>) -> bool {
        self.removal || kind.is_some_and(|kind| self.kinds & 1 << kind as u16 != 0)
    }
}

/// The waiters of one key.
#[derive(Debug)]
pub struct Line {
    key: WaitKey,
    /// What those who joined since the line began can be served by.
    wants: Wants,
    /// Ascending by ticket; the first and the last place are taken.
    places: VecDeque<Place>,
    /// Places that are taken.
    len: usize,
    /// When the key may serve by itself; 0 is never.
    alarm_ms: u64,
}

impl Line {
    #[inline]
    fn is_for(&self, key: &Key) -> bool {
        self.key.db == key.db && key.is_named(&self.key.name)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits; such lines are removed at once.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What can serve those who wait, and perhaps some more.
    #[inline]
    pub fn wants(&self) -> Wants {
        self.wants
    }

    /// The first waiter whose ticket is above `after`.
    pub fn next_after(&self, after: u64) -> Option<Arc<Waiter>> {
        let from = match self.places.front() {
            Some((first, _)) if *first > after => 0,
            _ => self.places.partition_point(|(ticket, _)| *ticket <= after),
        };
        self.places
            .range(from..)
            .find_map(|(_, waiter)| waiter.clone())
    }

    fn waiters(&self) -> impl Iterator<Item = &Arc<Waiter>> {
        self.places.iter().filter_map(|(_, waiter)| waiter.as_ref())
    }

    /// The groups and the consumers that wait.
    pub(super) fn readers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.waiters().filter_map(|waiter| waiter.attempt.reader())
    }

    /// Whoever comes is last, because tickets are taken while the shard is held. Who names a key
    /// twice stands in its line once.
    fn join(&mut self, waiter: &Arc<Waiter>) {
        let last = self.places.back().map_or(0, |(ticket, _)| *ticket);
        debug_assert!(last <= waiter.ticket, "tickets ascend");
        if last == waiter.ticket {
            return;
        }
        self.places
            .push_back((waiter.ticket, Some(Arc::clone(waiter))));
        self.len += 1;
        self.wants.add(waiter);
    }

    /// Frees a place; says whether it was taken. Places in the middle stay until they are many.
    fn leave(&mut self, ticket: u64) -> bool {
        let found = match self.places.front() {
            Some((first, _)) if *first == ticket => Ok(0),
            _ => self.places.binary_search_by_key(&ticket, |place| place.0),
        };
        let Some((_, waiter)) = found.ok().and_then(|at| self.places.get_mut(at)) else {
            return false;
        };
        let stood = waiter.take().is_some();
        self.len -= usize::from(stood);
        while let Some((_, None)) = self.places.front() {
            self.places.pop_front();
        }
        while let Some((_, None)) = self.places.back() {
            self.places.pop_back();
        }
        if self.places.len() > 2 * self.len + FREE_PLACES_MAX {
            self.places.retain(|(_, waiter)| waiter.is_some());
        }
        stood
    }
}

/// The lines of one shard.
#[derive(Debug, Default)]
pub struct Lines {
    by_key: HashTable<Line>,
    /// The places of the last line that ended, none of them taken: a line of one comes and goes
    /// with each message to a consumer that waits.
    spare: VecDeque<Place>,
    /// Union of the shards of all waiters who joined since the lines were last empty.
    reach: ShardSet,
    /// Moments on the wall clock at which a key may serve by itself, as its line has it: group
    /// readers set them who claim what others left pending.
    alarms: BTreeSet<(u64, WaitKey)>,
}

impl Lines {
    /// How many keys have a waiter whom their removal serves too. Cost: a look at every waiter.
    pub fn watched_for_removal_len(&self) -> usize {
        let is_so = |line: &&Line| line.waiters().any(|waiter| waiter.wakes_on_removal);
        self.by_key.iter().filter(is_so).count()
    }

    /// Whether nobody waits for any key of the shard.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Every shard that serving a waiter of this shard may touch, and perhaps some more.
    pub fn reach(&self) -> ShardSet {
        self.reach
    }

    /// The line for `key`.
    pub fn get(&self, key: &Key) -> Option<&Line> {
        if self.is_empty() {
            return None;
        }
        self.by_key.find(key.hash, |line| line.is_for(key))
    }

    /// Puts a waiter in the line of one of its keys.
    pub fn join(&mut self, key: &WaitKey, waiter: &Arc<Waiter>) {
        let is_it = |line: &Line| line.is_for(&key.as_key());
        let line = match self.by_key.find_mut(key.hash, is_it) {
            Some(line) => line,
            None => self
                .by_key
                .insert_unique(
                    key.hash,
                    Line {
                        key: key.clone(),
                        wants: Wants::default(),
                        places: mem::take(&mut self.spare),
                        len: 0,
                        alarm_ms: 0,
                    },
                    |line| line.key.hash,
                )
                .into_mut(),
        };
        self.reach = self.reach.union(waiter.shards);
        line.join(waiter);
    }

    /// Takes a waiter out of the line of one of its keys; says whether it stood there.
    pub fn leave(&mut self, key: &WaitKey, ticket: u64) -> bool {
        let is_it = |line: &Line| line.is_for(&key.as_key());
        let Ok(mut entry) = self.by_key.find_entry(key.hash, is_it) else {
            return false;
        };
        let stood = entry.get_mut().leave(ticket);
        if entry.get().is_empty() {
            let (line, _) = entry.remove();
            if line.alarm_ms != 0 {
                self.alarms.remove(&(line.alarm_ms, line.key));
            }
            if line.places.capacity() <= SPARE_PLACES_MAX {
                self.spare = line.places;
            }
            if self.by_key.is_empty() {
                self.reach = ShardSet::EMPTY;
            }
        }
        stood
    }

    /// Asks to have a key tried at a moment, or earlier if that was asked for already, while
    /// anybody waits for it. O(log alarms).
    pub fn set_alarm(&mut self, key: &WaitKey, at_ms: u64) {
        // The epoch is over, and stands for no alarm.
        let at_ms = at_ms.max(1);
        let is_it = |line: &Line| line.is_for(&key.as_key());
        let Some(line) = self.by_key.find_mut(key.hash, is_it) else {
            return;
        };
        if line.alarm_ms != 0 {
            if line.alarm_ms <= at_ms {
                return;
            }
            self.alarms.remove(&(line.alarm_ms, key.clone()));
        }
        line.alarm_ms = at_ms;
        self.alarms.insert((at_ms, key.clone()));
    }

    /// Takes the keys whose moment has come.
    pub fn take_alarms(&mut self, now_ms: u64) -> Vec<WaitKey> {
        let mut due = Vec::new();
        while self
            .alarms
            .first()
            .is_some_and(|&(at_ms, _)| at_ms <= now_ms)
            && let Some((_, key)) = self.alarms.pop_first()
        {
            let is_it = |line: &Line| line.is_for(&key.as_key());
            if let Some(line) = self.by_key.find_mut(key.hash, is_it) {
                line.alarm_ms = 0;
            }
            due.push(key);
        }
        due
    }

    /// How many keys have an alarm.
    #[cfg(test)]
    pub fn alarms_len(&self) -> usize {
        self.alarms.len()
    }

    /// The keys of a database that somebody waits for.
    pub fn keys_of(&self, db: u8) -> impl Iterator<Item = &WaitKey> {
        self.by_key
            .iter()
            .map(|line| &line.key)
            .filter(move |key| key.db == db)
    }

    /// How many keys have a line.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }
}
