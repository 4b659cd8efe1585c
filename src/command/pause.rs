//! CLIENT PAUSE: until when, and whether reads go on.

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

    /// Ends all pauses.
    pub fn unpause(&self) {
        *self.0.lock() = Ends::default();
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
