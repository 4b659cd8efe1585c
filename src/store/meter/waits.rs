//! How long messages waited, in buckets a sixteenth of their value wide; exact below 32 ms.
//!
//! Only the powers of two between the shortest and the longest wait have counters, so a queue whose
//! messages wait for about as long each time takes 64 to 128 bytes.

/// Buckets per power of two.
const PARTS: usize = 16;
const PARTS_BITS: u32 = PARTS.trailing_zeros();
/// The last power of two told apart: 2^40 ms are 34 years.
const EXPONENT_MAX: u32 = 40;

/// A distribution of waiting times.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    /// The bucket of the first counter, a multiple of [`PARTS`].
    first: usize,
    counts: Vec<u32>,
    max_ms: u64,
}

/// What is told of waiting times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waited {
    /// Messages delivered.
    pub count: u64,
    /// Half of them waited no longer.
    pub p50_ms: u64,
    /// Nine of ten waited no longer.
    pub p90_ms: u64,
    /// All but one of a hundred waited no longer.
    pub p99_ms: u64,
    /// The longest wait.
    pub max_ms: u64,
}

#[inline]
fn bucket_of(ms: u64) -> usize {
    let exponent = ms.checked_ilog2().unwrap_or(0).min(EXPONENT_MAX);
    #[allow(clippy::cast_possible_truncation, reason = "capped right here")]
    if exponent < PARTS_BITS {
        ms as usize
    } else {
        let octave = (exponent - PARTS_BITS + 1) as usize;
        let part = (ms >> (exponent - PARTS_BITS)) as usize % PARTS;
        octave * PARTS + part
    }
}

/// The shortest wait of a bucket, and how many milliseconds it spans.
fn span_of(bucket: usize) -> (u64, u64) {
    let (octave, part) = (bucket / PARTS, bucket % PARTS);
    match octave.checked_sub(1) {
        None => (part as u64, 1),
        Some(doubled) => (((PARTS + part) as u64) << doubled, 1 << doubled),
    }
}

impl Waits {
    #[inline]
    pub(super) fn note(&mut self, ms: u64) {
        let bucket = bucket_of(ms);
        self.max_ms = self.max_ms.max(ms);
        match self.counts.get_mut(bucket.wrapping_sub(self.first)) {
            Some(count) => *count = count.saturating_add(1),
            None => self.widen(bucket),
        }
    }

    /// Counts in a bucket that has no counter yet.
    #[cold]
    fn widen(&mut self, bucket: usize) {
        let octave = bucket / PARTS * PARTS;
        let (mut from, mut to) = (octave, octave + PARTS);
        if !self.counts.is_empty() {
            from = from.min(self.first);
            to = to.max(self.first + self.counts.len());
        }
        let mut counts = vec![0; to - from];
        let at = self.first.saturating_sub(from);
        counts[at..at + self.counts.len()].copy_from_slice(&self.counts);
        counts[bucket - from] += 1;
        (self.first, self.counts) = (from, counts);
    }

    /// Messages in each bucket that has any, in order.
    fn buckets(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let counted = self.counts.iter().enumerate();
        counted.filter_map(|(at, &count)| (count > 0).then_some((self.first + at, count.into())))
    }

    /// Something from its memory.
    pub(super) fn ask(&self) -> u64 {
        self.max_ms ^ u64::from(self.counts.first().copied().unwrap_or(0))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }
}

/// The buckets of several distributions together, in order.
fn merged(parts: &[&Waits]) -> Vec<(usize, u64)> {
    let mut all: Vec<(usize, u64)> = parts.iter().flat_map(|part| part.buckets()).collect();
    all.sort_unstable_by_key(|(bucket, _)| *bucket);
    all.dedup_by(|later, earlier| {
        let is_same = later.0 == earlier.0;
        if is_same {
            earlier.1 += later.1;
        }
        is_same
    });
    all
}

/// For each bucket with messages its upper bound in milliseconds and how many are in it.
pub(super) fn steps(parts: &[&Waits]) -> Vec<(u64, u64)> {
    let bound = |bucket| {
        let (low, span) = span_of(bucket);
        low + span
    };
    let all = merged(parts).into_iter();
    all.map(|(bucket, count)| (bound(bucket), count)).collect()
}

impl Waited {
    /// What several distributions tell together; `None` if nothing is in them.
    pub(super) fn of(parts: &[&Waits]) -> Option<Self> {
        let all = merged(parts);
        let count: u64 = all.iter().map(|(_, count)| count).sum();
        let max_ms = parts.iter().map(|part| part.max_ms).max()?;
        if count == 0 {
            return None;
        }
        Some(Self {
            count,
            p50_ms: percentile(&all, count, 500).min(max_ms),
            p90_ms: percentile(&all, count, 900).min(max_ms),
            p99_ms: percentile(&all, count, 990).min(max_ms),
            max_ms,
        })
    }
}

/// The wait that so many of a thousand did not exceed, as if those of a bucket were spread evenly.
fn percentile(buckets: &[(usize, u64)], count: u64, per_thousand: u64) -> u64 {
    let wanted = (count * per_thousand).div_ceil(1000).max(1);
    let mut seen = 0;
    for &(bucket, inside) in buckets {
        if seen + inside >= wanted {
            let (low, span) = span_of(bucket);
            let rank = u128::from(wanted - seen);
            let above = u128::from(span) * (2 * rank - 1) / (2 * u128::from(inside));
            return low + u64::try_from(above).unwrap_or(span);
        }
        seen += inside;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_narrow() {
        let mut last = 0;
        for ms in (0..100_000).chain((17..EXPONENT_MAX).map(|bits| 1 << bits)) {
            let bucket = bucket_of(ms);
            assert!(bucket >= last, "{ms}");
            last = bucket;
            let (low, span) = span_of(bucket);
            assert!((low..low + span).contains(&ms), "{ms} in {low} + {span}");
            assert!(span == 1 || span * 16 <= low, "{ms} in {low} + {span}");
        }
        assert!(bucket_of(u64::MAX) >= last);
    }

    #[test]
    fn percentiles_are_within_a_thirtieth() {
        let mut waits = Waits::default();
        for ms in (1..=10_000_u64).rev() {
            waits.note(ms);
        }
        let waited = Waited::of(&[&Waits::default(), &waits]).unwrap();
        for (told, truth) in [
            (waited.p50_ms, 5000),
            (waited.p90_ms, 9000),
            (waited.p99_ms, 9900),
        ] {
            assert!(told.abs_diff(truth) * 30 <= truth, "{told} is not {truth}");
        }
        assert_eq!((waited.count, waited.max_ms), (10_000, 10_000));
        assert_eq!(
            steps(&[&waits]).iter().map(|step| step.1).sum::<u64>(),
            10_000
        );
    }

    #[test]
    fn short_waits_are_exact_and_take_little() {
        let (mut one, mut other) = (Waits::default(), Waits::default());
        for _ in 0..99 {
            one.note(3);
        }
        other.note(31);
        let waited = Waited::of(&[&one, &other]).unwrap();
        assert_eq!((waited.p50_ms, waited.p99_ms, waited.max_ms), (3, 3, 31));
        assert_eq!((one.heap_bytes(), other.heap_bytes()), (64, 64));
        assert_eq!(Waited::of(&[&Waits::default()]), None);
    }
}
