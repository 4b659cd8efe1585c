//! Changes in the middle of a queue: LSET, LINSERT, LREM.
//!
//! Each rewrites the segment it touches and no other; a segment that would grow past its full
//! size is split there. What LREM leaves nearly empty is merged with its neighbour.

use super::Queue;
use super::chunk::Chunk;
use super::message::End;
use super::segment::{PACKED_BYTES_MAX, Segment};
use crate::store::ledger::Tally;

impl Queue {
    /// Replaces the message at `index`; false if there is none. What was there has gone, what takes
    /// its place came, and keeps its arrival.
    pub fn set(&mut self, index: usize, message: &[u8]) -> bool {
        let Some((at, inside)) = self.seek(index) else {
            return false;
        };
        let old = self.chunks[at].get(inside);
        self.gone += Tally::one(old.bytes().len());
        self.came += Tally::one(message.len());
        if self.has_ttls() {
            let (old, arrival) = (old.to_message(), self.chunks[at].arrival(inside));
            self.take_ttls(&old, &[arrival]);
        }
        let before = self.chunks[at].heap_bytes();
        if let Chunk::Segment(segment) = &mut self.chunks[at]
            && message.len() <= PACKED_BYTES_MAX
            && segment.set(inside, message)
        {
            self.heap = self.heap - before + self.chunks[at].heap_bytes();
            return true;
        }
        let at = self.isolate(at, inside);
        let chunk = &mut self.chunks[at];
        let before = chunk.heap_bytes();
        *chunk = Chunk::single(message, chunk.reversed(), chunk.arrival(0));
        self.heap = self.heap - before + chunk.heap_bytes();
        self.merge(at.saturating_sub(1), at + 1);
        true
    }

    /// Puts a message in before the one at `index`, or at the back if `index` is the length;
    /// false if there is no such place. Its arrival is `tick`, or inside the queue as near to
    /// that as the arrivals of its neighbours allow, so that ages stay in order.
    pub fn insert_before(&mut self, index: usize, message: &[u8], tick: u64) -> bool {
        if index == 0 {
            self.push(End::Front, message, tick);
            return true;
        }
        if index == self.len() {
            self.push(End::Back, message, tick);
            return true;
        }
        let (Some(above), Some((at, inside))) = (self.arrival(index - 1), self.seek(index)) else {
            return false;
        };
        let below = self.chunks[at].arrival(inside);
        let arrival = tick.clamp(above.min(below), above.max(below));
        self.came += Tally::one(message.len());
        let before = self.chunks[at].heap_bytes();
        if let Chunk::Segment(segment) = &mut self.chunks[at]
            && message.len() <= PACKED_BYTES_MAX
            && segment.insert(inside, message, arrival)
        {
            self.heap = self.heap - before + self.chunks[at].heap_bytes();
            return true;
        }
        let at = self.split(at, inside);
        let chunk = Chunk::single(message, self.chunks[at].reversed(), arrival);
        self.insert_chunk(at, chunk);
        self.merge(at - 1, at + 1);
        true
    }

    /// Removes at most `limit` messages equal to `value`, those nearest to `end` first, and hands
    /// each to `on_removed` with its arrival. Returns how many. O(messages looked at).
    pub fn remove_matching(
        &mut self,
        value: &[u8],
        end: End,
        limit: usize,
        mut on_removed: impl FnMut(&[u8], u64),
    ) -> usize {
        let mut removed = 0;
        let mut touched: Option<(usize, usize)> = None;
        for step in 0..self.chunks.len() {
            if removed == limit {
                break;
            }
            let at = self.chunks.index_from(end, step);
            let gone = self.remove_in_chunk(at, value, end, limit - removed, &mut on_removed);
            if gone > 0 {
                removed += gone;
                let (low, high) = touched.unwrap_or((at, at));
                touched = Some((low.min(at), high.max(at)));
            }
        }
        self.gone += Tally {
            messages: removed as u64,
            bytes: removed as u64 * value.len() as u64,
        };
        if let Some((low, high)) = touched {
            self.merge(low.saturating_sub(1), high + 1);
        }
        removed
    }

    /// Removes at most `limit` matches from one chunk; leaves it vacant if nothing remains.
    fn remove_in_chunk(
        &mut self,
        at: usize,
        value: &[u8],
        end: End,
        limit: usize,
        on_removed: &mut impl FnMut(&[u8], u64),
    ) -> usize {
        let chunk = &mut self.chunks[at];
        let mut matches = matches_in(chunk, value, end, limit);
        if matches.is_empty() {
            return 0;
        }
        let arrivals = arrivals_of(chunk, &matches);
        for &arrival in &arrivals {
            on_removed(value, arrival);
        }
        self.take_ttls(value, &arrivals);
        matches.sort_unstable();
        self.remove_indexes(at, &matches);
        matches.len()
    }

