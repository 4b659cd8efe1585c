//! How long a worker is at work between two waits for its sockets: what its clients may have to
//! wait before it looks at them.

use super::histogram::{Distribution, Histogram};
use super::stats::Counter;

/// The passes of a worker, which alone writes here.
#[derive(Debug, Default)]
pub struct Passes {
    times: Histogram,
    total_us: Counter,
    longest_us: Counter,
}

impl Passes {
    /// Notes a pass that took this long.
    #[inline]
    pub fn note(&self, us: u64) {
        self.times.note(us, 1);
        self.total_us.add(us);
        self.longest_us.raise(us);
    }

    /// Starts again.
    pub fn reset(&self) {
        self.times.reset();
        self.total_us.reset();
        self.longest_us.reset();
    }
}

/// The passes of one worker or of several, read at one moment.
#[derive(Debug, Default)]
pub struct PassTimes {
    /// How long they took.
    pub times: Distribution,
    /// Microseconds in all.
    pub total_us: u64,
    /// Microseconds of the longest.
    pub longest_us: u64,
}

impl PassTimes {
    /// Those of some workers, together.
    pub fn of<'a>(workers: impl IntoIterator<Item = &'a Passes>) -> Self {
        let mut all = Self::default();
        for passes in workers {
            all.times.add(&passes.times);
            all.total_us += passes.total_us.get();
            all.longest_us = all.longest_us.max(passes.longest_us.get());
        }
        all
    }

    /// The duration that this many of a thousand passes did not exceed, in microseconds.
    pub fn percentile_us(&self, per_thousand: u64) -> u64 {
        self.times.percentile_us(per_thousand).min(self.longest_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_exact_and_percentiles_do_not_pass_it() {
        let (one, other) = (Passes::default(), Passes::default());
        for us in [3, 3, 2000] {
            one.note(us);
        }
        other.note(5);
        let both = PassTimes::of([&one, &other]);
        assert_eq!(both.times.calls(), 4);
        assert_eq!((both.total_us, both.longest_us), (2011, 2000));
        assert_eq!(
            (both.percentile_us(500), both.percentile_us(999)),
            (3, 2000)
        );
        one.reset();
        let none = PassTimes::of([&one]);
        assert_eq!((none.times.calls(), none.percentile_us(500)), (0, 0));
    }
}
