//! CLIENT PAUSE: until when, whether reads go on, and who waits for its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::outbox::{Mailbox, WakeList};
use crate::sync::Lock;

use super::engine::Gates;

/// What a pause holds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paused {
    /// All commands.
    All,
    /// Commands that may change keys.
    Writes,
}

/// The pause in force: one at most, as in Redis. `Gates::PAUSED` is changed under its lock only, so
/// that the gate is there whenever a pause is.
#[derive(Debug, Default)]
pub struct Pauses(Lock<Option<Pause>>);

#[derive(Debug)]
struct Pause {
    what: Paused,
    until_ms: u64,
    /// Connections that hold a request back, by client.
    waiting: BTreeMap<u64, Arc<Mailbox>>,
}

impl Pauses {
    /// Starts a pause. One that is in force stays as strict and as long as it was, at least.
    pub fn pause(&self, gates: &Gates, what: Paused, until_ms: u64, now_ms: u64) {
        let mut current = self.0.lock();
        end_late(&mut current, gates, now_ms);
        let pause = current.get_or_insert_with(|| Pause {
            what,
            until_ms,
            waiting: BTreeMap::new(),
        });
        if what == Paused::All {
            pause.what = what;
        }
        pause.until_ms = pause.until_ms.max(until_ms);
        gates.set(Gates::PAUSED, true);
    }

    /// Ends the pause, and wakes those whom it held up.
    pub fn unpause(&self, gates: &Gates, wakes: &mut WakeList) {
        let mut current = self.0.lock();
        gates.set(Gates::PAUSED, false);
        for mailbox in current
            .take()
            .iter()
            .flat_map(|pause| pause.waiting.values())
        {
            mailbox.prompt(wakes);
        }
    }

    /// Has a connection woken when the pause ends early; milliseconds until it ends by itself.
    pub fn wait(&self, mailbox: &Arc<Mailbox>, now_ms: u64) -> u64 {
        let mut current = self.0.lock();
        let Some(pause) = current.as_mut() else {
            return 0;
        };
        pause
            .waiting
            .insert(mailbox.client_id(), Arc::clone(mailbox));
        pause.until_ms.saturating_sub(now_ms)
    }

    /// Ends [`Pauses::wait`].
    pub fn leave(&self, mailbox: &Mailbox) {
        if let Some(pause) = self.0.lock().as_mut() {
            pause.waiting.remove(&mailbox.client_id());
        }
    }

    /// What is held up now.
    pub fn in_force(&self, gates: &Gates, now_ms: u64) -> Option<Paused> {
        let mut current = self.0.lock();
        end_late(&mut current, gates, now_ms);
        current.as_ref().map(|pause| pause.what)
    }

    /// How many wait for the end of the pause.
    #[cfg(test)]
    pub fn waiting_len(&self) -> usize {
        let current = self.0.lock();
        current.as_ref().map_or(0, |pause| pause.waiting.len())
    }
}

/// Ends a pause whose time is over. Those whom it held up have timers.
fn end_late(current: &mut Option<Pause>, gates: &Gates, now_ms: u64) {
    if current
        .as_ref()
        .is_none_or(|pause| pause.until_ms <= now_ms)
    {
        *current = None;
        gates.set(Gates::PAUSED, false);
    }
}
