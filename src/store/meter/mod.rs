//! Measures of one queue or group: how fast messages come and go, and how long they wait.
//!
//! Nobody walks over queues to keep them fresh. A [`Meter`] is advanced by whoever touches the
//! queue when a quarter of a second has begun since the last touch: nothing changed in between, so
//! the counters of the account are what they were at the boundary, and the meter notes them. What
//! a push pays is one comparison, what a pop pays is one more addition to a histogram.
//!
//! Made when there is something to measure (see `queue::measure`), so that an idle queue has one
//! empty pointer. A meter is 264 bytes, and 64 more for every power of two that waits span.
//!
//! Time is the wall clock in *quarters*, units of 256 ms: the unit in which accesses are noted. If
//! the clock is set back by more than a minute, measuring begins anew.

mod ring;
mod waits;

use ring::{Mark, Ring};
use waits::Waits;

pub use waits::Waited;

/// Milliseconds of a quarter: a power of two near a quarter of a second.
pub const QUARTER_MS: u64 = 256;
/// Quarters in a second, near enough: 1.024 s.
const SECOND: u32 = 4;
/// Quarters in ten of these seconds.
const TEN_SECONDS: u32 = 40;
/// Quarters in a window of waiting times: 30.7 s. Two are kept, so that what is shown covers the
/// last 31 to 61 seconds.
const WINDOW: u32 = 120;
/// Quarters by which a moment may lie before the last one without the clock having been set back:
/// each worker reads the clock for itself, and may work on with what it read.
const BEHIND_MAX: u32 = 240;
/// Milliseconds of a second as it is meant here.
const SECOND_MS: u64 = SECOND as u64 * QUARTER_MS;

/// A wall-clock moment in quarters. It wraps after 34 years, long after anything that is measured.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "it may wrap")]
pub fn quarters(now_ms: u64) -> u32 {
    (now_ms / QUARTER_MS) as u32
}

/// Messages per second over the last whole second, ten seconds and minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Messages that came.
    pub came: [f64; 3],
    /// Messages that were delivered.
    pub out: [f64; 3],
}

/// The measures of one queue.
#[derive(Clone, Debug)]
pub struct Meter {
    seconds: Ring<11>,
    ten_seconds: Ring<7>,
    /// The window of waiting times under way, by number.
    window: u32,
    waits: Waits,
    waits_before: Waits,
}

impl Meter {
    /// A meter that begins in this quarter, when so many messages had come and been delivered.
    pub fn new(quarter: u32, came: u64, out: u64) -> Self {
        let mut meter = Self::since(quarter, |_| (came, out));
        meter.seconds.begin_here();
        meter.ten_seconds.begin_here();
        meter
    }

    /// A meter that begins in this quarter and knows what was before: `counters` says how many
    /// messages had come and been delivered so many quarters ago.
    pub fn since(quarter: u32, counters: impl Fn(u32) -> (u64, u64)) -> Self {
        let mark = |at: u32| {
            let (came, out) = counters(quarter.wrapping_sub(at));
            Mark::new(came, out)
        };
        Self {
            seconds: Ring::since(quarter / SECOND, |slot| mark(slot.wrapping_mul(SECOND))),
            ten_seconds: Ring::since(quarter / TEN_SECONDS, |slot| {
                mark(slot.wrapping_mul(TEN_SECONDS))
            }),
            window: quarter / WINDOW,
            waits: Waits::default(),
            waits_before: Waits::default(),
        }
    }

    /// A quarter begins in which so many messages have come and been delivered so far, and nothing
    /// has happened since the quarter of the last call. O(1).
    pub fn roll(&mut self, quarter: u32, came: u64, out: u64) {
        let mark = Mark::new(came, out);
        self.seconds.advance(quarter / SECOND, mark);
        self.ten_seconds.advance(quarter / TEN_SECONDS, mark);
        let window = quarter / WINDOW;
        if window != self.window {
            let ended = std::mem::take(&mut self.waits);
            self.waits_before = if window == self.window.wrapping_add(1) {
                ended
            } else {
                Waits::default()
            };
            self.window = window;
        }
    }

    /// A message was delivered that had waited for so long.
    #[inline]
    pub fn note_wait(&mut self, ms: u64) {
        self.waits.note(ms);
    }

    /// How fast messages come and go, as of the last [`Meter::roll`]. The minute is between 51 and
    /// 61 seconds, so that it may end where the second does.
    pub fn rates(&self) -> Rates {
        let (last, mark) = self.seconds.last();
        let minute = self.ten_seconds.before(5);
        let minute = (minute.0 * (TEN_SECONDS / SECOND), minute.1);
        let windows = [self.seconds.before(1), self.seconds.before(10), minute];
        let mut rates = Rates::default();
        for (window, (first, earlier)) in windows.into_iter().enumerate() {
            let ms = u64::from(last.saturating_sub(first)) * SECOND_MS;
            let (came, out) = mark.since(earlier);
            rates.came[window] = per_second(came, ms);
            rates.out[window] = per_second(out, ms);
        }
        rates
    }

