//! Commands on streams.
//!
//! `add` and `trim` change the log, `range` reads it, `delete` takes entries out by name; `read`
//! is XREAD and XREADGROUP, which may wait; `group` makes and changes groups, `pending` and
//! `claim` work on what groups have delivered, `info` shows, `idempotence` knows producers again.
//! `ids` reads ids and writes entries.

mod add;
mod delete;
mod idempotence;
mod ids;
mod range;
mod read;
mod trim;

use crate::flags;

use super::error::Error;
use super::spec::{Command, Keys};

/// A row of the table: all stream commands share their group.
macro_rules! stream {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name, $arity, $flags, $keys, "stream", $since, $summary, $handler,
        )
    };
}

/// Commands on streams.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    stream!("xadd", -5, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "5.0.0",
        "Appends a new message to a stream. Creates the key if it doesn't exist.", add::xadd),
    stream!("xlen", 2, flags![READONLY, FAST], Keys::FIRST, "5.0.0",
        "Return the number of messages in a stream.", range::xlen),
    stream!("xrange", -4, flags![READONLY], Keys::FIRST, "5.0.0",
        "Returns the messages from a stream within a range of IDs.", range::xrange),
    stream!("xrevrange", -4, flags![READONLY], Keys::FIRST, "5.0.0",
        "Returns the messages from a stream within a range of IDs in reverse order.", range::xrevrange),
    stream!("xdel", -3, flags![WRITE, FAST], Keys::FIRST, "5.0.0",
        "Returns the number of messages after removing them from a stream.", delete::xdel),
    stream!("xtrim", -4, flags![WRITE], Keys::FIRST, "5.0.0",
        "Deletes messages from the beginning of a stream.", trim::xtrim),
    stream!("xsetid", -3, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "5.0.0",
        "Sets the last ID of a stream, and what it knows of its past.", add::xsetid),
    stream!("xcfgset", -2, flags![WRITE, FAST], Keys::FIRST, "8.6.0",
        "Sets how long and how many messages of its producers a stream knows again.", idempotence::xcfgset),
    stream!("xread", -4, flags![READONLY, BLOCKING, MOVABLE_KEYS], Keys::Found(read::find_keys), "5.0.0",
        "Returns messages from streams past the IDs given, waiting until there are any.", read::xread),
];

/// A general error of this text.
fn text(text: &'static str) -> Error {
    Error::text(text)
}

/// A count as a reply.
fn reply_len(len: u64) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
