//! Reading: into which buffer, and how much at a time.

use std::cell::RefCell;
use std::io;
use std::task::Poll;

use crate::allocator;
use crate::clock::Now;

use crate::command::Session;
use crate::net::early;

use super::{Connection, Held};

/// Bytes of the worker's read buffer: a thousand small requests, and small enough to stay in the
/// second-level cache.
pub(super) const READ_BYTES: usize = 64 << 10;
/// Bytes read at once behind the beginning of a small request.
pub(super) const PIECE_BYTES: usize = READ_BYTES / 4;
/// A request from this size on, most of which is one argument, is taken for the first of many: the
/// next is read into a buffer of its own, which can become the value. A copy of 16 KiB costs a
/// microsecond.
pub(super) const LARGE_BYTES_MIN: usize = 16 << 10;
/// Room made for the next large request before any of it came; untouched memory costs nothing, but
/// there may be many connections.
const EXPECTED_BYTES_MAX: usize = 2 << 20;
/// More room than that, so that the read that gets all of a request also finds the socket empty.
const SLACK_BYTES: usize = 64;
/// Bytes of requests that are read ahead while the client blocks or is paused.
const INPUT_AHEAD_BYTES_MAX: usize = 64 << 10;

thread_local! {
    /// The worker's read buffer: whatever is read is executed before the next connection reads.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(READ_BYTES));
}

impl Connection {
    /// Learns from requests that took so many bytes what the next one will be like.
    #[cold]
    pub(super) fn expect_alike(&mut self, consumed: usize) {
        let is_large =
            consumed >= LARGE_BYTES_MIN && self.parser.last_argument_bytes() >= consumed / 4 * 3;
        self.expected_bytes = if is_large {
            consumed.min(EXPECTED_BYTES_MAX)
        } else {
            0
        };
    }

    /// Reads once and executes what came; ready with 0 when the client has closed.
    pub(super) fn read(&mut self, now: &mut Now) -> Poll<io::Result<usize>> {
        if let Some(early) = self.early.take() {
            self.take_in(&early, now);
            let len = early.len();
            early::give_back(early);
            return Poll::Ready(Ok(len));
        }
        if self.stream.is_dry() {
            return Poll::Pending;
        }
        if (!self.input.is_empty() || self.expected_bytes > 0 || self.held != Held::No)
            && let Some(read) = self.read_own()
        {
            return read;
        }
        READ_BUFFER.with(|buffer| match buffer.try_borrow_mut() {
            Ok(mut buffer) => self.read_into(&mut buffer, now),
            // Another connection's request is a script that computes, and lets others go on.
            Err(_) => self.read_into(&mut Vec::with_capacity(PIECE_BYTES), now),
        })
    }

    fn read_into(&mut self, buffer: &mut Vec<u8>, now: &mut Now) -> Poll<io::Result<usize>> {
        buffer.clear();
        let read = self.stream.read(buffer);
        if let Poll::Ready(Ok(len)) = read
            && len > 0
        {
            self.take_in(buffer, now);
        }
        read
    }

    /// Executes what was read into a buffer that is not the connection's own.
    #[inline]
    fn take_in(&mut self, bytes: &[u8], now: &mut Now) {
        self.note_read(bytes.len());
        let consumed = self.execute(bytes, None, now);
        if consumed >= LARGE_BYTES_MIN {
            self.expect_alike(consumed);
        }
        if consumed < bytes.len() {
            self.take_over(&bytes[consumed..]);
        }
    }

    /// What it read early, and the session that it will be executed in.
    pub fn early_request(&self) -> (&Session, &[u8]) {
        (&self.session, self.early.bytes())
    }

    /// Keeps the beginning of a request, with room for the rest.
    #[cold]
    fn take_over(&mut self, bytes: &[u8]) {
        self.input
            .reserve_exact(bytes.len() + self.room(bytes.len()));
        self.input.extend_from_slice(bytes);
        self.note_buffers();
    }

    /// Reads into a buffer of the connection's own, unless the worker's will do.
    #[cold]
    #[inline(never)]
    fn read_own(&mut self) -> Option<Poll<io::Result<usize>>> {
        let is_postponed = self.session.postponed.is_some();
        let is_full = self.input.len() >= INPUT_AHEAD_BYTES_MAX;
        if self.held != Held::No && (is_postponed || is_full) {
            // The end stands behind what is not read. What a step that rests holds up would have been
            // executed before it was read; who waits for others and has gone is to wait no more.
            let is_over = self.stream.has_hung_up() && !is_postponed;
            return Some(if is_over {
                Poll::Ready(Ok(0))
            } else {
                Poll::Pending
            });
        }
        if self.input.is_empty() && self.held == Held::No {
            let waiting_bytes = self.stream.waiting_bytes();
            if waiting_bytes < LARGE_BYTES_MIN {
                self.expected_bytes = 0;
                return None;
            }
            self.input = Vec::with_capacity(self.expected_bytes + SLACK_BYTES);
            allocator::back(&mut self.input, waiting_bytes);
        }
        Some(self.read_more())
    }

    /// Reads behind what is there already: the rest of a request, or requests ahead of their time.
    fn read_more(&mut self) -> Poll<io::Result<usize>> {
        let room = self.room(self.input.len());
        if room >= self.input.len() / 2 {
            self.input.reserve_exact(room);
        } else {
            self.input.reserve(room);
        }
        let read = self.stream.read(&mut self.input);
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        if let Poll::Ready(Ok(len)) = read
            && len > 0
        {
            self.note_read(len);
            self.has_requests = !self.parser.goes_on_past(self.input.len());
            self.note_buffers();
            if self.input.len() as u64 > self.engine.config.live().client_query_buffer_bytes_max() {
                tracing::warn!(
                    client = self.session.client.id,
                    "query buffer limit reached"
                );
                return Poll::Ready(Ok(0));
            }
        }
        read
    }

    /// Bytes that the next read should have room for, behind so many of the request in progress.
    /// Of a large one no more than is missing, so that its buffer can become the value.
    fn room(&self, input_bytes: usize) -> usize {
        if self.held != Held::No {
            return 4096;
        }
        let expected = self.expected_bytes.saturating_sub(input_bytes);
        let wanted = self.parser.wants().max(expected) + SLACK_BYTES;
        if input_bytes.max(expected) >= LARGE_BYTES_MIN {
            wanted
        } else {
            wanted.max(PIECE_BYTES)
        }
    }

    fn note_read(&self, len: usize) {
        let stats = &self.engine.workers[self.worker];
        stats.reads.add(1);
        stats.received_bytes.add(len as u64);
        self.session.client.received_bytes.add(len as u64);
    }
}