    /// How long messages waited that were delivered lately, if any were.
    pub fn waited(&self) -> Option<Waited> {
        Waited::of(&[&self.waits_before, &self.waits])
    }

    /// How many of the messages delivered lately waited for how long: for each step of a
    /// distribution its upper bound in milliseconds and the messages in it, in order.
    pub fn wait_steps(&self) -> Vec<(u64, u64)> {
        waits::steps(&[&self.waits_before, &self.waits])
    }

    /// Something from each part of it, for having it come to the caches.
    pub fn ask(&self) -> u64 {
        let (second, ten_seconds) = (self.seconds.last().0, self.ten_seconds.last().0);
        u64::from(second ^ ten_seconds ^ self.window)
    }

    /// The same for the memory of its waiting times.
    pub fn ask_waits(&self) -> u64 {
        self.waits.ask()
    }

    /// Bytes on the heap beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.waits.heap_bytes() + self.waits_before.heap_bytes()
    }
}

/// Advances the meter of something that is used in this quarter for the first time, and makes one
/// once `metered_from` messages have come. Gives false if the quarter is no news after `rolled`.
pub fn roll(
    rolled: &mut u32,
    meter: &mut Option<Box<Meter>>,
    metered_from: u64,
    quarter: u32,
    (came, out): (u64, u64),
) -> bool {
    if is_known(*rolled, quarter) {
        return false;
    }
    *rolled = quarter;
    match meter {
        Some(meter) => meter.roll(quarter, came, out),
        None if came >= metered_from => {
            *meter = Some(Box::new(Meter::new(quarter, came, out)));
        }
        None => {}
    }
    true
}

/// Whether a quarter is that of a use that is no news after one in `last`: the same, or a little
/// before it.
fn is_known(last: u32, quarter: u32) -> bool {
    last.wrapping_sub(quarter) <= BEHIND_MAX
}

/// A number of messages in so many milliseconds as messages per second.
#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 messages")]
pub fn per_second(messages: u64, ms: u64) -> f64 {
    if ms == 0 {
        return 0.0;
    }
    messages as f64 * 1000.0 / ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(rate: f64, expected: f64) {
        assert!(
            (rate - expected).abs() <= expected * 0.03,
            "{rate} is not {expected}"
        );
    }

    #[test]
    fn rates_follow_the_counters_and_nobody_needs_to_look() {
        let start = 4_000_001;
        let mut meter = Meter::new(start, 500, 400);
        assert_eq!(meter.rates(), Rates::default());
        // 25 come and 20 go in a quarter, for two minutes.
        for quarter in 1..=480 {
            meter.roll(
                start + quarter,
                500 + 25 * u64::from(quarter - 1),
                400 + 20 * u64::from(quarter - 1),
            );
        }
        let rates = meter.rates();
        for window in 0..3 {
            near(rates.came[window], 25.0 * 1000.0 / 256.0);
            near(rates.out[window], 20.0 * 1000.0 / 256.0);
        }
        // Nothing for five seconds, and nobody touches it.
        let (came, out) = (500 + 25 * 480, 400 + 20 * 480);
        meter.roll(start + 500, came, out);
        let rates = meter.rates();
        near(rates.came[0] + 1.0, 1.0);
        assert!(rates.came[1] > 40.0 && rates.came[1] < 60.0, "{rates:?}");
        meter.roll(start + 5000, came, out);
        assert_eq!(meter.rates(), Rates::default());
        // The clock goes back.
        meter.roll(start, came, out);
        assert_eq!(meter.rates(), Rates::default());
    }

    #[test]
    fn a_young_meter_divides_by_its_age() {
        let mut meter = Meter::new(1000, 0, 0);
        for quarter in 1..=12_u32 {
            meter.roll(1000 + quarter, u64::from(quarter) * 10, 0);
        }
        near(meter.rates().came[1], 10.0 * 1000.0 / 256.0);
        near(meter.rates().came[2], 10.0 * 1000.0 / 256.0);
    }

    #[test]
    fn what_was_before_can_be_told() {
        let meter = Meter::since(40_000, |ago| (10_000 - u64::from(ago) * 2, 0));
        for rate in meter.rates().came {
            near(rate, 2.0 * 1000.0 / 256.0);
        }
    }

    #[test]
    fn workers_may_differ_about_the_time() {
        assert!(is_known(1000, 1000) && is_known(1000, 999) && is_known(3, u32::MAX));
        assert!(!is_known(1000, 1001) && !is_known(1000, 700) && !is_known(u32::MAX, 3));
    }

    #[test]
    fn waits_are_of_the_last_two_windows() {
        let mut meter = Meter::new(0, 0, 0);
        meter.note_wait(5);
        assert_eq!(meter.waited().map(|waited| waited.max_ms), Some(5));
        meter.roll(WINDOW, 0, 0);
        meter.note_wait(9);
        assert_eq!(
            meter.waited().map(|waited| (waited.count, waited.max_ms)),
            Some((2, 9))
        );
        meter.roll(2 * WINDOW, 0, 0);
        assert_eq!(meter.waited().map(|waited| waited.count), Some(1));
        meter.roll(4 * WINDOW, 0, 0);
        assert_eq!(meter.waited(), None);
    }
}
