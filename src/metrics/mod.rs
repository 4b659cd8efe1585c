//! Counters: one set per worker, written without contention, summed by whoever asks.

mod stats;

pub use stats::{CommandStats, Counter, WorkerStats};
