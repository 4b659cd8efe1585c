//! Claims: pending entries that change hands, or come back to the hands they were in.
//!
//! Three ways in: by id (XCLAIM), by walking ids for what is due (XAUTOCLAIM), and by time
//! (XREADGROUP CLAIM). All of them meet the group's bound on deliveries here: an entry that was
//! delivered that often leaves the pending list and is handed back as exhausted, for the caller
//! to dead-letter or to count.
//!
//! XAUTOCLAIM in Redis looks at no more than ten pending entries for each it may return, due or
//! not, and hands out a cursor. Up to [`EXACT_PENDING_MAX`] pending entries this file does the
//! same, look by look. In a longer list it asks the order of time first: if few entries are due
//! it claims those, in order of ids, and one call finds the ten that are due among a million,
//! wherever they are, at a cost of what it returns. If many are due, a walk by id soon meets
//! them; it may take a few more looks than Redis before it gives up with a cursor.

use std::collections::BTreeSet;

use super::consumer::ConsumerIndex;
use super::entry::Entry;
use super::group::{GroupMut, Left};
use super::id::StreamId;
use super::pending::Pending;

/// Looks that XAUTOCLAIM takes for each entry it may return.
const LOOKS_PER_ENTRY: u64 = 10;

/// Longest pending list in which XAUTOCLAIM gives up where Redis would: what the default COUNT
/// covers in one call.
const EXACT_PENDING_MAX: u64 = 1000;

/// Most entries past the bound on deliveries that a claim by time hands back: each is put away.
/// The next claim goes on.
const SPENT_MAX: usize = 1000;

/// Most entries that a claim by time passes over, or finds gone: a few milliseconds.
const PASSED_MAX: usize = 10_000;

/// Fewest looks in a longer list: about ten microseconds.
const LONG_LOOKS_MIN: u64 = 4096;

/// What XCLAIM writes into the entries it claims.
#[derive(Clone, Copy, Debug)]
pub struct ClaimOptions {
    /// Only entries idle for at least this long.
    pub min_idle_ms: u64,
    /// Delivery time to write; must not lie ahead of the present.
    pub delivered_ms: u64,
    /// Delivery count to write instead of one more.
    pub deliveries: Option<u64>,
    /// Makes entries of the stream pending that are not.
    pub force: bool,
    /// Only ids are asked for: that is no delivery, so nothing is counted.
    pub just_id: bool,
}

/// What XAUTOCLAIM asks for.
#[derive(Clone, Copy, Debug)]
pub struct AutoclaimOptions {
    /// Most entries to claim; at least one.
    pub count: u64,
    /// Only entries idle for at least this long.
    pub min_idle_ms: u64,
    /// Only ids are asked for: that is no delivery, so nothing is counted.
    pub just_id: bool,
}

/// An entry that changed hands.
#[derive(Clone, Copy, Debug)]
pub struct ClaimedEntry<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// How long it had been idle, in milliseconds.
    pub idle_ms: u64,
    /// How often it had been delivered before.
    pub deliveries: u64,
}

/// An entry that has been delivered as often as the group allows. It is off the pending list and
/// still in the stream.
#[derive(Clone, Copy, Debug)]
pub struct Exhausted<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// What a claim came to.
#[derive(Clone, Debug, Default)]
pub struct Claimed<'a> {
    /// Entries that changed hands, in the order they were looked at.
    pub entries: Vec<ClaimedEntry<'a>>,
    /// Pending ids whose entries are gone from the stream; they are off the list now.
    pub deleted: Vec<StreamId>,
    /// Entries past the group's bound on deliveries, for the caller to dead-letter or drop.
    pub exhausted: Vec<Exhausted<'a>>,
    /// Where the next XAUTOCLAIM goes on; `0-0` when the list was walked to its end.
    pub cursor: StreamId,
}

