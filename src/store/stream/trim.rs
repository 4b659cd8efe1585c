//! Trimming, deleting and ageing: every way in which entries leave a stream.
//!
//! Whole segments go at once wherever their entries need no look: with KEEPREF always, and that
//! is what `~` confines itself to, exactly where Redis would drop a node. With DELREF and ACKED
//! the entries of a segment are looked at one by one, because groups hold references to them.
//! `~` with those two does what Redis does since 8.6 (8.2 and 8.4 trim nothing then).
//!
//! Everything here counts what went in the account of the stream, by cause, and returns it for
//! that of the database: see `shard::streams`, through which commands come here.

use super::Stream;
use super::entry::Entry;
use super::group::Left;
use super::id::StreamId;
use super::log::{Emptied, Log};
use crate::overflow::QueueBounds;
use crate::store::ledger::{Cause, Tally};

/// What becomes of the places where groups hold an entry that is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// KEEPREF: they stay, and point to nothing.
    #[default]
    Keep,
    /// DELREF: they go with it.
    Delete,
    /// ACKED: an entry goes only if every group has it behind itself, read and acknowledged.
    Acked,
}

/// What trimming aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// At most this many entries.
    MaxLen(u64),
    /// No entry below this id.
    MinId(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What to aim at.
    pub to: TrimTo,
    /// `~`: drop whole segments only.
    pub approximate: bool,
    /// A segment is not touched if more entries than this would have been looked at with it, gone
    /// or not; 0 means no bound.
    pub limit: u64,
    /// What becomes of references.
    pub references: References,
}

/// What became of an entry that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// There was none.
    NotFound,
    /// It was pending and is acknowledged now, but had left the stream before.
    GoneBefore,
    /// It is gone: one entry, with the bytes of its names and values.
    Gone(Tally),
    /// A group still has to read or acknowledge it, so it stays.
    Referenced,
}

impl Stream {
    /// XTRIM, and the trimming of XADD. O(log s) for each segment dropped whole, O(entries) for
    /// those looked at one by one.
    pub fn trim(&mut self, trim: Trim) -> Tally {
        let mut lost = Tally::default();
        let mut looks = 0;
        let mut from = StreamId::MIN;
        let until = self.may_go_until(trim.references);
        while let Some((base, segment)) = self.log.segment_from(from)
            && base <= until
        {
            let (live, end_id) = (segment.live(), segment.last());
            looks += live;
            let whole = match trim.to {
                TrimTo::MaxLen(len_max) => {
                    if self.log.len() <= len_max {
                        break;
                    }
                    self.log.len() - live >= len_max
                }
                TrimTo::MinId(min_id) => end_id < min_id,
            };
            if trim.limit > 0 && looks > trim.limit {
                break;
            }
            if whole && trim.references == References::Keep {
                lost += self.log.drop_segment(base);
            } else if live == 0 && whole {
                // An empty place, kept when its entries went; nothing is lost with it.
                let _ = self.log.drop_segment(base);
            } else if whole || !trim.approximate {
                self.trim_within(base, end_id, trim, &mut lost);
            }
            if !whole {
                break;
            }
            let Some(next) = end_id.next() else { break };
            from = next;
        }
        // LOSS: trimmed
        self.lost.add(Cause::Trimmed, lost);
        lost
    }

    /// What [`Stream::trim`] is sure to take of what is held now, once one more entry has come: it
    /// may come into the last segment, which therefore does not go whole. Costs what trimming does.
    pub(in crate::store) fn trim_frees(&self, trim: Trim) -> Tally {
        let mut freed = Tally::default();
        let end = self.log.segments.end();
        let last_base = end.map(|end| self.log.segments.at(end).base);
        let mut looks = 0;
        let mut from = StreamId::MIN;
        let until = self.may_go_until(trim.references);
        while let Some((base, segment)) = self.log.segment_from(from)
            && base <= until
        {
            let (live, end_id) = (segment.live(), segment.last());
            looks += live;
            let left = self.log.len() + 1 - freed.messages;
            let whole = match trim.to {
                TrimTo::MaxLen(len_max) if left <= len_max => break,
                TrimTo::MaxLen(len_max) => left - live >= len_max,
                TrimTo::MinId(min_id) => end_id < min_id,
            } && Some(base) != last_base;
            if trim.limit > 0 && looks > trim.limit {
                break;
            }
            if whole && trim.references != References::Acked {
                freed += segment.held();
            } else if whole || !trim.approximate {
                self.trim_frees_within((base, end_id), trim, &mut freed);
            }
            let Some(next) = end_id.next().filter(|_| whole) else {
                break;
            };
            from = next;
        }
        freed
    }

