//! Splits what a client sent into requests, without copying.
//!
//! A request is an array of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or an inline line. The
//! parser is handed the read buffer again and again as it grows and remembers where it stopped, so
//! the cost is linear in the bytes received however they are cut. Nothing is reserved for what a
//! header claims: a request holds memory for the arguments that arrived.
//!
//! The leniencies are those of Redis 8.2: a header ends at its first CR whatever byte follows, the
//! two bytes after an argument are not looked at, and a NUL byte hides the end of its line, so that
//! such a line grows until it is refused as too big. One difference: whether a line is too long
//! depends on its length alone here, and in Redis also on how it was cut into reads.

use std::mem;

use super::args::{Args, Span};
use super::error::ProtocolError;
use super::inline::{self, Words};
use super::number;
use crate::limits;

/// Spans kept for the next request; a request with more gives its memory back. Covers batches of
/// thousands of pushes without letting an idle connection hold more than 64 KiB.
const SPANS_KEPT_MAX: usize = 4096;
/// Bytes kept for the words of the next inline line with quotes.
const SCRATCH_KEPT_MAX: usize = 4096;
/// What [`Parser::wants`] says at most when little has arrived yet.
const WANTS_BYTES_MIN: usize = 64 << 10;

/// Bounds that a request is held to while it arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest argument, in bytes.
    pub bulk_bytes_max: usize,
    /// Most arguments, the command's name included.
    pub arguments_max: usize,
    /// Longest line: an inline request, or a header.
    pub inline_bytes_max: usize,
    /// Whether the bounds are those of a client that has yet to authenticate, which has its own
    /// error lines.
    pub unauthenticated: bool,
}

impl Default for Limits {
    /// The bounds of `limits.rs`.
    fn default() -> Self {
        Self {
            bulk_bytes_max: limits::BULK_BYTES_MAX,
            arguments_max: limits::ARGUMENTS_MAX,
            inline_bytes_max: limits::INLINE_BYTES_MAX,
            unauthenticated: false,
        }
    }
}

impl Limits {
    /// The bounds for a client that must authenticate first: room for AUTH and HELLO, and no way
    /// to make the server hold much.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self {
            bulk_bytes_max: 16 << 10,
            arguments_max: 10,
            unauthenticated: true,
            ..Self::default()
        }
    }
}

/// What [`Parser::parse`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Parsed {
    /// The request goes on past the end of the buffer: read more and call again.
    Incomplete,
    /// A request without arguments (`*0`, a blank line): skip `consumed` bytes, reply nothing.
    Empty {
        /// Bytes of the buffer that it took.
        consumed: usize,
    },
    /// A request: take its arguments with [`Parser::args`], then skip `consumed` bytes.
    Request {
        /// Bytes of the buffer that it took.
        consumed: usize,
    },
    /// The stream makes no sense from here on: say so and close.
    Error(ProtocolError),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    /// Before the first byte of a request.
    #[default]
    Start,
    /// In the `*` header.
    Count,
    /// In the `$` header of an argument.
    Length,
    /// In an argument of this many bytes.
    Argument(usize),
    /// In an inline line.
    Line,
}

/// Incremental parser of one connection's requests.
#[derive(Debug, Default)]
pub struct Parser {
    stage: Stage,
    /// Whether the last request's spans point into `scratch` instead of the read buffer.
    in_scratch: bool,
    /// First byte of the buffer not yet understood.
    position: usize,
    /// Where the search for the end of the line at `position` goes on.
    scanned: usize,
    /// Length of the buffer at the last call, for `wants`.
    seen: usize,
    /// Arguments still due.
    remaining: usize,
    spans: Vec<Span>,
    /// Bytes up to the third argument of the request that `spans` describe, and 0 where it has
    /// fewer than two or came in pieces.
    head_bytes: usize,
    /// Whether they are those of the request before it.
    has_repeated: bool,
    /// Words of an inline line with quotes.
    scratch: Vec<u8>,
    /// Bytes and items looked at, for the tests of linear cost.
    #[cfg(test)]
    steps: usize,
}

