//! What is measured of a stream and its groups: see `store::meter`.
//!
//! A stream's meter knows how fast entries come, and is made once it has [`METERED_FROM`] of them;
//! before that their ids tell. A group's knows how fast it delivers and acknowledges, and how old
//! entries were when it first delivered them; it is made with the first delivery.

use super::{Group, Log, Stream, StreamId};
use crate::store::ledger::Tally;
use crate::store::meter::{Meter, Rates, Waited, per_second, quarters, roll};

/// Entries that ever came to a stream from which on it has a meter.
const METERED_FROM: u64 = 64;

impl Stream {
    /// Somebody is about to use it in this quarter of a second on the wall clock.
    #[inline]
    pub fn touch(&mut self, quarter: u32) {
        if self.rolled != quarter {
            self.roll(quarter);
        }
    }

    #[cold]
    #[inline(never)]
    fn roll(&mut self, quarter: u32) {
        let counters = (self.came.messages, 0);
        let (rolled, meter) = (&mut self.rolled, &mut self.meter);
        if !roll(rolled, meter, METERED_FROM, quarter, counters) {
            return;
        }
        for group in &mut self.groups {
            let ledger = group.ledger();
            if let Some(meter) = &mut group.meter {
                meter.roll(quarter, ledger.acked, ledger.delivered);
            }
        }
    }

    /// Entries that ever came, with their payload bytes.
    pub fn came(&self) -> Tally {
        self.came
    }

    /// Entries that were lost, for whatever cause.
    pub fn lost_len(&self) -> u64 {
        self.lost.sum().messages
    }

    /// Entries per second over the last second, ten seconds and minute.
    pub fn came_rates(&mut self, quarter: u32, now_ms: u64) -> [f64; 3] {
        self.touch(quarter);
        if let Some(meter) = &self.meter {
            return meter.rates().came;
        }
        [1000, 10_000, 60_000].map(|ms| {
            let since = StreamId::new(now_ms.saturating_sub(ms - 1), 0);
            let came = self.log.range(since, StreamId::MAX).count();
            per_second(came as u64, ms)
        })
    }
}

impl Group {
    /// Notes that an entry is delivered for the first time.
    #[inline]
    pub(super) fn note_wait(&mut self, id: StreamId, now_ms: u64) {
        let quarter = quarters(now_ms);
        // Before its first delivery there was nothing.
        let new = || Box::new(Meter::since(quarter, |_| (0, 0)));
        let meter = self.meter.get_or_insert_with(new);
        meter.note_wait(now_ms.saturating_sub(id.ms));
    }

    /// How fast it acknowledges (`came`) and delivers (`out`), as of the last use of the stream.
    pub fn rates(&self) -> Rates {
        let meter = self.meter.as_ref();
        meter.map_or_else(Rates::default, |meter| meter.rates())
    }

    /// How old entries were that it delivered lately for the first time, if it did.
    pub fn waited(&self) -> Option<Waited> {
        self.meter.as_ref()?.waited()
    }

    /// Milliseconds since the delivery of the pending entry that has been idle longest, or since
    /// it came if it was released.
    pub fn oldest_pending_ms(&self, now_ms: u64) -> Option<u64> {
        let since = match self.pending.oldest_ms()? {
            0 => self.pending_bounds()?.0.ms,
            delivered_ms => delivered_ms,
        };
        Some(now_ms.saturating_sub(since))
    }

    /// Milliseconds since the first entry came that it has not delivered, by its id.
    pub fn oldest_unread_ms(&self, log: &Log, now_ms: u64) -> Option<u64> {
        let from = self.last_id.next().filter(|from| *from <= log.last_id())?;
        let first = log.range(from, StreamId::MAX).next()?;
        Some(now_ms.saturating_sub(first.id.ms))
    }
}
