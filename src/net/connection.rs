//! A client's connection: bytes in, requests to `command`, replies out.
//!
//! Requests are executed straight from the worker's read buffer; a connection owns input bytes
//! only while a request is incomplete or must wait, and output bytes only while the socket does
//! not take them: outside of its turn it has no buffer of either kind otherwise. It stops executing
//! while too many output bytes wait, so a client that pipelines without reading holds up nobody but
//! itself and costs bounded memory.

mod reading;
mod sending;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::mem;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use crate::clients::{TakenFrom, TakenList, Wait};
use crate::clock::Now;
use crate::command::{self, Call, Engine, Outcome, Session};
use crate::outbox::{CloseReason, WakeList};
use crate::protocol::{Carrier, Limits, Parsed, Parser, Reply, Resp};
use crate::worker::{self, Ready, Turn};

use super::early::Early;
use super::stream::Stream;

use reading::{LARGE_BYTES_MIN, PIECE_BYTES, READ_BYTES};

/// Replies waiting beyond this keep further requests of the client from being executed.
const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// Rounds of reading and executing before other connections of the worker get their turn.
const ROUNDS_MAX: usize = 4;
/// Clients that are sent what they were waiting for before who brought it has his reply: each is a
/// system call, in which the message would be late.
const HANDED_ON_MAX: usize = 4;

thread_local! {
    /// The worker's reply buffer, while no connection has its turn: what is written in a turn is
    /// mostly sent in it, so one that stays in the first-level cache serves all.
    static REPLY_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Why requests in the input are not executed now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    No,
    /// The client stands in lines.
    Blocked,
    /// Something is in the way of the next of them.
    NotNow,
}

/// A served reply on its way: its messages go back if the socket fails before byte `from`.
#[derive(Debug)]
struct InFlight {
    from_byte: u64,
    taken: TakenList,
}

/// A connection and its client's session.
#[derive(Debug)]
pub struct Connection {
    engine: Arc<Engine>,
    worker: usize,
    stream: Stream,
    session: Session,
    parser: Parser,
    /// Received but not executed: an incomplete request, or requests that must wait.
    input: Vec<u8>,
    /// Read before its turn, and executed in it.
    early: Early,
    /// Bytes of the last request if it was large, which the next one probably is too; or 0.
    expected_bytes: usize,
    /// Whether `input` may hold a complete request.
    has_requests: bool,
    output: Reply,
    held: Held,
    /// When the wait or pause ends by itself, in monotonic microseconds.
    until_us: Option<u64>,
    /// Served replies of which no byte is sent, oldest first: a client that pipelines may be served
    /// again before its socket took the one before.
    in_flight: Vec<InFlight>,
    sent_bytes: u64,
    /// Whom it handed messages on is to have them before its own replies go.
    is_behind: bool,
    /// A reply of several pieces is on its way.
    is_long_reply: bool,
    /// The socket took less than there was, when it was last tried.
    is_stuck: bool,
    is_closing: bool,
}

impl Connection {
    /// A connection of `worker`.
    pub fn new(engine: Arc<Engine>, worker: usize, stream: Stream, session: Session) -> Self {
        engine.workers[worker].connections.add(1);
        Self {
            engine,
            worker,
            stream,
            session,
            parser: Parser::default(),
            input: Vec::new(),
            early: Early::default(),
            expected_bytes: 0,
            has_requests: false,
            output: Reply::new(Resp::V2),
            held: Held::No,
            until_us: None,
            in_flight: Vec::new(),
            sent_bytes: 0,
            is_behind: false,
            is_long_reply: false,
            is_stuck: false,
            is_closing: false,
        }
    }

    /// Bytes of requests and of replies that it holds, and those sent so far; for the simulator.
    #[cfg(test)]
    pub fn buffered(&self) -> (usize, usize, u64) {
        let input_bytes = self.early.bytes().len() + self.input.len();
        (input_bytes, self.output.len(), self.sent_bytes)
    }

    /// Messages of served replies of which no byte is sent; for the simulator.
    #[cfg(test)]
    pub fn in_flight(&self) -> impl Iterator<Item = &TakenFrom> {
        self.in_flight.iter().flat_map(|flight| &flight.taken)
    }