impl Parser {
    /// Looks for one request in `buf`, which starts at the first byte of the request in progress
    /// and between calls only grows (it may move) until a request, an empty one or an error came.
    ///
    /// Costs about 5 ns per short argument; linear in the bytes over all calls together.
    #[inline]
    pub fn parse(&mut self, buf: &[u8], limits: &Limits) -> Parsed {
        self.parse_after(&[], buf, limits)
    }

    /// The same for a request that follows `before`: the bytes of the one that the last call found,
    /// if they are still at hand, or nothing. Whoever pipelines mostly repeats a command and a key,
    /// and to see that is cheaper than to read them again.
    #[inline]
    pub fn parse_after(&mut self, before: &[u8], buf: &[u8], limits: &Limits) -> Parsed {
        if self.stage == Stage::Start {
            if let Some(consumed) = self.whole(before, buf, limits) {
                return Parsed::Request { consumed };
            }
            if buf.is_empty() {
                return Parsed::Incomplete;
            }
            self.start(buf);
        }
        let parsed = self.go_on(buf, limits);
        match parsed {
            Ok(parsed) => parsed,
            Err(error) => Parsed::Error(error),
        }
    }

    /// The arguments of the request that [`Parser::parse`] just found; `buf` is the buffer it was
    /// found in. Valid until the next call of `parse`.
    #[inline]
    pub fn args<'a>(&'a self, buf: &'a [u8]) -> Args<'a> {
        let bytes = if self.in_scratch { &self.scratch } else { buf };
        Args::new(bytes, &self.spans)
    }

    /// Bytes of that request up to its third argument, if they are known: they name its command and
    /// mostly its key. 0 if not.
    #[inline]
    pub fn head_bytes(&self) -> usize {
        self.head_bytes
    }

    /// Whether those bytes are the same as in the request before it, which was at hand: it names
    /// the same command and key, with as many arguments.
    #[inline]
    pub fn has_repeated(&self) -> bool {
        self.has_repeated
    }

    /// Forgets the request in progress.
    pub fn reset(&mut self) {
        self.stage = Stage::Start;
        self.spans.clear();
        self.head_bytes = 0;
    }

    /// At least how many bytes are missing after `Incomplete`, for sizing the next read.
    ///
    /// Never more than has arrived already, or 64 KiB if that is more: a client must send half of
    /// what it makes the server reserve.
    pub fn wants(&self) -> usize {
        let missing = match self.stage {
            Stage::Argument(length) => (self.position + length + 2).saturating_sub(self.seen),
            _ => 1,
        };
        missing.clamp(1, self.seen.max(WANTS_BYTES_MIN))
    }

    /// Whether the request in progress goes on past so many bytes, as far as its headers tell: then
    /// looking at them is vain. O(1).
    pub fn goes_on_past(&mut self, seen: usize) -> bool {
        let Stage::Argument(length) = self.stage else {
            return false;
        };
        self.seen = seen;
        seen < self.position + length + 2
    }

    /// Bytes of the last argument of the request that was found last.
    pub fn last_argument_bytes(&self) -> usize {
        self.spans.last().map_or(0, |span| span.end - span.start)
    }

    /// The bytes of a request that is all there, with short headers and nothing wrong with it, as
    /// nearly all are. `None` says nothing but that the slow way must look at it, which starts
    /// again at its first byte: that happens once per request.
    #[inline]
    fn whole(&mut self, before: &[u8], buf: &[u8], limits: &Limits) -> Option<usize> {
        if *buf.first()? != b'*' || self.is_swollen() {
            return None;
        }
        let head_bytes = mem::take(&mut self.head_bytes);
        self.has_repeated = repeats(head_bytes, before, buf);
        let (count, mut position) = if self.has_repeated {
            let count = self.spans.len();
            self.spans.truncate(2);
            (count, head_bytes)
        } else {
            self.spans.clear();
            short_header(buf, 0)?
        };
        if count == 0 || count > limits.arguments_max {
            return None;
        }
        for _ in self.spans.len()..count {
            self.step(1);
            let (length, start) = short_header(buf, position)?;
            if buf[position] != b'$' || length > limits.bulk_bytes_max {
                return None;
            }
            let end = start + length;
            position = end + 2;
            if position > buf.len() {
                return None;
            }
            self.spans.push(Span { start, end });
        }
        self.in_scratch = false;
        self.head_bytes = self.spans.get(1).map_or(0, |second| second.end + 2);
        Some(position)
    }

