//! When each message is due.
//!
//! With a rate, message `n` is due at `n / rate` after the start, whether or not the server or this
//! client is ready for it then, and is timed from that moment: a stall is counted against every
//! message that it delayed (no coordinated omission). Without a rate, a message is due when there is
//! room for it. Either way the run ends by count or by time, whichever comes first.

const SECOND_US: u64 = 1_000_000;

/// The moments of a run, in microseconds of the monotonic clock.
#[derive(Clone, Debug)]
pub struct Schedule {
    start_us: u64,
    duration_us: u64,
    /// Messages per second; `None` for as fast as they go.
    rate: Option<u64>,
    count: u64,
    next: u64,
}

impl Schedule {
    /// At most `count` messages, within `duration_us` after `start_us`. A rate is not 0.
    pub fn new(start_us: u64, rate: Option<u64>, count: u64, duration_us: u64) -> Self {
        Self {
            start_us,
            duration_us,
            rate: rate.filter(|rate| *rate > 0),
            count,
            next: 0,
        }
    }

    /// Whether messages are due by the clock.
    pub fn is_open_loop(&self) -> bool {
        self.rate.is_some()
    }

    /// How long after the start the next message is due, by the clock.
    fn next_after_us(&self) -> Option<u64> {
        self.after_us(self.next)
    }

    /// How long after the start a message is due, by the clock.
    fn after_us(&self, number: u64) -> Option<u64> {
        let rate = u128::from(self.rate?);
        let after_us = u128::from(number) * u128::from(SECOND_US) / rate;
        Some(u64::try_from(after_us).unwrap_or(u64::MAX))
    }

    /// From when on messages are due that are measured, by the clock: after the warm-up. A stall
    /// that begins in the warm-up counts against all that it delayed after it.
    pub fn measured_from_us(&self) -> Option<u64> {
        let after_us = self.after_us(self.count / 10)?;
        Some(self.start_us + after_us.min(self.duration_us / 10))
    }

    /// Takes the next message if it is due by `now_us`: its number, and the moment from which it is
    /// timed. What fell due before the end is given even after it.
    pub fn take(&mut self, now_us: u64) -> Option<(u64, u64)> {
        if self.is_over(now_us) {
            return None;
        }
        let due_us = match self.next_after_us() {
            Some(after_us) => self.start_us + after_us,
            None => now_us,
        };
        if due_us > now_us {
            return None;
        }
        self.next += 1;
        Some((self.next - 1, due_us))
    }

    /// Whether no message is due any more.
    pub fn is_over(&self, now_us: u64) -> bool {
        let after_us = self
            .next_after_us()
            .unwrap_or_else(|| now_us.saturating_sub(self.start_us));
        self.next >= self.count || after_us >= self.duration_us
    }

    /// How long until the next message is due by the clock; `None` where the clock does not decide.
    pub fn until_next_us(&self, now_us: u64) -> Option<u64> {
        if self.is_over(now_us) {
            return None;
        }
        let after_us = self.next_after_us()?;
        Some((self.start_us + after_us).saturating_sub(now_us))
    }

    /// How much of the run is over, from 0 to 1000.
    pub fn thousandths(&self, now_us: u64) -> u64 {
        let by_count = self.next.saturating_mul(1000) / self.count.max(1);
        let passed_us = now_us.saturating_sub(self.start_us);
        let by_time = passed_us.saturating_mul(1000) / self.duration_us.max(1);
        by_count.max(by_time).min(1000)
    }

    /// Whether the warm-up, the first tenth by count or time, is over once so many are `done`.
    pub fn is_warm(&self, done: u64, now_us: u64) -> bool {
        let passed_us = now_us.saturating_sub(self.start_us);
        done >= self.count / 10 || passed_us >= self.duration_us / 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_by_the_clock_and_not_by_when_one_looks() {
        let mut schedule = Schedule::new(1_000, Some(1_000), 5, SECOND_US);
        assert_eq!(schedule.take(999), None);
        assert_eq!(schedule.take(1_000), Some((0, 1_000)));
        assert_eq!(schedule.take(1_000), None);
        assert_eq!(schedule.until_next_us(1_400), Some(600));
        // A stall of 3 ms: all that fell due meanwhile is timed from when it was due.
        assert_eq!(schedule.take(4_500), Some((1, 2_000)));
        assert_eq!(schedule.take(4_500), Some((2, 3_000)));
        assert_eq!(schedule.take(4_500), Some((3, 4_000)));
        assert_eq!(schedule.take(4_500), None);
        assert_eq!(schedule.take(9_000), Some((4, 5_000)));
        assert!(schedule.is_over(9_000));
        assert_eq!(schedule.take(10_000), None);
        assert_eq!(schedule.until_next_us(10_000), None);
    }

    #[test]
    fn what_fell_due_before_the_end_is_given_after_it() {
        let mut schedule = Schedule::new(0, Some(10), u64::MAX, 250_000);
        let mut taken = Vec::new();
        while let Some((_, due_us)) = schedule.take(SECOND_US) {
            taken.push(due_us);
        }
        assert_eq!(taken, [0, 100_000, 200_000]);
        assert!(schedule.is_over(0));
    }

    #[test]
    fn a_rate_does_not_drift() {
        let mut schedule = Schedule::new(0, Some(3), u64::MAX, u64::MAX);
        let last = (0..3_000_000)
            .filter_map(|_| schedule.take(u64::MAX - 1))
            .last();
        assert_eq!(last, Some((2_999_999, 999_999_666_666)));
    }

    #[test]
    fn without_a_rate_count_and_time_end_it() {
        let mut schedule = Schedule::new(100, None, 2, 1_000);
        assert!(!schedule.is_open_loop());
        assert_eq!(schedule.take(150), Some((0, 150)));
        assert_eq!(schedule.thousandths(150), 500);
        assert_eq!(schedule.until_next_us(150), None);
        assert!(!schedule.is_over(1_099));
        assert!(schedule.is_over(1_100));
        assert_eq!(schedule.take(1_100), None);
        assert_eq!(schedule.take(1_099), Some((1, 1_099)));
        assert!(schedule.is_over(1_099));
        assert_eq!(schedule.thousandths(1_099), 1000);
    }

    #[test]
    fn the_first_tenth_is_warm_up() {
        let schedule = Schedule::new(0, None, 100, 1_000);
        assert!(!schedule.is_warm(9, 99));
        assert!(schedule.is_warm(10, 0));
        assert!(schedule.is_warm(0, 100));
        assert_eq!(schedule.measured_from_us(), None);
    }

    #[test]
    fn with_a_rate_the_clock_alone_ends_the_warm_up() {
        let by_count = Schedule::new(500, Some(1_000), 100, SECOND_US);
        assert_eq!(by_count.measured_from_us(), Some(10_500));
        let by_time = Schedule::new(500, Some(1_000), u64::MAX, SECOND_US);
        assert_eq!(by_time.measured_from_us(), Some(100_500));
    }
}
