//! Commands on streams.
//!
//! `add` and `trim` change the log, `range` reads it, `delete` takes entries out by name; `read`
//! and `read_group` may wait. `group` makes and changes groups, `pending` and `claim` work on what
//! groups have delivered, `bury` puts away what was delivered too often, `info` shows,
//! `idempotence` knows producers again. `ids` reads ids and writes entries.

mod add;
mod bury;
mod claim;
mod delete;
mod group;
mod idempotence;
mod ids;
mod info;
mod pending;
mod range;
mod read;
mod read_group;
#[cfg(test)]
mod tests;
mod trim;

use crate::flags;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

pub(super) use add::add_entry;
pub(super) use bury::dead_letter_shards;
pub(super) use read::reader_of;

use super::error::Error;
use super::outcome::Result;
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
    stream!("xadd", -5, flags![WRITE, DENYOOM, FAST, RUNS_ON], Keys::FIRST, "5.0.0",
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
    stream!("xidmprecord", 5, flags![WRITE, DENYOOM, FAST], Keys::FIRST, "8.8.0",
        "Has a stream know a message again by its producer's ID for it.", idempotence::xidmprecord),
    stream!("xread", -4, flags![READONLY, BLOCKING, MOVABLE_KEYS], Keys::Found(read::find_keys), "5.0.0",
        "Returns messages from streams past the IDs given, waiting until there are any.", read::xread),
    stream!("xreadgroup", -7, flags![WRITE, BLOCKING, MOVABLE_KEYS], Keys::Found(read::find_keys), "5.0.0",
        "Returns new or pending messages for a consumer of a group, waiting until there are any.", read_group::xreadgroup),
    stream!("xack", -4, flags![WRITE, FAST, RUNS_ON], Keys::FIRST, "5.0.0",
        "Returns the number of messages that were successfully acknowledged by the consumer group member of a stream.", pending::xack),
    stream!("xnack", -7, flags![WRITE, FAST], Keys::FIRST, "8.8.0",
        "Gives pending messages back to the group, to be claimed at once.", pending::xnack),
    stream!("xpending", -3, flags![READONLY], Keys::FIRST, "5.0.0",
        "Returns what a group has delivered and not seen acknowledged.", pending::xpending),
    stream!("xclaim", -6, flags![WRITE, FAST], Keys::FIRST, "5.0.0",
        "Gives pending messages to another consumer of the group, by ID.", claim::xclaim),
    stream!("xautoclaim", -6, flags![WRITE, FAST], Keys::FIRST, "6.2.0",
        "Gives messages that have been pending for long to another consumer of the group.", claim::xautoclaim),
    stream!("xdelex", -5, flags![WRITE, FAST], Keys::FIRST, "8.2.0",
        "Deletes messages, and says of each what became of it.", delete::xdelex),
    stream!("xackdel", -6, flags![WRITE, FAST], Keys::FIRST, "8.2.0",
        "Acknowledges and deletes messages, and says of each what became of it.", delete::xackdel),
    Command {
        subcommands: GROUP,
        ..stream!("xgroup", -2, flags![], Keys::None, "5.0.0",
            "A container for consumer groups commands.", group::xgroup)
    },
    Command {
        subcommands: INFO,
        ..stream!("xinfo", -2, flags![], Keys::None, "5.0.0",
            "A container for stream introspection commands.", info::xinfo)
    },
];

/// XGROUP's subcommands.
#[rustfmt::skip]
const GROUP: &[Command] = &[
    stream!("create", -5, flags![WRITE, DENYOOM], SECOND, "5.0.0",
        "Creates a consumer group.", group::create),
    stream!("setid", -5, flags![WRITE], SECOND, "5.0.0",
        "Sets the last-delivered ID of a consumer group.", group::setid),
    stream!("destroy", 4, flags![WRITE], SECOND, "5.0.0",
        "Destroys a consumer group.", group::destroy),
    stream!("createconsumer", 5, flags![WRITE, DENYOOM], SECOND, "6.2.0",
        "Creates a consumer in a consumer group.", group::createconsumer),
    stream!("delconsumer", 5, flags![WRITE], SECOND, "5.0.0",
        "Deletes a consumer from a consumer group.", group::delconsumer),
    stream!("help", 2, flags![LOADING, STALE], Keys::None, "5.0.0",
        "Returns helpful text about the different subcommands.", super::help::help),
];

/// XINFO's subcommands.
#[rustfmt::skip]
const INFO: &[Command] = &[
    stream!("stream", -3, flags![READONLY], SECOND, "5.0.0",
        "Returns information about a stream.", info::stream),
    stream!("groups", 3, flags![READONLY], SECOND, "5.0.0",
        "Returns a list of the consumer groups of a stream.", info::groups),
    stream!("consumers", 4, flags![READONLY], SECOND, "5.0.0",
        "Returns a list of the consumers in a consumer group.", info::consumers),
    stream!("help", 2, flags![LOADING, STALE], Keys::None, "5.0.0",
        "Returns helpful text about the different subcommands.", super::help::help),
];

/// One key behind the subcommand.
const SECOND: Keys = Keys::Range {
    first: 2,
    last: 2,
    step: 1,
};

/// The ids that IDS announces at `at`: where they stand and how many they are; `None` where
/// another word stands.
fn parse_id_block(args: Args<'_>, at: usize) -> Result<Option<(usize, usize)>> {
    let more = args.len() - 1 - at;
    if more < 1 || !args.at(at).eq_ignore_ascii_case(b"ids") {
        return Ok(None);
    }
    let len = parse_i64(args.at(at + 1)).filter(|&len| len > 0);
    let len = len.ok_or_else(|| text("Number of IDs must be a positive integer"))?;
    let ids_at = at + 2;
    let len = usize::try_from(len)
        .ok()
        .filter(|&len| len <= args.len() - ids_at)
        .ok_or_else(|| text("The `numids` parameter must match the number of arguments"))?;
    Ok(Some((ids_at, len)))
}

/// A general error of this text.
fn text(text: &'static str) -> Error {
    Error::text(text)
}

/// A count as a reply.
fn reply_len(len: u64) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