    /// Greatest id that trimming may take: with ACKED, whoever has not read on needs the rest.
    /// Spares a walk over a backlog of which nothing can go.
    fn may_go_until(&self, references: References) -> StreamId {
        match references {
            References::Keep | References::Delete => StreamId::MAX,
            References::Acked => {
                let read = self.groups.iter().map(|group| group.last_id);
                read.min().unwrap_or(StreamId::MAX)
            }
        }
    }

    fn trim_frees_within(&self, ids: (StreamId, StreamId), trim: Trim, freed: &mut Tally) {
        for entry in self.log.range(ids.0, ids.1) {
            let reached = match trim.to {
                TrimTo::MaxLen(len_max) => self.log.len() + 1 - freed.messages <= len_max,
                TrimTo::MinId(min_id) => entry.id >= min_id,
            };
            if reached {
                break;
            }
            if trim.references != References::Acked || !self.is_referenced(entry.id) {
                *freed += Tally {
                    messages: 1,
                    bytes: entry.fields.payload_bytes(),
                };
            }
        }
    }

    /// Trims the entries of one segment one by one.
    fn trim_within(&mut self, base: StreamId, end_id: StreamId, trim: Trim, lost: &mut Tally) {
        let emptied = match trim.to {
            TrimTo::MinId(min_id) if end_id >= min_id => Emptied::Keep,
            _ => Emptied::Drop,
        };
        if trim.references == References::Keep {
            let mut left = match trim.to {
                TrimTo::MaxLen(len_max) => self.log.len().saturating_sub(len_max),
                TrimTo::MinId(_) => u64::MAX,
            };
            *lost += self.log.trim_front(base, emptied, |entry| {
                let stays = matches!(trim.to, TrimTo::MinId(min_id) if entry.id >= min_id);
                let goes = left > 0 && !stays;
                left -= u64::from(goes);
                goes
            });
            return;
        }
        let ids: Vec<StreamId> = self.log.range(base, end_id).map(|entry| entry.id).collect();
        for id in ids {
            let reached = match trim.to {
                TrimTo::MaxLen(len_max) => self.log.len() <= len_max,
                TrimTo::MinId(min_id) => id >= min_id,
            };
            if reached {
                break;
            }
            if let Deleted::Gone(gone) = self.let_go(id, trim.references, emptied) {
                *lost += gone;
            }
        }
    }

    /// XDEL and XDELEX: deletes one entry by name. O(log s), and a segment's worth of steps.
    pub(in crate::store) fn delete(&mut self, id: StreamId, references: References) -> Deleted {
        let deleted = self.delete_uncounted(id, references);
        if let Deleted::Gone(gone) = deleted {
            // LOSS: removed
            self.lost.add(Cause::Removed, gone);
        }
        deleted
    }

    fn delete_uncounted(&mut self, id: StreamId, references: References) -> Deleted {
        let deleted = self.let_go(id, references, Emptied::Drop);
        if matches!(deleted, Deleted::Gone(_)) {
            self.log.note_deleted(id);
        }
        deleted
    }

