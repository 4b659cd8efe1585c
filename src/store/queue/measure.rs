//! What is measured of a queue beside its account: see `store::meter`.
//!
//! A queue has a meter from its first delivery on, or from [`METERED_FROM`] messages on if nobody
//! takes any. A queue without one was never popped from, so its arrival times tell how fast
//! messages come.

use super::chunk::Chunk;
use super::{End, Queue};
use crate::store::meter::{Meter, QUARTER_MS, Rates, Waited, per_second, roll};

/// Messages that ever came to a queue from which on it has a meter in any case: few enough to look
/// at each one's arrival, so many that the meter is little beside them.
const METERED_FROM: u64 = 256;

/// The windows of rates, for a queue without a meter.
const WINDOWS_MS: [u64; 3] = [1000, 10_000, 60_000];

impl Queue {
    /// Somebody is about to use it in this quarter of a second on the wall clock. One comparison,
    /// unless it is the first use in this quarter.
    #[inline]
    pub fn touch(&mut self, quarter: u32) {
        if self.rolled != quarter {
            self.roll(quarter);
        }
    }

    #[cold]
    #[inline(never)]
    fn roll(&mut self, quarter: u32) {
        let counters = (self.came.messages, self.out().messages);
        let (rolled, meter) = (&mut self.rolled, &mut self.meter);
        roll(rolled, meter, METERED_FROM, quarter, counters);
    }

    /// Notes the wait of a message that was just popped, if one was.
    #[inline]
    pub fn note_waited(&mut self, arrival: Option<u64>, tick: u64) {
        let Some(arrival) = arrival else { return };
        let wait_ms = tick.saturating_sub(arrival);
        match &mut self.meter {
            Some(meter) => meter.note_wait(wait_ms),
            None => self.make_meter(tick, arrival).note_wait(wait_ms),
        }
    }

    /// A meter for a queue from which the first message, of this arrival, was popped at this tick.
    #[cold]
    #[inline(never)]
    fn make_meter(&mut self, tick: u64, arrival: u64) -> &mut Meter {
        let (came, out) = (self.came.messages, self.out().messages);
        let meter = if self.gone.messages <= 1 && came < METERED_FROM {
            // All that came is here but for the message in hand.
            let since = |ago: u32| {
                let begin = tick.saturating_sub(u64::from(ago) * QUARTER_MS + QUARTER_MS / 2);
                let came_since = self.came_since(begin) + u64::from(arrival >= begin);
                (came - came_since, 0)
            };
            Meter::since(self.rolled, since)
        } else {
            Meter::new(self.rolled, came, out)
        };
        self.meter.insert(Box::new(meter))
    }

    /// How many of the messages held arrived at this tick or later. O(runs of equal arrivals); for
    /// short queues.
    fn came_since(&self, tick: u64) -> u64 {
        self.chunks.iter().map(|chunk| chunk.came_since(tick)).sum()
    }

    /// How fast messages come and go at this tick, in this quarter. O(1) with a meter, else at most
    /// a look at each of few messages.
    pub fn rates(&mut self, quarter: u32, tick: u64) -> Rates {
        self.touch(quarter);
        if let Some(meter) = &self.meter {
            return meter.rates();
        }
        let (Some(oldest), newest) = (self.oldest_arrival(), self.newest_arrival()) else {
            return Rates::default();
        };
        Rates {
            came: WINDOWS_MS.map(|ms| {
                let since = tick.saturating_sub(ms - 1);
                let came = if newest < since {
                    0
                } else if oldest >= since {
                    self.len() as u64
                } else {
                    self.came_since(since)
                };
                per_second(came, ms)
            }),
            ..Rates::default()
        }
    }

    /// The latest arrival, or 0. Looks at no message: that would be a miss of the caches for each
    /// of the queues that a survey walks over.
    fn newest_arrival(&self) -> u64 {
        let ends = self.arrival_at(End::Front).max(self.arrival_at(End::Back));
        ends.unwrap_or(0)
    }

    /// How long messages waited that were delivered lately, if any were.
    pub fn waited(&self) -> Option<Waited> {
        self.meter.as_ref()?.waited()
    }

    /// The distribution behind [`Queue::waited`].
    pub fn wait_steps(&self) -> Vec<(u64, u64)> {
        let meter = self.meter.as_ref();
        meter.map_or_else(Vec::new, |meter| meter.wait_steps())
    }

    /// Whether it has a meter.
    #[inline]
    pub fn is_metered(&self) -> bool {
        self.meter.is_some()
    }

    /// Something from each part of its header, for having it come to the caches.
    #[inline]
    pub fn ask_head(&self) -> u64 {
        let (came, gone) = (self.came, self.gone);
        let words = came.messages ^ came.bytes ^ gone.messages ^ gone.bytes;
        words ^ u64::from(self.rolled) ^ (self.chunks.len() + self.heap) as u64
    }

    /// The same for what a push or a pop at either end uses beside its header.
    pub fn ask_reach(&self) -> u64 {
        let meter = self.meter.as_ref().map_or(0, |meter| meter.ask());
        meter ^ self.ask_ends(Chunk::ask)
    }

    /// The same for what lies one step further.
    pub fn ask_depth(&self) -> u64 {
        let meter = self.meter.as_ref().map_or(0, |meter| meter.ask_waits());
        meter ^ self.ask_ends(|chunk, _| chunk.ask_arrivals())
    }

    fn ask_ends(&self, ask: impl Fn(&Chunk, End) -> u64) -> u64 {
        let ends = [End::Front, End::Back].into_iter();
        let asked = ends.filter_map(|end| Some(ask(self.chunks.at_end(end)?, end)));
        asked.fold(0, |a, b| a ^ b)
    }

    /// Bytes that measuring takes.
    pub fn meter_bytes(&self) -> usize {
        let meter = self.meter.as_ref();
        meter.map_or(0, |meter| size_of::<Meter>() + meter.heap_bytes())
    }

    /// Messages ever delivered and messages ever lost.
    pub fn out_and_lost(&self) -> (u64, u64) {
        let out = self.out().messages;
        (out, self.gone.messages - out)
    }
}

const _: () = assert!(size_of::<Queue>() == 128, "an idle queue pays one pointer");
