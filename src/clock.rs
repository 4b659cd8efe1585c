//! Time, the only file that reads a clock.
//!
//! Everything else is handed a [`Now`]: a worker reads the clock once for a batch of requests, the
//! simulator and the tests make up their own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment, as both clocks saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Wall clock: milliseconds since the Unix epoch. Deadlines of keys are in this clock, as in
    /// Redis, so a clock that jumps moves them.
    pub unix_ms: u64,
    /// Monotonic clock: microseconds since the process first asked. Ages and durations are in this
    /// clock; it never goes back.
    pub mono_us: u64,
}

impl Now {
    /// Milliseconds of the monotonic clock, the tick of arrival times.
    #[inline]
    pub fn mono_ms(self) -> u64 {
        self.mono_us / 1000
    }

    /// This moment moved on by `duration` on both clocks; for tests and simulation.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            unix_ms: self.unix_ms + us / 1000,
            mono_us: self.mono_us + us,
        }
    }
}

/// Reads the system's clocks. Costs two vDSO calls, about 50 ns.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn now() -> Now {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
        mono_us: mono_us(),
    }
}

/// Nanoseconds on the monotonic clock since the process first asked.
#[cfg(feature = "lock-times")]
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn mono_ns() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Microseconds on the monotonic clock since the process first asked. About 25 ns.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn mono_us() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