    /// Moves on as far as possible.
    fn advance(&mut self, now: &mut Now) -> Turn {
        let late = |until_us| until_us <= now.mono_us;
        if self.stream.handshake_until_us().is_some_and(late) {
            return Turn::Over;
        }
        let mut is_long = false;
        for _ in 0..ROUNDS_MAX {
            let is_called = self.session.client.mailbox.is_notified();
            if is_called && self.take_mail(now) {
                return Turn::Over;
            }
            if self.held != Held::No {
                self.look_at_hold(*now, is_called);
            }
            if self.has_requests && self.held == Held::No {
                self.execute_input(now);
                if mem::take(&mut self.is_behind) {
                    return Turn::Behind;
                }
            }
            match self.flush() {
                Poll::Ready(Err(_)) => return Turn::Over,
                Poll::Pending if self.is_over_limit() => return Turn::Over,
                Poll::Pending if self.output.len() >= OUTPUT_BYTES_MAX => return self.waiting(),
                Poll::Ready(Ok(())) if !self.output.is_empty() => return Turn::Again,
                _ => {}
            }
            if self.is_closing {
                return if self.output.is_empty() && !self.stream.holds_back() {
                    Turn::Over
                } else {
                    self.waiting()
                };
            }
            if is_long {
                return Turn::Again;
            }
            if self.has_requests && self.held == Held::No
                || self.session.client.mailbox.is_notified()
            {
                continue;
            }
            match self.read(now) {
                Poll::Pending => return self.waiting(),
                Poll::Ready(Ok(0) | Err(_)) => return Turn::Over,
                Poll::Ready(Ok(_)) if mem::take(&mut self.is_behind) => return Turn::Behind,
                // Hundreds of requests: a long pipeline, with more behind it.
                Poll::Ready(Ok(len)) => is_long = matches!(len, READ_BYTES | PIECE_BYTES),
            }
        }
        Turn::Again
    }

    fn waiting(&self) -> Turn {
        let handshake_us = self.stream.handshake_until_us();
        Turn::Wait {
            until_us: handshake_us.or(self.until_us),
        }
    }

    /// Takes what others left; says whether the connection must end at once.
    fn take_mail(&mut self, now: &mut Now) -> bool {
        let close = self
            .session
            .client
            .mailbox
            .drain(&mut self.output, OUTPUT_BYTES_MAX);
        match close {
            None => false,
            Some(CloseReason::Shutdown) => {
                self.is_closing = true;
                if self.has_requests && self.held == Held::No {
                    self.execute_input(now);
                }
                false
            }
            Some(
                CloseReason::Killed
                | CloseReason::Idle
                | CloseReason::OutboxFull
                | CloseReason::TooMuch,
            ) => true,
        }
    }

    /// Looks whether what holds up the client's requests is over. Whoever serves a wait calls, so
    /// that it is looked for only if the connection `is_called`.
    fn look_at_hold(&mut self, now: Now, is_called: bool) {
        if is_called && self.held == Held::Blocked && self.take_served() {
            return;
        }
        let is_late = self
            .until_us
            .is_some_and(|until_us| until_us <= now.mono_us);
        match self.held {
            Held::NotNow => {
                let is_over = match self.session.postponed {
                    Some(awaited) => self.engine.rest.is_over(awaited),
                    None => is_late || self.engine.paused(now.unix_ms).is_none(),
                };
                if is_over {
                    self.release_hold();
                }
            }
            Held::Blocked if is_late => {
                let was_waiting = self.with_call(now, |call| {
                    command::cancel(call, &call.session.client.clone())
                });
                if was_waiting {
                    if !self.session.is_unheard {
                        self.output.null_array();
                    }
                    self.release_hold();
                } else {
                    self.take_served();
                }
            }
            Held::No | Held::Blocked => {}
        }
    }

    /// Takes the reply to the blocked command, if the wait is over.
    fn take_served(&mut self) -> bool {
        let mut wait = self.session.client.wait.lock();
        if !matches!(*wait, Wait::Served(_)) {
            return false;
        }
        let Wait::Served(mut served) = mem::take(&mut *wait) else {
            return false;
        };
        drop(wait);
        if self.session.is_unheard {
            self.release_hold();
            return true;
        }
        if !served.taken.is_empty() {
            let from_byte = self.sent_bytes + self.output.len() as u64;
            self.in_flight.push(InFlight {
                from_byte,
                taken: served.taken,
            });
        }
        self.output.append(&mut served.reply);
        self.release_hold();
        true
    }

