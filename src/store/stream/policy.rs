//! What a stream does by itself, beyond Redis: retention by age, a bound on deliveries, consumers
//! that expire.
//!
//! Whoever owns the policies (patterns of keys and their bounds) hands them in as plain values with
//! [`Shard::set_stream_policy`](crate::store::Shard::set_stream_policy), when a stream comes to
//! life and when a policy changes. Here they are carried out: before a stream is looked at and
//! by [`Stream::tend`] at the background tick, so that no traffic is needed.

use std::sync::Arc;

use super::Stream;
use super::group::GroupPolicy;
use super::trim::Lost;

/// Segments of which one call of [`Stream::tend`] may drop entries: some tens of microseconds.
const SEGMENTS_PER_CALL_MAX: usize = 64;

/// What a stream and its groups do by themselves. All off at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPolicy {
    /// Entries whose ids lie further than this in the past are dropped and counted as expired; 0
    /// means never.
    pub age_ms_max: u64,
    /// For every group that has no policy of its own.
    pub group: GroupPolicy,
    /// The stream, in the same database, to which entries go that were delivered too often;
    /// without one they are dropped and counted.
    pub dead_letter: Option<Box<[u8]>>,
}

/// What tending a stream came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "what is lost is counted"]
pub struct Tended {
    /// Entries that were too old.
    pub expired: Lost,
    /// Consumers that had gone.
    pub consumers: u64,
    /// There is more to do at once.
    pub more: bool,
}

impl Stream {
    /// Says what the stream and its groups are to do by themselves; `None` is nothing.
    pub fn set_policy(&mut self, policy: Option<Arc<StreamPolicy>>) {
        let group = policy.as_ref().map(|policy| policy.group);
        for present in &mut self.groups {
            present.policy = group.unwrap_or_default();
        }
        self.policy = policy;
    }

    /// What the stream does by itself.
    #[inline]
    pub fn policy(&self) -> Option<&Arc<StreamPolicy>> {
        self.policy.as_ref()
    }

    /// Whether the background tick has something to see to here.
    #[inline]
    pub fn wants_tending(&self) -> bool {
        self.policy.is_some() || self.idempotence.is_some()
    }

    /// Whether entries are too old; O(1).
    #[inline]
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        let Some(policy) = &self.policy else {
            return false;
        };
        let oldest_ms = self.log.first_id().ms;
        policy.age_ms_max > 0
            && !self.log.is_empty()
            && now_ms.saturating_sub(oldest_ms) > policy.age_ms_max
    }

    /// Drops what is too old, a bounded amount; whether there is more.
    pub fn drop_overdue(&mut self, now_ms: u64) -> (Lost, bool) {
        let age_ms_max = match &self.policy {
            Some(policy) if policy.age_ms_max > 0 => policy.age_ms_max,
            _ => return (Lost::default(), false),
        };
        self.expire(now_ms, age_ms_max, SEGMENTS_PER_CALL_MAX)
    }

    /// Drops what is too old, forgets producers' old marks, and removes consumers that have gone.
    pub fn tend(&mut self, now_ms: u64) -> Tended {
        let (expired, more) = self.drop_overdue(now_ms);
        if let Some(known) = &mut self.idempotence {
            known.expire(now_ms);
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