impl<'a> GroupMut<'a> {
    /// XCLAIM: claims these ids. O(log pending) each.
    pub fn claim(
        &mut self,
        taker: ConsumerIndex,
        ids: &[StreamId],
        options: ClaimOptions,
        now_ms: u64,
    ) -> Claimed<'a> {
        let mut claimed = Claimed::default();
        // What this request put an end to is not to begin anew in it.
        let mut ended = BTreeSet::new();
        let mut seeker = self.log.seeker();
        for &id in ids {
            let Some(entry) = seeker.seek(id) else {
                if self.group.forget(id, Left::Gone).is_some() {
                    claimed.deleted.push(id);
                }
                continue;
            };
            let pending = match self.group.pending.get(id) {
                Some(pending) => pending,
                // A forced entry starts as if delivered once, just now, to nobody.
                None if options.force && !ended.contains(&id) => Pending {
                    id,
                    owner: None,
                    delivered_ms: now_ms,
                    deliveries: 1,
                },
                None => continue,
            };
            // Nobody has had a forced entry, so it has been idle for ever, as a released one.
            if pending.idle_ms(now_ms) < options.min_idle_ms {
                continue;
            }
            self.hand_over(taker, entry, pending, options, now_ms, &mut claimed);
            if claimed.exhausted.len() > ended.len() {
                ended.insert(id);
            }
        }
        self.note_active(taker, &claimed, now_ms);
        claimed
    }

    /// XAUTOCLAIM: claims up to `count` due entries from the id `start` on, in order of ids.
    /// See the file head for what it costs.
    pub fn autoclaim(
        &mut self,
        taker: ConsumerIndex,
        start: StreamId,
        options: AutoclaimOptions,
        now_ms: u64,
    ) -> Claimed<'a> {
        let min_idle_ms = options.min_idle_ms;
        let found = if self.group.pending.len() <= EXACT_PENDING_MAX {
            self.walk_exact(start, options, now_ms)
        } else if let Some(due) = self.group.few_due(min_idle_ms, now_ms) {
            self.walk_due(&due, start, options.count)
        } else {
            self.walk_long(start, options, now_ms)
        };
        let options = ClaimOptions {
            min_idle_ms,
            delivered_ms: now_ms,
            deliveries: None,
            force: false,
            just_id: options.just_id,
        };
        self.take(taker, found, options, now_ms)
    }

    /// XREADGROUP CLAIM: claims up to `count` entries idle for at least `min_idle_ms`, released
    /// ones first, then the longest idle first. O(returned), and a bounded walk over what was gone
    /// or delivered too often.
    pub fn claim_due(
        &mut self,
        taker: ConsumerIndex,
        min_idle_ms: u64,
        count: u64,
        now_ms: u64,
    ) -> Claimed<'a> {
        let mut found = Found::default();
        let mut spent = Vec::new();
        let mut passed = 0;
        let mut seeker = self.log.seeker();
        for id in self.group.pending.due(min_idle_ms, now_ms) {
            let is_enough = found.due.len() as u64 >= count || spent.len() == SPENT_MAX;
            if is_enough || passed + found.gone.len() == PASSED_MAX {
                break;
            }
            let Some(entry) = seeker.seek(id) else {
                found.gone.push(id);
                continue;
            };
            // What is spent takes nobody's place among what is delivered.
            let pending = self.group.pending.get(id);
            if pending.is_some_and(|pending| self.is_spent(&pending)) {
                if self.keeps_exhausted {
                    passed += 1;
                } else {
                    spent.push(entry);
                }
            } else {
                found.due.push(entry);
            }
        }
        found.due.append(&mut spent);
        let options = ClaimOptions {
            min_idle_ms,
            delivered_ms: now_ms,
            deliveries: None,
            force: false,
            just_id: false,
        };
        self.take(taker, found, options, now_ms)
    }

    /// Walks the list as Redis does: gone entries count whether due or not.
    fn walk_exact(&self, start: StreamId, options: AutoclaimOptions, now_ms: u64) -> Found<'a> {
        let mut found = Found::default();
        let mut seeker = self.log.seeker();
        let mut looks = options.count.saturating_mul(LOOKS_PER_ENTRY);
        let mut left = options.count;
        for pending in self.group.pending.iter_from(start) {
            if looks == 0 || left == 0 {
                found.next = pending.id;
                break;
            }
            looks -= 1;
            match seeker.seek(pending.id) {
                None => found.gone.push(pending.id),
                Some(entry) if pending.idle_ms(now_ms) >= options.min_idle_ms => {
                    found.due.push(entry);
                }
                Some(_) => continue,
            }
            left -= 1;
        }
        found
    }

    /// Takes the first `count` of `due`, which is every due id in order.
    fn walk_due(&self, due: &[StreamId], start: StreamId, count: u64) -> Found<'a> {
        let mut found = Found::default();
        let mut seeker = self.log.seeker();
        let rest = &due[due.partition_point(|&id| id < start)..];
        let len = rest.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        for &id in &rest[..len] {
            found.take(id, seeker.seek(id));
        }
        found.next = rest.get(len).copied().unwrap_or_default();
        found
    }

    /// Walks a long list in which much is due; only due entries are looked up.
    fn walk_long(&self, start: StreamId, options: AutoclaimOptions, now_ms: u64) -> Found<'a> {
        let mut found = Found::default();
        let mut seeker = self.log.seeker();
        let mut looks = options.count.saturating_mul(LOOKS_PER_ENTRY);
        looks = looks.max(LONG_LOOKS_MIN);
        let mut left = options.count;
        for pending in self.group.pending.iter_from(start) {
            if looks == 0 || left == 0 {
                found.next = pending.id;
                break;
            }
            looks -= 1;
            if pending.idle_ms(now_ms) < options.min_idle_ms {
                continue;
            }
            left -= 1;
            found.take(pending.id, seeker.seek(pending.id));
        }
        found
    }

    /// Claims what a walk found and clears what it found gone.
    fn take(
        &mut self,
        taker: ConsumerIndex,
        found: Found<'a>,
        options: ClaimOptions,
        now_ms: u64,
    ) -> Claimed<'a> {
        let mut claimed = Claimed {
            entries: Vec::with_capacity(found.due.len()),
            cursor: found.next,
            ..Claimed::default()
        };
        for entry in found.due {
            if let Some(pending) = self.group.pending.get(entry.id) {
                self.hand_over(taker, entry, pending, options, now_ms, &mut claimed);
            }
        }
        for &id in &found.gone {
            self.group.forget(id, Left::Gone);
        }
        claimed.deleted = found.gone;
        self.note_active(taker, &claimed, now_ms);
        claimed
    }

    /// Gives one entry to the taker, unless it was delivered too often already.
    fn hand_over(
        &mut self,
        taker: ConsumerIndex,
        entry: Entry<'a>,
        pending: Pending,
        options: ClaimOptions,
        now_ms: u64,
        claimed: &mut Claimed<'a>,
    ) {
        let spent = !options.just_id && self.is_spent(&pending);
        if spent && self.keeps_exhausted {
            return;
        }
        if spent && self.group.forget(entry.id, Left::Exhausted).is_some() {
            claimed.exhausted.push(Exhausted {
                entry,
                deliveries: pending.deliveries,
            });
            return;
        }
        let counted = pending.deliveries + u64::from(!options.just_id);
        let deliveries = options.deliveries.unwrap_or(counted);
        self.group
            .deliver(entry.id, taker, options.delivered_ms, deliveries);
        claimed.entries.push(ClaimedEntry {
            entry,
            idle_ms: pending.idle_ms(now_ms),
            deliveries: pending.deliveries,
        });
    }

    fn note_active(&mut self, taker: ConsumerIndex, claimed: &Claimed<'_>, now_ms: u64) {
        if !claimed.entries.is_empty() {
            self.group.consumers.get_mut(taker).active_ms = Some(now_ms);
        }
    }
}

/// What a walk found, before anything changes.
#[derive(Default)]
struct Found<'a> {
    due: Vec<Entry<'a>>,
    gone: Vec<StreamId>,
    /// Where to go on; `0-0` at the end.
    next: StreamId,
}

impl<'a> Found<'a> {
    /// Takes a due id, by the entry of it that the log still has or has not.
    fn take(&mut self, id: StreamId, entry: Option<Entry<'a>>) {
        match entry {
            Some(entry) => self.due.push(entry),
            None => self.gone.push(id),
        }
    }
}
