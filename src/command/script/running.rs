//! The script that runs now, if one does: there is never more than one, as it holds every shard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::outbox::{Mailbox, WakeList};
use crate::store::ShardSet;
use crate::sync::Lock;

/// What others may know of the running script, and tell it.
///
/// Written by the worker that runs it, but for the wish to end it. Its flags are relaxed: a wish is
/// seen at the next look, and who asks about a script that ends meanwhile may hear either.
#[derive(Debug, Default)]
pub struct Running {
    runs: AtomicBool,
    has_written: AtomicBool,
    is_unwanted: AtomicBool,
    rest: Lock<Rest>,
}

/// What a script that rests has let go of only so that others find out whose it is.
#[derive(Debug, Default)]
struct Rest {
    /// The shards that it has used.
    kept: ShardSet,
    /// Connections that want some of them.
    waiting: Vec<Arc<Mailbox>>,
    /// How often those who waited were called.
    calls_len: u64,
}

/// The wait for a script that rests: for its end, or for its being late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    calls_len: u64,
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

    /// The script rests, and keeps the shards that it has used so far. It holds all of them still,
    /// so whoever gets one later finds it kept.
    pub fn keep(&self, used: ShardSet) {
        self.rest.lock().kept = used;
    }

    /// Whether the script that rests keeps any of these shards. All together it always keeps:
    /// there is one script at a time, and it may go on to use any.
    pub fn keeps(&self, shards: ShardSet) -> bool {
        shards == ShardSet::ALL || shards.meets(self.rest.lock().kept)
    }

    /// Has a connection called when the script ends, or is over its time, so that it can hear so.
    /// Who asks for it holds a shard still, so that the
    /// script cannot have ended since it was found to keep it.
    pub fn wait(&self, mailbox: &Arc<Mailbox>) -> Awaited {
        let mut rest = self.rest.lock();
        rest.waiting.push(Arc::clone(mailbox));
        Awaited {
            calls_len: rest.calls_len,
        }
    }

    /// Whether somebody who waits has been called.
    pub fn is_over(&self, awaited: Awaited) -> bool {
        self.rest.lock().calls_len != awaited.calls_len
    }

    /// Calls those who wait: the script keeps nothing any more, or all are told now that it runs.
    pub fn call(&self, wakes: &mut WakeList) {
        let waiting = {
            let mut rest = self.rest.lock();
            rest.calls_len += 1;
            std::mem::take(&mut rest.waiting)
        };
        for mailbox in waiting {
            mailbox.prompt(wakes);
        }
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
