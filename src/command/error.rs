//! Errors as clients see them: one enum, turned into Redis's exact lines in one place.

use std::borrow::Cow;

use crate::protocol::c_string;
use crate::store::WrongType;

/// Why a command was refused. Clients match on these texts, so they are Redis's to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The key holds another type.
    WrongType,
    /// Options that make no sense together or are unknown.
    Syntax,
    /// An argument or value that should be a 64-bit integer.
    NotInteger,
    /// An argument or value that should be a float.
    NotFloat,
    /// The key must exist.
    NoSuchKey,
    /// An index past the end of a list.
    IndexOutOfRange,
    /// A value outside what the command takes.
    OutOfRange,
    /// A wrong number of arguments for the named command.
    Arity(Cow<'static, str>),
    /// A whole line with its code, as it goes on the wire without the dash.
    Line(Cow<'static, str>),
    /// A whole line that repeats bytes of the request.
    Bytes(Vec<u8>),
}

impl Error {
    /// A line with the general code: `ERR text`.
    pub fn text(text: &str) -> Self {
        Self::Line(Cow::Owned(format!("ERR {text}")))
    }

    /// A constant line with its code.
    pub const fn line(line: &'static str) -> Self {
        Self::Line(Cow::Borrowed(line))
    }

    /// A subcommand with arguments that it does not take.
    pub fn subcommand(container: &str, subcommand: &[u8]) -> Self {
        let head = b"ERR unknown subcommand or wrong number of arguments for '";
        let tail = format!("'. Try {container} HELP.");
        Self::Bytes([&head[..], shown(subcommand), tail.as_bytes()].concat())
    }

    /// The line as it goes on the wire, without the dash and the line end.
    pub fn as_line(&self) -> Cow<'_, [u8]> {
        let constant: &'static str = match self {
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::Syntax => "ERR syntax error",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotFloat => "ERR value is not a valid float",
            Self::NoSuchKey => "ERR no such key",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::OutOfRange => "ERR value is out of range",
            Self::Arity(name) => {
                let line = format!("ERR wrong number of arguments for '{name}' command");
                return Cow::Owned(line.into_bytes());
            }
            Self::Line(line) => return Cow::Borrowed(line.as_bytes()),
            Self::Bytes(line) => return Cow::Borrowed(line),
        };
        Cow::Borrowed(constant.as_bytes())
    }
}

/// What everybody hears while a script is over its time.
pub(super) const BUSY: Error = Error::line(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);

/// Most bytes of an unknown command that an error repeats, as in Redis. Most other errors repeat
/// all of an argument.
pub(super) const SHOWN_BYTES_MAX: usize = 128;

/// The part of a command's name that an error repeats.
pub(super) fn shown(name: &[u8]) -> &[u8] {
    c_string(&name[..name.len().min(SHOWN_BYTES_MAX)])
}

impl From<WrongType> for Error {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}
