//! How much happens per second now: the mean over the last samples of what counts up.

use std::collections::VecDeque;

/// Samples kept: at ten a second, the last second and a half, as in Redis.
const SAMPLES: usize = 16;

/// Totals at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands executed.
    pub commands: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
}

/// A window of samples.
#[derive(Debug, Default)]
pub struct Rates(VecDeque<(u64, Totals)>);

impl Rates {
    /// Adds the totals at a moment in monotonic microseconds.
    pub fn sample(&mut self, now_us: u64, totals: Totals) {
        if self.0.len() == SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back((now_us, totals));
    }

    /// Forgets all samples, when the totals start again at 0.
    pub fn reset(&mut self) {
        self.0.clear();
    }

    /// The rates per second over the window.
    pub fn per_second(&self) -> Totals {
        let (Some((first_us, first)), Some((last_us, last))) = (self.0.front(), self.0.back())
        else {
            return Totals::default();
        };
        let us = last_us.saturating_sub(*first_us);
        let rate = |first: u64, last: u64| {
            let grown = u128::from(last.saturating_sub(first)) * 1_000_000;
            u64::try_from(grown / u128::from(us.max(1))).unwrap_or(u64::MAX)
        };
        Totals {
            commands: rate(first.commands, last.commands),
            received_bytes: rate(first.received_bytes, last.received_bytes),
            sent_bytes: rate(first.sent_bytes, last.sent_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_means_over_the_window() {
        let mut rates = Rates::default();
        assert_eq!(rates.per_second(), Totals::default());
        for tick in 0..40 {
            let totals = Totals {
                commands: tick * 50,
                received_bytes: tick * 1000,
                sent_bytes: 7,
            };
            rates.sample(tick * 100_000, totals);
        }
        let per_second = Totals {
            commands: 500,
            received_bytes: 10_000,
            sent_bytes: 0,
        };
        assert_eq!(rates.per_second(), per_second);
        rates.reset();
        assert_eq!(rates.per_second(), Totals::default());
    }
}
