//! Trimming, deleting and ageing: every way in which entries leave a stream.
//!
//! Whole segments go at once wherever their entries need no look: with KEEPREF always, and that
//! is what `~` confines itself to, exactly where Redis would drop a node. With DELREF and ACKED
//! the entries of a segment are looked at one by one, because groups hold references to them.
//! `~` with those two does what Redis does since 8.6 (8.2 and 8.4 trim nothing then).
//!
//! Everything here returns what was lost, for the ledger.

use super::Stream;
use super::id::StreamId;
use super::log::Emptied;

/// What was lost: entries and the bytes of their names and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "what is lost is counted"]
pub struct Lost {
    /// Entries that are gone.
    pub entries: u64,
    /// Bytes of their names and values.
    pub bytes: u64,
}

impl Lost {
    fn add(&mut self, entries: u64, bytes: u64) {
        self.entries += entries;
        self.bytes += bytes;
    }
}

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
    /// A segment is not touched if more entries than this would be gone with it; 0 means no bound.
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
    /// It is gone; these are the bytes of its names and values.
    Gone(u64),
    /// A group still has to read or acknowledge it, so it stays.
    Referenced,
}

impl Stream {
    /// XTRIM, and the trimming of XADD. O(log s) for each segment dropped whole, O(entries) for
    /// those looked at one by one.
    pub fn trim(&mut self, trim: Trim) -> Lost {
        let mut lost = Lost::default();
        let mut from = StreamId::MIN;
        while let Some((base, segment)) = self.log.segment_from(from) {
            let (live, end_id) = (segment.live(), segment.last());
            let whole = match trim.to {
                TrimTo::MaxLen(len_max) => {
                    if self.log.len() <= len_max {
                        break;
                    }
                    self.log.len() - live >= len_max
                }
                TrimTo::MinId(min_id) => end_id < min_id,
            };
            if trim.limit > 0 && lost.entries + live > trim.limit {
                break;
            }
            if whole && trim.references == References::Keep {
                // LOSS: trimmed
                let (entries, bytes) = self.log.drop_segment(base);
                lost.add(entries, bytes);
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
        lost
    }

    /// Trims the entries of one segment one by one.
    fn trim_within(&mut self, base: StreamId, end_id: StreamId, trim: Trim, lost: &mut Lost) {
        let emptied = match trim.to {
            TrimTo::MinId(min_id) if end_id >= min_id => Emptied::Keep,
            _ => Emptied::Drop,
        };
        if trim.references == References::Keep {
            let mut left = match trim.to {
                TrimTo::MaxLen(len_max) => self.log.len().saturating_sub(len_max),
                TrimTo::MinId(_) => u64::MAX,
            };
            // LOSS: trimmed
            let (entries, bytes) = self.log.trim_front(base, emptied, |id| {
                let goes = left > 0 && !matches!(trim.to, TrimTo::MinId(min_id) if id >= min_id);
                left -= u64::from(goes);
                goes
            });
            lost.add(entries, bytes);
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
            // LOSS: trimmed
            if let Deleted::Gone(bytes) = self.let_go(id, trim.references, emptied) {
                lost.add(1, bytes);
            }
        }
    }

    /// XDEL and XDELEX: deletes one entry by name. O(log s), and a segment's worth of steps.
    pub fn delete(&mut self, id: StreamId, references: References) -> Deleted {
        // LOSS: deleted
        let deleted = self.let_go(id, references, Emptied::Drop);
        if matches!(deleted, Deleted::Gone(_)) {
            self.log.note_deleted(id);
        }
        deleted
    }

    /// XACKDEL: acknowledges the entry for one group, then deletes it as [`Stream::delete`] does.
    /// `None` when there is no such group; `NotFound` when the entry is not pending there.
    pub fn ack_delete(
        &mut self,
        group: &[u8],
        id: StreamId,
        references: References,
    ) -> Option<Deleted> {
        let place = self.find_group(group).ok()?;
        if self.groups[place].forget(id).is_none() {
            return Some(Deleted::NotFound);
        }
        Some(match self.delete(id, references) {
            Deleted::NotFound => Deleted::GoneBefore,
            deleted => deleted,
        })
    }

    /// Drops entries whose ids lie more than `age_ms_max` in the past, exactly; for max-age
    /// retention, at the background tick and before reads. At most `segments_max` segments are
    /// looked at, so that a tick stays short; `true` means that there is more to do.
    ///
    /// Age is taken from ids, so it is true where ids are given by the server.
    pub fn expire(&mut self, now_ms: u64, age_ms_max: u64, segments_max: usize) -> (Lost, bool) {
        let min_id = StreamId::new(now_ms.saturating_sub(age_ms_max), 0);
        let mut lost = Lost::default();
        for _ in 0..segments_max {
            if self.log.is_empty() || self.log.first_id() >= min_id {
                return (lost, false);
            }
            let Some((base, segment)) = self.log.segment_from(StreamId::MIN) else {
                return (lost, false);
            };
            if segment.last() < min_id {
                // LOSS: expired
                let (entries, bytes) = self.log.drop_segment(base);
                lost.add(entries, bytes);
                continue;
            }
            // LOSS: expired
            let (entries, bytes) = self.log.trim_front(base, Emptied::Drop, |id| id < min_id);
            lost.add(entries, bytes);
        }
        let more = !self.log.is_empty() && self.log.first_id() < min_id;
        (lost, more)
    }

    /// Removes an entry if its references allow, and does to them what is to be done.
    fn let_go(&mut self, id: StreamId, references: References, emptied: Emptied) -> Deleted {
        if references == References::Acked && self.is_referenced(id) {
            return Deleted::Referenced;
        }
        if references == References::Delete {
            for group in &mut self.groups {
                group.forget(id);
            }
        }
        match self.log.remove(id, emptied) {
            Some(bytes) => Deleted::Gone(bytes),
            None => Deleted::NotFound,
        }
    }

    /// Whether a group has yet to read or to acknowledge the entry. O(groups · log pending).
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups
            .iter()
            .any(|group| group.last_id < id || group.pending.contains(id))
    }
}
