//! The log of commands that took long, behind SLOWLOG.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::Args;
use crate::sync::Lock;

use super::secrets::REDACTED;

/// Arguments kept of a logged command; Redis's `SLOWLOG_ENTRY_MAX_ARGC`.
const ARGUMENTS_KEPT_MAX: usize = 32;
/// Bytes kept of a logged argument; Redis's `SLOWLOG_ENTRY_MAX_STRING`.
const ARGUMENT_BYTES_KEPT_MAX: usize = 128;

/// A command that took long.
#[derive(Clone, Debug)]
pub struct SlowEntry {
    /// Ascending, never used twice.
    pub id: u64,
    /// Seconds since the epoch.
    pub unix_s: u64,
    /// Microseconds that it took.
    pub took_us: u64,
    /// The request, shortened.
    pub arguments: Vec<Vec<u8>>,
    /// The client's address.
    pub address: String,
    /// The client's name.
    pub name: Vec<u8>,
}

/// The log, newest first.
#[derive(Debug, Default)]
pub struct Slowlog {
    entries: Lock<VecDeque<SlowEntry>>,
    next_id: AtomicU64,
}

impl Slowlog {
    /// Adds a command; the oldest goes when there are more than `entries_max`.
    pub fn add(&self, mut entry: SlowEntry, entries_max: usize) {
        entry.id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock();
        entries.push_front(entry);
        entries.truncate(entries_max);
    }

    /// The newest entries.
    pub fn newest(&self, count: usize) -> Vec<SlowEntry> {
        self.entries.lock().iter().take(count).cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all.
    pub fn reset(&self) {
        self.entries.lock().clear();
    }
}

/// A request as the log keeps it: long arguments and long lists of them cut, with a word on what
/// is missing; those that are `hidden` are not told.
pub fn shortened(args: Args<'_>, hidden: &Range<usize>) -> Vec<Vec<u8>> {
    let kept = if args.len() > ARGUMENTS_KEPT_MAX {
        ARGUMENTS_KEPT_MAX - 1
    } else {
        args.len()
    };
    let shown = |(at, argument)| {
        if hidden.contains(&at) {
            REDACTED.to_vec()
        } else {
            shortened_argument(argument)
        }
    };
    let mut arguments: Vec<Vec<u8>> = args.iter().take(kept).enumerate().map(shown).collect();
    if kept < args.len() {
        arguments.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    arguments
}

/// An argument as logs keep it: a long one is cut, with a word on how much is missing.
pub fn shortened_argument(argument: &[u8]) -> Vec<u8> {
    cut(argument, ARGUMENT_BYTES_KEPT_MAX)
}

/// The first `bytes_max` bytes, with a word on how many more there were.
pub fn cut(bytes: &[u8], bytes_max: usize) -> Vec<u8> {
    let Some((kept, rest)) = bytes
        .split_at_checked(bytes_max)
        .filter(|(_, rest)| !rest.is_empty())
    else {
        return bytes.to_vec();
    };
    let mut kept = kept.to_vec();
    let more = rest.len();
    kept.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
    kept
}