    /// Counts work, so that the tests can hold it against the bytes received.
    #[cfg(test)]
    fn step(&mut self, count: usize) {
        self.steps += count;
    }

    #[cfg(not(test))]
    #[inline]
    #[allow(clippy::unused_self, reason = "counts in tests only")]
    fn step(&mut self, _: usize) {}

    #[inline]
    fn start(&mut self, buf: &[u8]) {
        self.spans.clear();
        self.head_bytes = 0;
        self.has_repeated = false;
        if self.is_swollen() {
            self.shrink();
        }
        self.in_scratch = false;
        self.position = 0;
        self.scanned = 0;
        self.stage = if buf[0] == b'*' {
            Stage::Count
        } else {
            Stage::Line
        };
    }

    #[inline]
    fn is_swollen(&self) -> bool {
        self.spans.capacity() > SPANS_KEPT_MAX || self.scratch.capacity() > SCRATCH_KEPT_MAX
    }

    #[cold]
    fn shrink(&mut self) {
        self.spans.shrink_to(SPANS_KEPT_MAX);
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_KEPT_MAX);
    }

    #[inline]
    fn go_on(&mut self, buf: &[u8], limits: &Limits) -> Result<Parsed, ProtocolError> {
        match self.stage {
            Stage::Line => return self.line(buf, limits),
            Stage::Count => match self.count(buf, limits)? {
                None => return Ok(Parsed::Incomplete),
                Some(0) => return Ok(self.finish_empty(self.position)),
                Some(count) => {
                    self.remaining = count;
                    self.stage = Stage::Length;
                }
            },
            Stage::Start | Stage::Length | Stage::Argument(_) => {}
        }
        self.arguments(buf, limits)
    }

    /// Reads arguments until none is due or the buffer ends.
    #[inline]
    fn arguments(&mut self, buf: &[u8], limits: &Limits) -> Result<Parsed, ProtocolError> {
        loop {
            self.step(1);
            let length = if let Stage::Argument(length) = self.stage {
                length
            } else {
                let Some(length) = self.length(buf, limits)? else {
                    return Ok(Parsed::Incomplete);
                };
                length
            };
            let start = self.position;
            let end = start + length;
            if buf.len() < end + 2 {
                self.stage = Stage::Argument(length);
                self.seen = buf.len();
                return Ok(Parsed::Incomplete);
            }
            self.spans.push(Span { start, end });
            self.position = end + 2;
            self.scanned = self.position;
            self.remaining -= 1;
            if self.remaining == 0 {
                self.stage = Stage::Start;
                return Ok(Parsed::Request {
                    consumed: self.position,
                });
            }
            self.stage = Stage::Length;
        }
    }

    /// Reads the `*` header; `Some(0)` for every count that is not positive.
    #[inline]
    fn count(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        if let Some((count, next)) = short_header(buf, self.position)
            && count <= limits.arguments_max
        {
            self.position = next;
            self.scanned = next;
            return Ok(Some(count));
        }
        let Some(end) = self.header_end(buf, limits, ProtocolError::CountTooBig)? else {
            return Ok(None);
        };
        let count = number::parse_i64(&buf[self.position + 1..end])
            .filter(|&count| count <= i64::from(i32::MAX))
            .ok_or(ProtocolError::InvalidCount)?;
        let count = usize::try_from(count).unwrap_or(0);
        if count > limits.arguments_max {
            return Err(if limits.unauthenticated {
                ProtocolError::UnauthenticatedCount
            } else {
                ProtocolError::InvalidCount
            });
        }
        self.position = end + 2;
        self.scanned = self.position;
        Ok(Some(count))
    }

    /// Reads the `$` header of the next argument.
    #[inline]
    fn length(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        if let Some((length, next)) = short_header(buf, self.position)
            && buf[self.position] == b'$'
            && length <= limits.bulk_bytes_max
        {
            self.position = next;
            return Ok(Some(length));
        }
        self.long_length(buf, limits)
    }

    fn long_length(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = self.header_end(buf, limits, ProtocolError::LengthTooBig)? else {
            return Ok(None);
        };
        let marker = buf[self.position];
        if marker != b'$' {
            return Err(ProtocolError::ExpectedDollar(marker));
        }
        let length = number::parse_i64(&buf[self.position + 1..end])
            .and_then(|length| usize::try_from(length).ok())
            .ok_or(ProtocolError::InvalidLength)?;
        if length > limits.bulk_bytes_max {
            return Err(
                if limits.unauthenticated && length <= limits::BULK_BYTES_MAX {
                    ProtocolError::UnauthenticatedLength
                } else {
                    ProtocolError::InvalidLength
                },
            );
        }
        self.position = end + 2;
        Ok(Some(length))
    }

    /// Finds the CR of the header at `position`; nothing before it and one byte after it arrived.
    fn header_end(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let end = self.line_end(b'\r', buf, limits, too_big)?;
        Ok(end.filter(|end| end + 1 < buf.len()))
    }

    /// Finds the byte that ends the line at `position`, unless a NUL hides it.
    fn line_end(
        &mut self,
        ending: u8,
        buf: &[u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        self.seen = buf.len();
        let from = self.scanned;
        let found = memchr::memchr2(ending, 0, &buf[from..]).map(|offset| from + offset);
        self.scanned = found.unwrap_or(buf.len());
        self.step(1 + self.scanned - from);
        let end = found.filter(|&at| buf[at] == ending);
        if end.unwrap_or(buf.len()) - self.position > limits.inline_bytes_max {
            return Err(too_big);
        }
        Ok(end)
    }

    fn line(&mut self, buf: &[u8], limits: &Limits) -> Result<Parsed, ProtocolError> {
        let Some(end) = self.line_end(b'\n', buf, limits, ProtocolError::InlineTooBig)? else {
            return Ok(Parsed::Incomplete);
        };
        let line = &buf[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let words = inline::split(line, &mut self.scratch, &mut self.spans)?;
        let consumed = end + 1;
        if self.spans.is_empty() {
            return Ok(self.finish_empty(consumed));
        }
        self.in_scratch = words == Words::InScratch;
        self.stage = Stage::Start;
        Ok(Parsed::Request { consumed })
    }

    fn finish_empty(&mut self, consumed: usize) -> Parsed {
        self.stage = Stage::Start;
        Parsed::Empty { consumed }
    }
}

/// Whether `buf` begins with the first two arguments of `before`, which take so many bytes.
#[inline]
fn repeats(head_bytes: usize, before: &[u8], buf: &[u8]) -> bool {
    let head = before.get(..head_bytes);
    head_bytes > 0 && head.is_some_and(|head| buf.starts_with(head))
}

/// Reads a header of one to three digits at `position` whatever its first byte: the number and
/// where the next item starts. `None` says nothing but that the slow way must look at it.
#[inline]
pub(super) fn short_header(buf: &[u8], position: usize) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    match *buf.get(position..)? {
        [_, a, b'\r', _, ..] if digit(a) < 10 => Some((digit(a), position + 4)),
        [_, a @ b'1'..=b'9', b, b'\r', _, ..] if digit(b) < 10 => {
            Some((digit(a) * 10 + digit(b), position + 5))
        }
        [_, a @ b'1'..=b'9', b, c, b'\r', _, ..] if digit(b) < 10 && digit(c) < 10 => {
            Some((digit(a) * 100 + digit(b) * 10 + digit(c), position + 6))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
