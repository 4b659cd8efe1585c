//! CLIENT PAUSE: until when, and whether reads go on.

use std::sync::Arc;

use crate::outbox::{Mailbox, WakeList};
use crate::sync::Lock;

/// What a pause holds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paused {
    /// All commands.
    All,
    /// Commands that may change keys.
    Writes,
}

/// The pauses in force: one of each kind, as in Redis.
#[derive(Debug, Default)]
pub struct Pauses(Lock<Ends>);

#[derive(Debug, Default)]
struct Ends {
    all_until_ms: u64,
    writes_until_ms: u64,
    /// Connections that hold a request back.
    waiting: Vec<Arc<Mailbox>>,
}

impl Pauses {
    /// Starts a pause, or extends the one of its kind; it never gets shorter.
    pub fn pause(&self, what: Paused, until_ms: u64) {
        let mut ends = self.0.lock();
        match what {
            Paused::All => ends.all_until_ms = ends.all_until_ms.max(until_ms),
            Paused::Writes => ends.writes_until_ms = ends.writes_until_ms.max(until_ms),
        }
    }

    /// Ends all pauses, and wakes those whom they held up.
    pub fn unpause(&self, wakes: &mut WakeList) {
        let ends = std::mem::take(&mut *self.0.lock());
        for mailbox in ends.waiting {
            mailbox.prompt(wakes);
        }
    }

    /// Has a connection woken when the pauses end early.
    pub fn wait(&self, mailbox: &Arc<Mailbox>) {
        self.0.lock().waiting.push(Arc::clone(mailbox));
    }

    /// Milliseconds until the last pause ends by itself.
    pub fn left_ms(&self, now_ms: u64) -> u64 {
        let ends = self.0.lock();
        ends.all_until_ms
            .max(ends.writes_until_ms)
            .saturating_sub(now_ms)
    }

    /// What is held up now.
    pub fn in_force(&self, now_ms: u64) -> Option<Paused> {
        let ends = self.0.lock();
        if ends.all_until_ms > now_ms {
            Some(Paused::All)
        } else if ends.writes_until_ms > now_ms {
            Some(Paused::Writes)
        } else {
            None
        }
    }
}
