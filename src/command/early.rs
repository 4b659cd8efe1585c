//! What cannot wait for the next tick: moments at which workers are to look again before it.
//!
//! A moment that is near is noted for the worker that learns of it, which is awake then, and on the
//! next tick of a shard's own worker for that one. A worker may be called for nothing; nothing is
//! called late. A worker reads its own moment once for each pass over its sockets.

use std::sync::atomic::{AtomicU64, Ordering};

/// The moment of each worker, in monotonic microseconds; the greatest number is none. Relaxed: each
/// is written and read by its own worker.
#[derive(Debug)]
pub struct Early(Box<[AtomicU64]>);

impl Early {
    /// No moment for any of so many workers.
    pub(super) fn new(workers_len: usize) -> Self {
        let none = |_| AtomicU64::new(u64::MAX);
        Self((0..workers_len).map(none).collect())
    }

    /// When a worker is to look again, at the latest.
    #[inline]
    pub fn of(&self, worker: usize) -> u64 {
        self.0[worker].load(Ordering::Relaxed)
    }

    /// Has a worker look again at this moment, if it would not do so before.
    pub(super) fn call(&self, worker: usize, at_us: u64) {
        self.0[worker].fetch_min(at_us, Ordering::Relaxed);
    }

    /// The same for a tick of the store, if there is one.
    pub(super) fn call_at(&self, worker: usize, tick: Option<u64>) {
        if let Some(tick) = tick {
            self.call(worker, tick.saturating_mul(1000));
        }
    }

    /// Forgets a moment that has come.
    pub(super) fn answer(&self, worker: usize, now_us: u64) {
        if self.of(worker) <= now_us {
            self.0[worker].store(u64::MAX, Ordering::Relaxed);
        }
    }
}