    fn release_hold(&mut self) {
        if self.held == Held::NotNow && self.session.postponed.take().is_none() {
            self.engine.pauses.leave(&self.session.client.mailbox);
            self.engine
                .blocked_clients_len
                .fetch_sub(1, Ordering::Relaxed);
        }
        if self.held == Held::NotNow {
            self.note_held(false);
        }
        self.held = Held::No;
        self.until_us = None;
        self.session.blocked = None;
        self.session.is_unheard = false;
        self.has_requests = !self.input.is_empty();
    }

    /// Executes the requests in `input` as far as they are complete and may run.
    fn execute_input(&mut self, now: &mut Now) {
        let carrier = Carrier::new(mem::take(&mut self.input));
        let bytes = carrier.bytes();
        let consumed = self.execute(bytes, Some(&carrier), now);
        if consumed > 0 {
            self.expect_alike(consumed);
        }
        let client = &self.session.client;
        let left_bytes = bytes.len() - consumed;
        client.query_bytes.store(left_bytes, Ordering::Relaxed);
        // An idle connection owns no buffer, and neither does an empty vector.
        if left_bytes == 0 || consumed >= LARGE_BYTES_MIN {
            self.input = bytes[consumed..].to_vec();
        } else {
            self.input = carrier.into_buffer();
            self.input.drain(..consumed);
        }
    }

    /// Executes the complete requests at the start of `bytes`; returns how many bytes they took.
    fn execute(&mut self, bytes: &[u8], carrier: Option<&Carrier>, now: &mut Now) -> usize {
        let engine = &*self.engine;
        let mut limits = limits_of(engine, &self.session);
        let mut held = engine.keyspace.hold();
        let mut wakes = WakeList::default();
        let (session, output) = (&mut self.session, &mut self.output);
        let mut call = Call::new(
            engine,
            &mut held,
            session,
            output,
            &mut wakes,
            *now,
            self.worker,
        );
        call.carrier = carrier;
        self.has_requests = false;
        let (mut consumed, mut before) = (0, 0);
        let mut commands_len = 0;
        loop {
            if call.reply.len() >= OUTPUT_BYTES_MAX {
                self.has_requests = true;
                break;
            }
            let rest = &bytes[consumed..];
            let before = &bytes[mem::replace(&mut before, consumed)..consumed];
            let (len, bytes_len) = match self.parser.parse_after(before, rest, &limits) {
                Parsed::Incomplete => break,
                Parsed::Empty { consumed } => {
                    self.parser.reset();
                    (0, consumed)
                }
                Parsed::Error(error) => {
                    refuse(&mut call, &error.line());
                    self.is_closing = true;
                    break;
                }
                Parsed::Request { consumed } => {
                    call.come_to(rest, consumed, &self.parser);
                    match command::execute(&mut call, self.parser.args(rest)) {
                        Outcome::Done | Outcome::Block(_) => {}
                        Outcome::Blocked => self.held = Held::Blocked,
                        Outcome::Close => self.is_closing = true,
                        Outcome::Paused | Outcome::Postponed => {
                            self.held = Held::NotNow;
                            self.parser.reset();
                            break;
                        }
                    }
                    follow(&mut limits, &call);
                    call.ahead.taken()
                }
            };
            consumed += bytes_len;
            commands_len += len;
            if self.held != Held::No || self.is_closing {
                break;
            }
        }
        self.is_behind = (1..=HANDED_ON_MAX).contains(&call.wakes.prompted_len());
        command::finish(&mut call);
        command::note_activity(&call, commands_len);
        self.early
            .note_batch(call.ahead.is_cold(), commands_len, consumed);
        *now = call.now;
        drop(held);
        if self.held != Held::No {
            self.set_timer(*now);
        }
        consumed
    }

    /// Shows others whether the client's request is held back.
    fn note_held(&self, is_held: bool) {
        let client = &self.session.client;
        client.is_held.store(is_held, Ordering::Relaxed);
    }

    /// Notes when the wait or pause ends by itself.
    fn set_timer(&mut self, now: Now) {
        if self.held == Held::NotNow {
            self.note_held(true);
        }
        self.until_us = match self.held {
            Held::No => None,
            Held::NotNow if self.session.postponed.is_some() => None,
            Held::NotNow => {
                let mailbox = &self.session.client.mailbox;
                let left_ms = self.engine.pauses.wait(mailbox, now.unix_ms);
                self.engine
                    .blocked_clients_len
                    .fetch_add(1, Ordering::Relaxed);
                Some(now.mono_us.saturating_add(left_ms.saturating_mul(1000)))
            }
            Held::Blocked => self.session.blocked.and_then(|blocked| blocked.deadline_us),
        };
        self.has_requests = false;
    }

