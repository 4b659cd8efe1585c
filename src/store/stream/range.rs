//! Ways through a log: in order, in reverse, and from id to id.
//!
//! All of them hand out views that borrow the log and copy nothing. Starting costs a search over
//! segments and a walk within one; going on costs a few nanoseconds an entry.

use super::entry::{Entries, Entry};
use super::id::StreamId;
use super::log::{Based, Log};
use super::sorted::Place;

/// Live entries in order. See [`Log::range`].
#[derive(Clone, Debug)]
pub struct Range<'a> {
    log: &'a Log,
    /// The next segment to unpack.
    place: Option<Place>,
    /// The segment that `current` unpacks.
    here: Option<Place>,
    current: Option<Entries<'a>>,
    from: StreamId,
    to: StreamId,
}

/// Where a range stands, for going on later: until a segment goes or is rewritten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    place: Place,
    at: usize,
    previous: StreamId,
    pub epoch: u64,
}

impl<'a> Range<'a> {
    /// A range to the end, from where another stood; `from` is past what that one returned.
    #[inline]
    pub(super) fn resume(log: &'a Log, spot: Spot, from: StreamId) -> Self {
        let segment = &log.segments.at(spot.place).segment;
        Self {
            log,
            place: log.segments.after(spot.place),
            here: Some(spot.place),
            current: Some(segment.entries_at(spot.at, spot.previous)),
            from,
            to: StreamId::MAX,
        }
    }

    /// Where it stands; nowhere before it has returned anything.
    #[inline]
    pub(super) fn spot(&self) -> Option<Spot> {
        let entries = self.current.as_ref()?;
        Some(Spot {
            place: self.here?,
            at: entries.at,
            previous: entries.previous,
            epoch: self.log.epoch(),
        })
    }

    pub(super) fn new(log: &'a Log, from: StreamId, to: StreamId) -> Self {
        let place = log.segments.floor(from).or(log.segments.start());
        Self {
            log,
            place: place.filter(|_| from <= to),
            here: None,
            current: None,
            from,
            to,
        }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(entries) = &mut self.current {
                for placed in entries.by_ref() {
                    let id = placed.entry.id;
                    if id > self.to {
                        self.current = None;
                        self.place = None;
                        return None;
                    }
                    if !placed.dead && id >= self.from {
                        return Some(placed.entry);
                    }
                }
            }
            let place = self.place?;
            let segment = &self.log.segments.at(place).segment;
            self.place = self.log.segments.after(place);
            self.here = Some(place);
            self.current = (segment.last() >= self.from).then(|| segment.entries_from(self.from));
        }
    }
}

/// Live entries in reverse order; unpacks the last few entries of a segment, and then the rest.
/// See [`Log::range_rev`].
#[derive(Clone, Debug)]
pub struct RangeRev<'a> {
    log: &'a Log,
    /// The next segment to unpack.
    place: Option<Place>,
    /// Where in it what is unpacked begins; `None` while nothing is.
    unpacked: Option<usize>,
    /// Entries of the segment at hand, in order; taken from the end.
    current: Vec<Entry<'a>>,
    from: StreamId,
    to: StreamId,
}

impl<'a> RangeRev<'a> {
    pub(super) fn new(log: &'a Log, from: StreamId, to: StreamId) -> Self {
        Self {
            log,
            place: log.segments.floor(to).filter(|_| from <= to),
            unpacked: None,
            current: Vec::new(),
            from,
            to,
        }
    }
}

impl<'a> Iterator for RangeRev<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(entry) = self.current.pop() {
                return Some(entry);
            }
            let place = self.place?;
            let Based { base, segment } = self.log.segments.at(place);
            let (from, to) = (self.from, self.to);
            // Mostly the last entries are wanted, and a segment may be large.
            let (entries, end) = match self.unpacked {
                None => (segment.entries_from(to), usize::MAX),
                Some(unpacked) => (segment.entries(), unpacked),
            };
            self.unpacked = Some(entries.at).filter(|&at| at > segment.entries().at);
            if self.unpacked.is_none() {
                let before = self.log.segments.before(place);
                self.place = before.filter(|_| *base > from);
            }
            self.current.extend(
                entries
                    .take_while(|placed| placed.start < end && placed.entry.id <= to)
                    .filter(|placed| !placed.dead && placed.entry.id >= from)
                    .map(|placed| placed.entry),
            );
        }
    }
}

/// Finds entries by id; rising ids continue where the last one was found.
#[derive(Clone, Debug)]
pub struct Seeker<'a> {
    log: &'a Log,
    current: Option<Standing<'a>>,
}

/// Where a seeker stands: a segment's greatest id, what is left of it, and what was seen last.
#[derive(Clone, Debug)]
struct Standing<'a> {
    last: StreamId,
    entries: Entries<'a>,
    seen: Option<(Entry<'a>, bool)>,
}

impl<'a> Seeker<'a> {
    pub(super) fn new(log: &'a Log) -> Self {
        Self { log, current: None }
    }

    /// The live entry with this id.
    pub fn seek(&mut self, id: StreamId) -> Option<Entry<'a>> {
        let usable = self.current.as_ref().is_some_and(|place| {
            id <= place.last && place.seen.is_some_and(|(entry, _)| entry.id <= id)
        });
        if !usable {
            let segment = self.log.segment_before(id)?;
            self.current = Some(Standing {
                last: segment.last(),
                entries: segment.entries_from(id),
                seen: None,
            });
        }
        let place = self.current.as_mut()?;
        while place.seen.is_none_or(|(entry, _)| entry.id < id) {
            let placed = place.entries.next()?;
            place.seen = Some((placed.entry, placed.dead));
        }
        place
            .seen
            .filter(|(entry, dead)| entry.id == id && !dead)
            .map(|(entry, _)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::NewId;
    use super::super::segment::NodeLimits;
    use super::*;

    #[test]
    fn the_last_entry_of_a_large_node_is_found_without_unpacking_it() {
        let mut log = Log::default();
        let unbounded = NodeLimits {
            bytes: 0,
            entries: 0,
        };
        for ms in 1..=1000 {
            let id = NewId::Exact(StreamId::new(ms, 0));
            log.append(id, &["field", "value"], unbounded, 0)
                .expect("the id is past the last");
        }
        for (to, last) in [(StreamId::MAX, 1000), (StreamId::new(995, 0), 995)] {
            let mut range = log.range_rev(StreamId::MIN, to);
            assert_eq!(range.next().map(|entry| entry.id.ms), Some(last));
            assert!(range.current.len() < 16, "{}", range.current.len());
            assert!(range.map(|entry| entry.id.ms).eq((1..last).rev()));
        }
        let range = log.range_rev(StreamId::new(3, 0), StreamId::new(7, 0));
        assert!(range.map(|entry| entry.id.ms).eq((3..=7).rev()));
    }
}
