//! Commands on keys of any type.
//!
//! `del` removes and asks, `replace` is how commands store what they made, `scan` walks all keys, `rename` moves values between keys and databases,
//! `expire` sets deadlines and `ttl` reads them, `object` shows how values are kept, `wait` answers
//! for the replicas that there are none of, `dump` for the values that nobody serializes.

mod del;
mod dump;
mod expire;
mod object;
mod rename;
mod replace;
mod scan;
#[cfg(test)]
mod tests;
mod ttl;
mod wait;

pub(super) use object::encoding_of;
pub(super) use replace::replace;

use crate::flags;
use crate::protocol::number::parse_i64;

use super::call::Call;
use super::error::Error;
use super::outcome::Result;
use super::spec::{Command, Keys};

/// A row of the table: these commands share their group.
macro_rules! generic {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name, $arity, $flags, $keys, "generic", $since, $summary, $handler,
        )
    };
}

/// The key of a subcommand.
const SECOND: Keys = Keys::Range {
    first: 2,
    last: 2,
    step: 1,
};

/// Commands on keys of any type.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    generic!("del", -2, flags![WRITE], Keys::ALL, "1.0.0",
        "Deletes one or more keys.", del::del),
    generic!("unlink", -2, flags![WRITE, FAST], Keys::ALL, "4.0.0",
        "Asynchronously deletes one or more keys.", del::del),
    generic!("exists", -2, flags![READONLY, FAST], Keys::ALL, "1.0.0",
        "Determines whether one or more keys exist.", del::exists),
    generic!("type", 2, flags![READONLY, FAST], Keys::FIRST, "1.0.0",
        "Determines the type of value stored at a key.", del::kind),
    generic!("touch", -2, flags![READONLY, FAST], Keys::ALL, "3.2.1",
        "Returns the number of existing keys out of those specified after updating the time they were last accessed.", del::touch),
    generic!("keys", 2, flags![READONLY, WALKS_KEYS], Keys::None, "1.0.0",
        "Returns all key names that match a pattern.", scan::keys),
    generic!("scan", -2, flags![READONLY, WALKS_KEYS], Keys::None, "2.8.0",
        "Iterates over the key names in the database.", scan::scan),
    generic!("randomkey", 1, flags![READONLY, WALKS_KEYS], Keys::None, "1.0.0",
        "Returns a random key name from the database.", scan::randomkey),
    generic!("rename", 3, flags![WRITE], Keys::FIRST_TWO, "1.0.0",
        "Renames a key and overwrites the destination.", rename::rename),
    generic!("renamenx", 3, flags![WRITE, FAST], Keys::FIRST_TWO, "1.0.0",
        "Renames a key only when the target key name doesn't exist.", rename::renamenx),
    generic!("copy", -3, flags![WRITE, DENYOOM], Keys::FIRST_TWO, "6.2.0",
        "Copies the value of a key to a new key.", rename::copy),
    generic!("move", 3, flags![WRITE, FAST], Keys::FIRST, "1.0.0",
        "Moves a key to another database.", rename::move_key),
    generic!("expire", -3, flags![WRITE, FAST], Keys::FIRST, "1.0.0",
        "Sets the expiration time of a key in seconds.", expire::expire),
    generic!("expireat", -3, flags![WRITE, FAST], Keys::FIRST, "1.2.0",
        "Sets the expiration time of a key to a Unix timestamp.", expire::expireat),
    generic!("pexpire", -3, flags![WRITE, FAST], Keys::FIRST, "2.6.0",
        "Sets the expiration time of a key in milliseconds.", expire::pexpire),
    generic!("pexpireat", -3, flags![WRITE, FAST], Keys::FIRST, "2.6.0",
        "Sets the expiration time of a key to a Unix milliseconds timestamp.", expire::pexpireat),
    generic!("persist", 2, flags![WRITE, FAST], Keys::FIRST, "2.2.0",
        "Removes the expiration time of a key.", expire::persist),
    generic!("ttl", 2, flags![READONLY, FAST], Keys::FIRST, "1.0.0",
        "Returns the expiration time in seconds of a key.", ttl::ttl),
    generic!("pttl", 2, flags![READONLY, FAST], Keys::FIRST, "2.6.0",
        "Returns the expiration time in milliseconds of a key.", ttl::pttl),
    generic!("expiretime", 2, flags![READONLY, FAST], Keys::FIRST, "7.0.0",
        "Returns the expiration time of a key as a Unix timestamp.", ttl::expiretime),
    generic!("pexpiretime", 2, flags![READONLY, FAST], Keys::FIRST, "7.0.0",
        "Returns the expiration time of a key as a Unix milliseconds timestamp.", ttl::pexpiretime),
    Command {
        subcommands: &[
            generic!("encoding", 3, flags![READONLY], SECOND, "2.2.3",
                "Returns the internal encoding of a value.", object::encoding),
            generic!("freq", 3, flags![READONLY], SECOND, "4.0.0",
                "Returns the logarithmic access frequency counter of a value.", object::freq),
            generic!("idletime", 3, flags![READONLY], SECOND, "2.2.3",
                "Returns the time since the last access to a value.", object::idletime),
            generic!("refcount", 3, flags![READONLY], SECOND, "2.2.3",
                "Returns the reference count of a value of a key.", object::refcount),
            generic!("help", 2, flags![LOADING, STALE], Keys::None, "6.2.0",
                "Returns helpful text about the different subcommands.", object::help),
        ],
        ..generic!("object", -2, flags![], Keys::None, "2.2.3",
            "A container for object introspection commands.", object::object)
    },
    generic!("wait", 3, flags![BLOCKING], Keys::None, "3.0.0",
        "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.", wait::wait),
    generic!("waitaof", 4, flags![BLOCKING], Keys::None, "7.2.0",
        "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.", wait::waitaof),
    generic!("dump", 2, flags![READONLY], Keys::FIRST, "2.6.0",
        "Returns a serialized representation of the value stored at a key.", dump::dump),
    generic!("restore", -4, flags![WRITE, DENYOOM], Keys::FIRST, "2.6.0",
        "Creates a key from the serialized representation of a value.", dump::restore),
];

/// A database argument of MOVE and COPY.
fn parse_db(call: &Call<'_, '_>, argument: &[u8]) -> Result<u8> {
    let index = parse_i64(argument).ok_or(Error::NotInteger)?;
    if i32::try_from(index).is_err() {
        return Err(Error::line(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    u8::try_from(index)
        .ok()
        .filter(|&db| usize::from(db) < call.engine.config.settings().databases)
        .ok_or(Error::line("ERR DB index is out of range"))
}
