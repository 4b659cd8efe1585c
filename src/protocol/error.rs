//! What can be wrong with the framing of a request.
//!
//! Bad framing cannot be skipped over, so each of these is answered once and then the connection
//! closes. Bad arguments are not this room's business.

use std::fmt;

/// A request that breaks the protocol; the connection sends [`ProtocolError::line`] and closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProtocolError {
    /// An inline line longer than the limit.
    InlineTooBig,
    /// The line after `*` is longer than any number.
    CountTooBig,
    /// The line after `$` is longer than any number.
    LengthTooBig,
    /// The argument count is no number, or past the limit.
    InvalidCount,
    /// The argument length is no number, negative, or past the limit.
    InvalidLength,
    /// Another byte where the `$` of an argument is due.
    ExpectedDollar(u8),
    /// An inline line whose quotes do not close, or close in the middle of a word.
    UnbalancedQuotes,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedCount,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedLength,
}

impl ProtocolError {
    /// The error line as [`Reply::error`](super::Reply::error) takes it: without the leading `-`
    /// and the line end. Bytes, because an unexpected byte is repeated as it came.
    pub fn line(self) -> Vec<u8> {
        let mut line = b"ERR Protocol error: ".to_vec();
        match self {
            Self::ExpectedDollar(got) => {
                line.extend_from_slice(b"expected '$', got '");
                line.push(got);
                line.push(b'\'');
            }
            other => line.extend_from_slice(other.reason().as_bytes()),
        }
        line
    }

    fn reason(self) -> &'static str {
        match self {
            Self::InlineTooBig => "too big inline request",
            Self::CountTooBig => "too big mbulk count string",
            Self::LengthTooBig => "too big bulk count string",
            Self::InvalidCount => "invalid multibulk length",
            Self::InvalidLength => "invalid bulk length",
            Self::ExpectedDollar(_) => "expected '$'",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::UnauthenticatedCount => "unauthenticated multibulk length",
            Self::UnauthenticatedLength => "unauthenticated bulk length",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protocol error: {}", self.reason())?;
        match self {
            Self::ExpectedDollar(got) => write!(f, ", got '{}'", got.escape_ascii()),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}
