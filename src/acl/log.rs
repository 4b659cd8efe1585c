//! The log of refusals, behind ACL LOG.
//!
//! Refusals alike within a minute share an entry, so that one client that tries again and again
//! does not push out all others.

use std::collections::VecDeque;

use crate::sync::Lock;

use super::selector::Reason;

/// A refusal later than this after one like it is another entry.
const ALIKE_MS_MAX: u64 = 60_000;
/// Entries that are compared with a new one.
const ALIKE_ENTRIES_MAX: usize = 10;

/// From where something was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// A request.
    TopLevel,
    /// A transaction.
    Multi,
    /// A script.
    Script,
}

impl Context {
    /// Redis's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Script => "lua",
        }
    }
}

impl Reason {
    /// Redis's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Key => "key",
            Self::Auth => "auth",
            Self::Channel => "channel",
        }
    }
}

/// Refusals alike.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Ascending, never used twice.
    pub id: u64,
    /// How many.
    pub count: u64,
    /// What was not allowed.
    pub reason: Reason,
    /// From where it was asked.
    pub context: Context,
    /// The command, key or channel.
    pub object: Vec<u8>,
    /// Who asked.
    pub user: Vec<u8>,
    /// The client that asked last, as CLIENT LIST shows it.
    pub client: Vec<u8>,
    /// When the first was, in milliseconds since the epoch.
    pub first_ms: u64,
    /// When the last was.
    pub last_ms: u64,
}

impl Entry {
    fn is_like(&self, other: &Self) -> bool {
        self.reason == other.reason
            && self.context == other.context
            && self.last_ms.abs_diff(other.last_ms) <= ALIKE_MS_MAX
            && self.object == other.object
            && self.user == other.user
    }
}

#[derive(Debug, Default)]
struct Entries {
    newest_first: VecDeque<Entry>,
    next_id: u64,
}

/// The log. A leaf lock.
#[derive(Debug, Default)]
pub struct Log(Lock<Entries>);

impl Log {
    /// Adds a refusal; its id and count are given here. The oldest go when there are more than
    /// `entries_max`.
    pub fn add(&self, mut entry: Entry, entries_max: usize) {
        let mut log = self.0.lock();
        let alike = log.newest_first.iter().take(ALIKE_ENTRIES_MAX);
        let alike = alike.into_iter().position(|known| known.is_like(&entry));
        if let Some(mut known) = alike.and_then(|at| log.newest_first.remove(at)) {
            known.count += 1;
            known.client = entry.client;
            known.last_ms = entry.last_ms;
            log.newest_first.push_front(known);
        } else if entries_max > 0 {
            entry.id = log.next_id;
            entry.count = 1;
            log.next_id += 1;
            log.newest_first.push_front(entry);
        }
        log.newest_first.truncate(entries_max);
    }

    /// The newest entries.
    pub fn newest(&self, count: usize) -> Vec<Entry> {
        self.0
            .lock()
            .newest_first
            .iter()
            .take(count)
            .cloned()
            .collect()
    }

    /// Forgets all.
    pub fn reset(&self) {
        self.0.lock().newest_first.clear();
    }
}
