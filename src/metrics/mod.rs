//! Counters: one set per worker, written without contention, summed by whoever asks.

mod histogram;
mod passes;
mod rates;
mod stats;

pub use histogram::{Distribution, Histogram};
pub use passes::{PassTimes, Passes};
pub use rates::{Rates, Totals};
pub use stats::{CommandStats, Counter, WorkerStats};
