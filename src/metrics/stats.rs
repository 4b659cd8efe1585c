//! What each worker counts.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::Lock;

use super::histogram::Histogram;
use super::passes::Passes;

/// A counter with one writer and any readers.
///
/// Adding is a plain load and store, a third of the cost of an atomic addition; a reader sees a
/// value that is a moment old. With several writers, use [`Counter::add_shared`].
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds, as the only writer.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// Takes back what was added, as the only writer, unless it was reset meanwhile.
    pub fn subtract(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).saturating_sub(n),
            Ordering::Relaxed,
        );
    }

    /// Adds, as one of several writers.
    #[inline]
    pub fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Becomes this where it was less, as the only writer.
    #[inline]
    pub fn raise(&self, to: u64) {
        if to > self.0.load(Ordering::Relaxed) {
            self.0.store(to, Ordering::Relaxed);
        }
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts again at 0. An addition that races with it may survive.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What is counted per command.
#[derive(Debug, Default)]
pub struct CommandStats {
    /// Times it was executed.
    pub calls: Counter,
    /// Microseconds that took, where time was taken (see `slowlog-log-slower-than`).
    pub usec: Counter,
    /// Times it was refused before it was executed.
    pub rejected: Counter,
    /// Times it answered with an error.
    pub failed: Counter,
    /// How long it took; made on the first call that is timed.
    pub times: OnceLock<Box<Histogram>>,
}

impl CommandStats {
    /// Notes that a call took this long, and stands for `calls` of its kind.
    pub fn note_time(&self, us: u64, calls: u64) {
        self.usec.add(us * calls);
        self.times.get_or_init(Box::default).note(us, calls);
    }
}

/// Different codes of error replies that are counted apart; clients can make up codes through
/// scripts, so there has to be a bound. Redis has the same.
const ERROR_CODES_MAX: usize = 128;
/// Most bytes of a code; what is longer is none. Redis looks as far.
const ERROR_CODE_BYTES_MAX: usize = 30;
/// What further codes count as, which in Redis takes the place of all.
const OTHER_CODES: &[u8] = b"ERRORSTATS_DISABLED";

/// What one worker counts; aligned so that workers do not share cache lines.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerStats {
    /// By index into the command table.
    pub commands: Box<[CommandStats]>,
    /// Connections accepted.
    pub connections: Counter,
    /// Commands executed.
    pub commands_total: Counter,
    /// Bytes received.
    pub received_bytes: Counter,
    /// Bytes sent.
    pub sent_bytes: Counter,
    /// Lookups that found their key.
    pub hits: Counter,
    /// Lookups that did not.
    pub misses: Counter,
    /// Requests that broke the protocol.
    pub protocol_errors: Counter,
    /// Error replies.
    pub error_replies: Counter,
    /// Error replies by their code, the first word. Locked by the worker for a moment per error,
    /// and by readers.
    pub error_codes: Lock<Vec<(Box<[u8]>, u64)>>,
    /// Messages published.
    pub published: Counter,
    /// Messages left in subscribers' outboxes.
    pub delivered: Counter,
    /// Messages that full outboxes let go of.
    pub outbox_dropped: Counter,
    /// Published messages that a queue at the end of a route did not take.
    pub routes_refused: Counter,
    /// Names and passwords that were wrong.
    pub denied_logins: Counter,
    /// Commands that their user may not run.
    pub denied_commands: Counter,
    /// Requests that their user may not make for a key.
    pub denied_keys: Counter,
    /// Requests that their user may not make for a channel.
    pub denied_channels: Counter,
    /// Reads from sockets.
    pub reads: Counter,
    /// Writes to sockets.
    pub writes: Counter,
    /// How long it was at work between two waits.
    pub passes: Passes,
}

impl WorkerStats {
    /// All zero, for a table of `commands_len` commands.
    pub fn new(commands_len: usize) -> Self {
        Self {
            commands: (0..commands_len).map(|_| CommandStats::default()).collect(),
            connections: Counter::default(),
            commands_total: Counter::default(),
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            protocol_errors: Counter::default(),
            error_replies: Counter::default(),
            error_codes: Lock::default(),
            published: Counter::default(),
            delivered: Counter::default(),
            outbox_dropped: Counter::default(),
            routes_refused: Counter::default(),
            denied_logins: Counter::default(),
            denied_commands: Counter::default(),
            denied_keys: Counter::default(),
            denied_channels: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            passes: Passes::default(),
        }
    }

    /// For a look-up that finds a value of another type: what is there was found all the same.
    pub fn hit<E>(&self) -> impl FnOnce(&E) {
        |_| self.hits.add(1)
    }

    /// Counts an error reply, given without its dash.
    pub fn note_error(&self, line: &[u8]) {
        self.error_replies.add(1);
        let mut code = error_code(line);
        let mut codes = self.error_codes.lock();
        let place = |code: &[u8]| codes.iter().position(|(known, _)| **known == *code);
        let mut known = place(code);
        if known.is_none() && codes.len() >= ERROR_CODES_MAX {
            code = OTHER_CODES;
            known = place(code);
        }
        match known {
            Some(at) => codes[at].1 += 1,
            None => codes.push((code.into(), 1)),
        }
    }

    /// Starts all counters again at 0, as CONFIG RESETSTAT does.
    pub fn reset(&self) {
        for command in &self.commands {
            let CommandStats {
                calls,
                usec,
                rejected,
                failed,
                times,
            } = command;
            for counter in [calls, usec, rejected, failed] {
                counter.reset();
            }
            if let Some(times) = times.get() {
                times.reset();
            }
        }
        self.error_codes.lock().clear();
        self.passes.reset();
        [
            &self.connections,
            &self.commands_total,
            &self.received_bytes,
            &self.sent_bytes,
            &self.hits,
            &self.misses,
            &self.protocol_errors,
            &self.error_replies,
            &self.published,
            &self.delivered,
            &self.outbox_dropped,
            &self.routes_refused,
            &self.denied_logins,
            &self.denied_commands,
            &self.denied_keys,
            &self.denied_channels,
            &self.reads,
            &self.writes,
        ]
        .into_iter()
        .for_each(Counter::reset);
    }
}

/// The code of an error line. Line ends are sent as blanks, so they end it as well.
fn error_code(line: &[u8]) -> &[u8] {
    let head = &line[..line.len().min(ERROR_CODE_BYTES_MAX + 1)];
    let end = head.iter().position(|byte| b" \r\n".contains(byte));
    end.map_or(b"ERR", |end| &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_short_and_few() {
        let long = "q".repeat(ERROR_CODE_BYTES_MAX);
        for (line, code) in [
            ("WRONGTYPE Operation", "WRONGTYPE"),
            ("A\r\nredis_version:1.0.0\r\nx y", "A"),
            ("noblank", "ERR"),
            ("", "ERR"),
            (&format!("{long} x"), &long),
            (&format!("{long}q x"), "ERR"),
        ] {
            assert_eq!(error_code(line.as_bytes()), code.as_bytes(), "{line}");
        }
        let stats = WorkerStats::new(0);
        stats.note_error(b"WRONGTYPE x");
        for n in 0..1000 {
            stats.note_error(format!("C{n} x").as_bytes());
        }
        stats.note_error(b"WRONGTYPE x");
        let codes = stats.error_codes.lock();
        assert_eq!(codes.len(), ERROR_CODES_MAX + 1);
        assert_eq!(codes[0], (b"WRONGTYPE"[..].into(), 2));
        let others = 1001 - ERROR_CODES_MAX as u64;
        assert_eq!(codes[ERROR_CODES_MAX], (OTHER_CODES.into(), others));
    }
}