    /// Removes the messages at rising places of one chunk, which are already discounted; leaves it
    /// vacant if nothing remains.
    pub(super) fn remove_indexes(&mut self, at: usize, indexes: &[usize]) {
        let chunk = &mut self.chunks[at];
        let before = chunk.heap_bytes();
        match chunk {
            Chunk::Segment(segment) if indexes.len() < segment.len() => segment.remove(indexes),
            _ => *chunk = Chunk::Segment(Segment::vacant()),
        }
        self.heap = self.heap - before + chunk.heap_bytes();
    }

    /// Makes chunk `at` begin with the message at `inside` of it; returns its new place.
    fn split(&mut self, at: usize, inside: usize) -> usize {
        if inside == 0 {
            return at;
        }
        let chunk = &mut self.chunks[at];
        let Chunk::Segment(segment) = chunk else {
            return at;
        };
        let before = segment.heap_bytes();
        let rest = segment.split_off(inside);
        self.heap = self.heap - before + segment.heap_bytes();
        self.insert_chunk(at + 1, Chunk::Segment(rest));
        at + 1
    }

    /// Gives the message at `inside` of chunk `at` a chunk of its own; returns its place.
    fn isolate(&mut self, at: usize, inside: usize) -> usize {
        let at = self.split(at, inside);
        if self.chunks[at].len() > 1 {
            self.split(at, 1);
        }
        at
    }

    fn insert_chunk(&mut self, at: usize, chunk: Chunk) {
        self.heap += chunk.heap_bytes();
        self.chunks.insert(at, chunk);
    }

    /// Takes vacant chunks out and merges small neighbours from chunk `low` to `high`. O(chunks
    /// between them), and the bytes of what is merged.
    pub(super) fn merge(&mut self, low: usize, high: usize) {
        let Some(last) = self.chunks.len().checked_sub(1) else {
            return;
        };
        let (mut kept, mut heap_before, mut heap_after) = (low, 0, 0);
        for at in low..=high.min(last) {
            let vacant = Chunk::Segment(Segment::vacant());
            let next = std::mem::replace(&mut self.chunks[at], vacant);
            heap_before += next.heap_bytes();
            if kept > low {
                let into = &mut self.chunks[kept - 1];
                heap_after -= into.heap_bytes();
                let apart = into.merge(next);
                heap_after += into.heap_bytes();
                let Some(apart) = apart else { continue };
                heap_after += apart.heap_bytes();
                self.chunks[kept] = apart;
                kept += 1;
            } else if next.len() > 0 {
                heap_after += next.heap_bytes();
                self.chunks[kept] = next;
                kept += 1;
            }
        }
        drop(self.chunks.remove_range(kept..high.min(last) + 1));
        self.heap = self.heap - heap_before + heap_after;
    }
}

/// Indexes of at most `limit` messages equal to `value`, in the order from `end`.
fn matches_in(chunk: &Chunk, value: &[u8], end: End, limit: usize) -> Vec<usize> {
    let segment = match chunk {
        Chunk::Segment(segment) => segment,
        Chunk::Large(large) if large.bytes == value && limit > 0 => return vec![0],
        Chunk::Large(_) => return Vec::new(),
    };
    let mut matches = Vec::new();
    let mut record = segment.record_at(end);
    for step in 0..segment.len() {
        if step > 0 {
            record = segment.record_beside(&record, end.opposite());
        }
        if segment.payload_of(&record) == value {
            matches.push(match end {
                End::Front => step,
                End::Back => segment.len() - 1 - step,
            });
            if matches.len() == limit {
                break;
            }
        }
    }
    matches
}

/// Arrivals of the messages at `indexes`. One by one for a few, in one pass for many.
fn arrivals_of(chunk: &Chunk, indexes: &[usize]) -> Vec<u64> {
    const FEW: usize = 8;
    match chunk {
        Chunk::Segment(segment) if indexes.len() > FEW => {
            let all = segment.arrivals_in_order();
            indexes.iter().map(|&index| all[index]).collect()
        }
        _ => indexes.iter().map(|&index| chunk.arrival(index)).collect(),
    }
}
