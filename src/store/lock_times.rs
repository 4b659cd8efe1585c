//! How long shards are waited for and held, over the whole process. Only with the feature
//! `lock-times`, for measuring: two more readings of the clock for each time that shards are taken.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock;

/// Powers of two of nanoseconds: up to half a second.
const LEN: usize = 30;

/// Counts by the power of two below which a duration was.
#[derive(Debug)]
pub struct Times([AtomicU64; LEN]);

/// From asking for shards until all were held.
pub static WAITS: Times = Times::new();
/// From then until they were let go.
pub static HOLDS: Times = Times::new();

impl Times {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; LEN])
    }

    /// Notes what has passed since a reading of the clock, and returns the present one.
    pub(super) fn note(&self, since_ns: u64) -> u64 {
        let now_ns = clock::mono_ns();
        let took_ns = now_ns.saturating_sub(since_ns).max(1);
        let power = usize::try_from(took_ns.ilog2()).unwrap_or(LEN) + 1;
        self.0[power.min(LEN - 1)].fetch_add(1, Relaxed);
        now_ns
    }

    /// How many took less than each power of two of nanoseconds and not less than the one before,
    /// where any did; they start again at 0.
    pub fn take(&self) -> Vec<(u64, u64)> {
        let counts = self.0.iter().map(|count| count.swap(0, Relaxed));
        let powers = (0..).map(|power| 1 << power);
        powers.zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}