    /// Whether more replies wait for the client than may, now that its socket takes no more. Who
    /// is over the limit and not ended here, because it subscribes, is ended by a tick.
    fn is_over_limit(&self) -> bool {
        let limit_bytes = self.engine.config.live().output_limit_normal().hard_bytes;
        let is_over = limit_bytes > 0
            && self.output.len() as u64 > limit_bytes
            && !self.session.is_subscribed();
        if is_over {
            tracing::warn!(
                client = self.session.client.id,
                "it does not read: output buffer limit reached"
            );
        }
        is_over
    }

    fn note_buffers(&self) {
        let client = &self.session.client;
        client
            .output_bytes
            .store(self.output.len(), Ordering::Relaxed);
        client
            .query_bytes
            .store(self.input.len(), Ordering::Relaxed);
    }

    /// Runs something outside a batch of requests.
    fn with_call<R>(&mut self, now: Now, run: impl FnOnce(&mut Call<'_, '_>) -> R) -> R {
        let engine = &*self.engine;
        let mut held = engine.keyspace.hold();
        let mut wakes = WakeList::default();
        let (session, output) = (&mut self.session, &mut self.output);
        let mut call = Call::new(
            engine,
            &mut held,
            session,
            output,
            &mut wakes,
            now,
            self.worker,
        );
        let result = run(&mut call);
        command::finish(&mut call);
        result
    }
}

/// Bounds of a request, which are tighter for who has yet to say who he is.
fn limits_of(engine: &Engine, session: &Session) -> Limits {
    if session.is_authenticated || !engine.asks_who() {
        let bulk_bytes_max = engine.config.live().proto_max_bulk_bytes();
        Limits {
            bulk_bytes_max: usize::try_from(bulk_bytes_max).unwrap_or(usize::MAX),
            ..Limits::default()
        }
    } else {
        Limits::unauthenticated()
    }
}

/// Counts what is no request, and says so where replies are sent.
#[cold]
fn refuse(call: &mut Call<'_, '_>, line: &[u8]) {
    call.stats.protocol_errors.add(1);
    if call.session.wants_replies() {
        call.reply.error(line);
    }
}

/// Has bounds follow a request in which the client may have said who it is, or taken that back.
#[inline]
fn follow(limits: &mut Limits, call: &Call<'_, '_>) {
    if limits.unauthenticated || call.session.is_special {
        *limits = limits_of(call.engine, call.session);
    }
}

impl worker::Connection for Connection {
    fn socket(&self) -> RawFd {
        self.stream.raw_fd()
    }

    #[inline]
    fn read_early(&mut self, ready: &mut Ready) -> bool {
        if !self.early.is_wanted() {
            return false;
        }
        self.stream.note(mem::take(ready));
        // Where its turn would begin with just that.
        self.held == Held::No
            && !self.is_closing
            && self.input.is_empty()
            && self.early.bytes().is_empty()
            && self.output.is_empty()
            && self.stream.is_told_readable()
            && self.early.read(&mut self.stream)
    }

    fn turn(&mut self, ready: Ready, now: &mut Now) -> Turn {
        self.stream.note(ready);
        self.output.borrow_buffer(|| REPLY_BUFFER.take());
        let turn = self.advance(now);
        let client = &self.session.client;
        client.used_us.store(now.mono_us, Ordering::Relaxed);
        client.sent_bytes.store(self.sent_bytes, Ordering::Relaxed);
        if let Some(buffer) = self.output.return_buffer() {
            REPLY_BUFFER.set(buffer);
        }
        turn
    }

    /// Takes the client out of everything; messages that it was to get go back.
    fn close(mut self, now: Now) {
        let in_flight = mem::take(&mut self.in_flight);
        self.stream.part();
        self.release_hold();
        self.with_call(now, |call| {
            let client = Arc::clone(&call.session.client);
            command::cancel(call, &client);
            let mut taken: Vec<TakenFrom> = in_flight
                .into_iter()
                .flat_map(|flight| flight.taken)
                .collect();
            if let Wait::Served(served) = mem::take(&mut *client.wait.lock()) {
                taken.extend(served.taken);
            }
            command::put_back(call, taken);
            command::leave(call);
        });
        self.engine.clients.remove(self.session.client.id);
    }
}