    /// XACKDEL: acknowledges the entry for one group, then deletes it as [`Stream::delete`] does.
    /// `None` when there is no such group; `NotFound` when the entry is not pending there. What
    /// goes so was delivered and done with: it counts as delivered, not as lost.
    pub(in crate::store) fn ack_delete(
        &mut self,
        group: &[u8],
        id: StreamId,
        references: References,
    ) -> Option<Deleted> {
        let place = self.find_group(group).ok()?;
        if self.groups[place].forget(id, Left::Acked).is_none() {
            return Some(Deleted::NotFound);
        }
        Some(match self.delete_uncounted(id, references) {
            Deleted::NotFound => Deleted::GoneBefore,
            Deleted::Gone(gone) => {
                self.out += gone;
                Deleted::Gone(gone)
            }
            deleted => deleted,
        })
    }

    /// Drops entries whose ids lie more than `age_ms_max` in the past, exactly; for max-age
    /// retention, at the background tick and before reads. At most `segments_max` segments are
    /// looked at, so that a tick stays short; `true` means that there is more to do.
    ///
    /// Age is taken from ids, so it is true where ids are given by the server.
    pub(in crate::store) fn expire(
        &mut self,
        now_ms: u64,
        age_ms_max: u64,
        segments_max: usize,
    ) -> (Tally, bool) {
        let min_id = StreamId::new(now_ms.saturating_sub(age_ms_max), 0);
        let mut lost = Tally::default();
        let is_old = |log: &Log| !log.is_empty() && log.first_id() < min_id;
        for _ in 0..segments_max {
            let Some((base, segment)) = self.log.segment_from(StreamId::MIN) else {
                break;
            };
            if !is_old(&self.log) {
                break;
            }
            lost += if segment.last() < min_id {
                self.log.drop_segment(base)
            } else {
                let is_old = |entry: &Entry<'_>| entry.id < min_id;
                self.log.trim_front(base, Emptied::Drop, is_old)
            };
        }
        // LOSS: expired-age
        self.lost.add(Cause::ExpiredAge, lost);
        (lost, is_old(&self.log))
    }

    /// Drops the oldest entries until the rest is within bounds: O(1) for each segment that goes
    /// whole, and a walk within one. Groups keep what they have pending, as with XTRIM.
    pub(in crate::store) fn drop_surplus(&mut self, bounds: &QueueBounds) -> Tally {
        let mut lost = Tally::default();
        while !bounds.hold(self.log.len(), self.log.payload_bytes())
            && let Some((base, segment)) = self.log.segment_from(StreamId::MIN)
        {
            let mut len = self.log.len();
            let mut bytes = self.log.payload_bytes();
            let (rest, rest_bytes) = (len - segment.live(), bytes - segment.payload_bytes());
            lost += if bounds.hold(rest, rest_bytes) {
                self.log.trim_front(base, Emptied::Drop, |entry| {
                    let goes = !bounds.hold(len, bytes);
                    if goes {
                        len -= 1;
                        bytes -= entry.fields.payload_bytes();
                    }
                    goes
                })
            } else {
                self.log.drop_segment(base)
            };
        }
        // LOSS: overflow-oldest
        self.lost.add(Cause::OverflowOldest, lost);
        lost
    }

    /// Takes back the entry that was just added, for which there is no room.
    pub(in crate::store) fn drop_newest(&mut self, id: StreamId) -> Tally {
        let gone = self.log.remove(id, Emptied::Drop).unwrap_or_default();
        // LOSS: overflow-newest
        self.lost.add(Cause::OverflowNewest, gone);
        gone
    }

    /// Removes an entry if its references allow, and does to them what is to be done.
    fn let_go(&mut self, id: StreamId, references: References, emptied: Emptied) -> Deleted {
        if references == References::Acked && self.is_referenced(id) {
            return Deleted::Referenced;
        }
        if references == References::Delete {
            for group in &mut self.groups {
                group.forget(id, Left::Gone);
            }
        }
        let gone = self.log.remove(id, emptied);
        gone.map_or(Deleted::NotFound, Deleted::Gone)
    }

    /// Whether a group has yet to read or to acknowledge the entry. O(groups · log pending).
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups
            .iter()
            .any(|group| group.last_id < id || group.pending.contains(id))
    }
}
