//! How long something took, in buckets: an eighth of a value wide at most, and exact up to 7 us.

use super::stats::Counter;

/// Buckets per power of two.
const PARTS: u64 = 4;
const PARTS_BITS: u32 = PARTS.trailing_zeros();
/// The last power of two told apart: 2^33 us are more than two hours.
const EXPONENT_MAX: u32 = 33;
const LEN: usize = ((EXPONENT_MAX - PARTS_BITS + 2) as usize) << PARTS_BITS;

/// Durations in whole microseconds, cut rather than rounded. One writer, any readers.
#[derive(Debug)]
pub struct Histogram([Counter; LEN]);

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

/// The bucket of a duration.
fn bucket_of(us: u64) -> usize {
    let exponent = us.checked_ilog2().unwrap_or(0).min(EXPONENT_MAX);
    if exponent < PARTS_BITS {
        return usize::try_from(us).unwrap_or(0);
    }
    let part = (us >> (exponent - PARTS_BITS)).min(2 * PARTS - 1) - PARTS;
    let index = (u64::from(exponent - PARTS_BITS + 1) << PARTS_BITS) + part;
    usize::try_from(index).unwrap_or(LEN).min(LEN - 1)
}

/// The longest duration of a bucket.
fn longest_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let octave = bucket >> PARTS_BITS;
    if octave == 0 {
        return bucket;
    }
    let part = bucket % PARTS;
    ((PARTS + part + 1) << (octave - 1)) - 1
}

impl Histogram {
    /// Notes `calls` that took this long each.
    pub fn note(&self, us: u64, calls: u64) {
        self.0[bucket_of(us)].add(calls);
    }

    /// Starts again.
    pub fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }
}

/// The sum of several histograms, read at one moment.
#[derive(Debug)]
pub struct Distribution([u64; LEN]);

impl Default for Distribution {
    fn default() -> Self {
        Self([0; LEN])
    }
}

impl Distribution {
    /// Adds a histogram.
    pub fn add(&mut self, histogram: &Histogram) {
        for (sum, counter) in self.0.iter_mut().zip(&histogram.0) {
            *sum += counter.get();
        }
    }

    /// Calls in all.
    pub fn calls(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The duration that this many of a thousand calls did not exceed, up to the bucket's width.
    pub fn percentile_us(&self, per_thousand: u64) -> u64 {
        let wanted = (self.calls() * per_thousand).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, calls) in self.0.iter().enumerate() {
            seen += calls;
            if seen >= wanted {
                return longest_us(bucket);
            }
        }
        0
    }

    /// How many calls took less than a power of two of microseconds.
    pub fn below(&self, power: u32) -> u64 {
        self.0[..bucket_of(1 << power)].iter().sum()
    }

    /// For each power of two that some calls came under and not under the one before: the bound in
    /// microseconds, and how many calls took less.
    pub fn powers(&self) -> Vec<(u64, u64)> {
        let (mut bound_us, mut seen) = (1, 0);
        let mut powers: Vec<(u64, u64)> = Vec::new();
        for (bucket, calls) in self.0.iter().enumerate() {
            while longest_us(bucket) >= bound_us {
                bound_us *= 2;
            }
            seen += calls;
            match powers.last_mut() {
                _ if *calls == 0 => {}
                Some((bound, below)) if *bound == bound_us => *below = seen,
                _ => powers.push((bound_us, seen)),
            }
        }
        powers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_narrow() {
        let mut last = 0;
        for us in (0..10_000).chain((14..40).map(|bits| 1 << bits)) {
            let bucket = bucket_of(us);
            assert!(bucket >= last, "{us}");
            last = bucket;
            if us < 1 << EXPONENT_MAX {
                let longest = longest_us(bucket);
                assert!(
                    longest >= us && longest - us <= us / 4,
                    "{us} is in a bucket up to {longest}"
                );
                assert_eq!(bucket_of(longest), bucket);
                assert_eq!(bucket_of(longest + 1), bucket + 1);
            }
        }
        assert_eq!(bucket_of(u64::MAX), LEN - 1);
    }

    #[test]
    fn sums_answer_percentiles_and_powers() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.note(3, 90);
        other.note(5, 9);
        other.note(1000, 1);
        let mut sum = Distribution::default();
        assert_eq!(sum.percentile_us(500), 0);
        sum.add(&one);
        sum.add(&other);
        assert_eq!(sum.calls(), 100);
        assert_eq!(sum.percentile_us(500), 3);
        assert_eq!(sum.percentile_us(990), 5);
        assert_eq!(sum.percentile_us(999), 1023);
        assert_eq!(sum.powers(), [(4, 90), (8, 99), (1024, 100)]);
        assert_eq!(
            [2, 3, 9, 10].map(|power| sum.below(power)),
            [90, 99, 99, 100]
        );
        one.reset();
        assert_eq!(bucket_of(0), 0);
    }
}
