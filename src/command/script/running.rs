//! The script that runs now, if one does: there is never more than one, as it holds every shard.

use std::sync::atomic::{AtomicBool, Ordering};

/// What others may know of the running script, and tell it.
///
/// Written by the worker that runs it, but for the wish to end it. Relaxed throughout: a wish is
/// seen at the next look, and who asks about a script that ends meanwhile may hear either.
#[derive(Debug, Default)]
pub struct Running {
    runs: AtomicBool,
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
    pub fn start(&self) {
        self.is_unwanted.store(false, Ordering::Relaxed);
        self.has_written.store(false, Ordering::Relaxed);
        self.runs.store(true, Ordering::Relaxed);
    }

    /// It ended.
    pub fn end(&self) {
        self.runs.store(false, Ordering::Relaxed);
    }

    /// It changed, or may have changed, a key.
    pub fn note_write(&self) {
        self.has_written.store(true, Ordering::Relaxed);
    }

    /// Whether somebody wants it to end.
    pub fn is_unwanted(&self) -> bool {
        self.is_unwanted.load(Ordering::Relaxed)
    }

    /// SCRIPT KILL.
    pub fn kill(&self) -> Result<(), Unkillable> {
        if !self.runs.load(Ordering::Relaxed) {
            return Err(Unkillable::NoneRuns);
        }
        if self.has_written.load(Ordering::Relaxed) {
            return Err(Unkillable::HasWritten);
        }
        self.is_unwanted.store(true, Ordering::Relaxed);
        Ok(())
    }
}
