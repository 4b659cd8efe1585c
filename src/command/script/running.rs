//! The script that runs now, if one does: there is never more than one, as it holds every shard.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What others may know of the running script, and tell it.
///
/// Written by the worker that runs it, but for the wish to end it. Relaxed throughout: a wish is
/// seen at the next look, and who asks about a script that ends meanwhile may hear either.
#[derive(Debug, Default)]
pub struct Running {
    /// Microseconds on the monotonic clock at which it started; 0 while none runs.
    started_us: AtomicU64,
    has_written: AtomicBool,
    is_unwanted: AtomicBool,
}

/// Why a script cannot be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkillable {
    /// None runs.
    NoneRuns,
    /// It has changed keys already.
    HasWritten,
}

impl Running {
    /// A script starts.
    pub fn start(&self, now_us: u64) {
        self.is_unwanted.store(false, Ordering::Relaxed);
        self.has_written.store(false, Ordering::Relaxed);
        self.started_us.store(now_us.max(1), Ordering::Relaxed);
    }

    /// It ended.
    pub fn end(&self) {
        self.started_us.store(0, Ordering::Relaxed);
    }

    /// It changed, or may have changed, a key.
    pub fn note_write(&self) {
        self.has_written.store(true, Ordering::Relaxed);
    }

    /// When it started, if one runs.
    pub fn started_us(&self) -> Option<u64> {
        match self.started_us.load(Ordering::Relaxed) {
            0 => None,
            started_us => Some(started_us),
        }
    }

    /// Whether somebody wants it to end.
    pub fn is_unwanted(&self) -> bool {
        self.is_unwanted.load(Ordering::Relaxed)
    }

    /// SCRIPT KILL.
    pub fn kill(&self) -> Result<(), Unkillable> {
        if self.started_us().is_none() {
            return Err(Unkillable::NoneRuns);
        }
        if self.has_written.load(Ordering::Relaxed) {
            return Err(Unkillable::HasWritten);
        }
        self.kill_anyway();
        Ok(())
    }

    /// Ends it whatever it did: the server stops.
    pub fn kill_anyway(&self) {
        self.is_unwanted.store(true, Ordering::Relaxed);
    }
}
