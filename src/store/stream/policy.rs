//! What a stream does by itself, beyond Redis: retention by age, a bound on deliveries, consumers
//! that expire.
//!
//! Its policy comes with the key that it stands at, and again when policies change (see
//! `shard::streams`). Here it is carried out: before a stream is looked at and by [`Stream::tend`]
//! at the background tick, so that no traffic is needed. Bounds on length and bytes are kept by
//! whoever adds.

use std::sync::Arc;

use super::group::GroupPolicy;
use super::{Group, Idempotence, Stream};
use crate::overflow::QueueBounds;
use crate::policy::Governed;
use crate::store::ledger::Tally;

/// Segments of which one call of [`Stream::tend`] may drop entries: some tens of microseconds.
const SEGMENTS_PER_CALL_MAX: usize = 64;

/// Producers and old marks of which one call of [`Stream::tend`] may forget.
const MARKS_PER_CALL_MAX: usize = 1000;

/// Milliseconds after which a consumer is looked at again that is idle for longer than its policy
/// allows and stays for what it has pending.
const OWNER_REST_MS: u64 = 1000;

/// What tending a stream came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "what is lost is counted"]
pub struct Tended {
    /// Entries that were too old.
    pub expired: Tally,
    /// Consumers that had gone.
    pub consumers: u64,
    /// There is more to do at once.
    pub more: bool,
}

/// Milliseconds as groups count them: 0 is never.
fn bound_ms(ms_max: u64) -> u64 {
    if ms_max == u64::MAX { 0 } else { ms_max }
}

impl Stream {
    /// Puts the stream and its groups under a policy, or under none.
    pub fn govern(&mut self, governed: Option<&Arc<Governed>>) {
        if governed.is_none() && self.governed.is_none() {
            return;
        }
        self.governed = governed.cloned();
        let policy = self.group_policy();
        for group in &mut self.groups {
            group.policy = policy;
        }
    }

    /// What its groups do by themselves.
    pub(super) fn group_policy(&self) -> GroupPolicy {
        let policy = self.governed.as_ref().map(|governed| GroupPolicy {
            deliveries_max: governed.deliveries_max,
            consumer_idle_ms_max: bound_ms(governed.bounds.idle_ms_max),
        });
        policy.unwrap_or_default()
    }

    /// The policy that holds for it.
    #[inline]
    pub fn governed(&self) -> Option<&Arc<Governed>> {
        self.governed.as_ref()
    }

    /// Its bounds, if it has any.
    #[inline]
    pub fn bounds(&self) -> Option<QueueBounds> {
        Some(self.governed()?.bounds)
    }

    /// Whether the background tick has something to see to here.
    #[inline]
    pub fn wants_tending(&self) -> bool {
        self.idempotence.is_some() || self.bounds().is_some_and(|bounds| bounds.is_timed())
    }

    /// When its shard is to look after it; 0 is never.
    #[inline]
    pub(in crate::store) fn look_ms(&self) -> u64 {
        self.look_ms
    }

    /// Written by its shard, as it puts the stream on its list or takes it off.
    pub(in crate::store) fn set_look_ms(&mut self, look_ms: u64) {
        self.look_ms = look_ms;
    }

    /// Whether entries or marks of producers are too old before its shard looks after it; O(1).
    #[inline]
    pub fn outruns_look(&self) -> bool {
        let is_timed = self.governed.is_some() || self.idempotence.is_some();
        let look_ms = if self.look_ms == 0 {
            u64::MAX
        } else {
            self.look_ms
        };
        is_timed && self.first_due_ms() < look_ms
    }

    /// When the first of its entries or of the marks of its producers is too old; O(1).
    pub(in crate::store) fn first_due_ms(&self) -> u64 {
        let mut due_ms = u64::MAX;
        if let Some(bounds) = self.bounds()
            && !self.log.is_empty()
        {
            let last_ms = self.log.first_id().ms.saturating_add(bounds.age_ms_max);
            due_ms = last_ms.saturating_add(1);
        }
        let marks_ms = self.idempotence().and_then(Idempotence::next_expiry_ms);
        due_ms.min(marks_ms.unwrap_or(u64::MAX))
    }

    /// Whether consumers expire.
    pub(in crate::store) fn expires_consumers(&self) -> bool {
        self.group_policy().consumer_idle_ms_max > 0
    }

    /// Notes that a consumer waits for entries, which counts as being seen.
    pub(in crate::store) fn note_waiting(&mut self, group: &[u8], consumer: &[u8], now_ms: u64) {
        let Ok(place) = self.find_group(group) else {
            return;
        };
        let consumers = &mut self.groups[place].consumers;
        if let Some(index) = consumers.find(consumer) {
            consumers.get_mut(index).seen_ms = now_ms;
        }
    }

    /// When to look after it again, once it has been tended: not at once, and never later than
    /// there is something to do, except where a consumer lets go of its last pending entry when
    /// it has long been idle. O(consumers) where those expire, else O(1).
    pub(in crate::store) fn next_look_ms(&self, now_ms: u64) -> u64 {
        let mut look_ms = self.first_due_ms();
        let idle_ms_max = self.group_policy().consumer_idle_ms_max;
        if idle_ms_max > 0 {
            // Who comes later expires later.
            look_ms = look_ms.min(now_ms.saturating_add(idle_ms_max));
            for (_, consumer) in self.groups().flat_map(Group::consumers) {
                let mut idle_ms = consumer.seen_ms.saturating_add(idle_ms_max);
                if consumer.pending() > 0 {
                    idle_ms = idle_ms.max(now_ms.saturating_add(OWNER_REST_MS));
                }
                look_ms = look_ms.min(idle_ms);
            }
        }
        look_ms.max(now_ms + 1)
    }

    /// Whether entries are too old; O(1).
    #[inline]
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        let Some(bounds) = self.bounds() else {
            return false;
        };
        let age_ms = now_ms.saturating_sub(self.log.first_id().ms);
        !self.log.is_empty() && age_ms > bounds.age_ms_max
    }

    /// Drops what is too old, a bounded amount; whether there is more.
    pub(in crate::store) fn drop_overdue(&mut self, now_ms: u64) -> (Tally, bool) {
        match self.bounds() {
            Some(bounds) if self.is_overdue(now_ms) => {
                self.expire(now_ms, bounds.age_ms_max, SEGMENTS_PER_CALL_MAX)
            }
            _ => (Tally::default(), false),
        }
    }

    /// Drops what is too old, forgets producers' old marks, and removes consumers that have gone.
    pub(in crate::store) fn tend(&mut self, now_ms: u64) -> Tended {
        let (expired, mut more) = self.drop_overdue(now_ms);
        if let Some(known) = &mut self.idempotence {
            more |= known.expire(now_ms, MARKS_PER_CALL_MAX) >= MARKS_PER_CALL_MAX;
        }
        let mut consumers = 0;
        for place in 0..self.groups.len() {
            consumers += self.group_at(place).expire_consumers(now_ms);
        }
        Tended {
            expired,
            consumers,
            more,
        }
    }
}
