//! Ids in arguments, and entries in replies.

use smallvec::SmallVec;

use crate::command::error::Error;
use crate::command::outcome::Result;
use crate::protocol::{Reply, c_string};
use crate::store::stream::{Entry, StreamId};

/// Ids of one request.
pub(super) type Ids = SmallVec<[StreamId; 8]>;

/// What is no id.
pub(super) const INVALID_ID: Error =
    Error::line("ERR Invalid stream ID specified as stream command argument");

/// A plain id; a missing sequence number is `seq_missing`.
#[inline]
pub(super) fn parse_id(argument: &[u8], seq_missing: u64) -> Result<StreamId> {
    StreamId::parse(argument, seq_missing).ok_or(INVALID_ID)
}

/// A plain id, or `-` and `+` for the ends of all ids.
pub(super) fn parse_id_or_end(argument: &[u8], seq_missing: u64) -> Result<StreamId> {
    match argument {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => parse_id(argument, seq_missing),
    }
}

/// All of these arguments as ids.
pub(super) fn parse_ids<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Result<Ids> {
    arguments.map(|argument| parse_id(argument, 0)).collect()
}

/// The lower end of an interval, which `(` excludes.
pub(super) fn parse_start(argument: &[u8]) -> Result<StreamId> {
    match argument {
        [b'(', id @ ..] if !id.is_empty() => parse_id(id, 0)?
            .next()
            .ok_or(Error::line("ERR invalid start ID for the interval")),
        _ => parse_id_or_end(argument, 0),
    }
}

/// The upper end of an interval, which `(` excludes.
pub(super) fn parse_end(argument: &[u8]) -> Result<StreamId> {
    match argument {
        [b'(', id @ ..] if !id.is_empty() => parse_id(id, u64::MAX)?
            .prev()
            .ok_or(Error::line("ERR invalid end ID for the interval")),
        _ => parse_id_or_end(argument, u64::MAX),
    }
}

/// Writes an id.
#[inline]
pub(super) fn write_id(reply: &mut Reply, id: StreamId) {
    let mut buffer = [0; StreamId::TEXT_BYTES_MAX];
    reply.bulk(id.write(&mut buffer));
}

/// Writes an entry: its id, then its fields and values.
#[inline]
pub(super) fn write_entry(reply: &mut Reply, entry: Entry<'_>) {
    reply.array(2);
    write_fields(reply, entry);
}

/// Writes the id, and the fields and values of an entry as an array: two replies.
#[inline]
pub(super) fn write_fields(reply: &mut Reply, entry: Entry<'_>) {
    write_id(reply, entry.id);
    reply.array(entry.fields.len() * 2);
    for (name, value) in entry.fields {
        reply.bulk(name);
        reply.bulk(value);
    }
}

/// Writes entries as an array, which is empty where there is none.
pub(super) fn write_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) {
    let later = reply.array_later();
    let mut len = 0;
    for entry in entries {
        write_entry(reply, entry);
        len += 1;
    }
    reply.close_array(later, len);
}

/// An error line that repeats two arguments, with text before, between and behind them.
pub(super) fn error_with(pieces: [&str; 3], arguments: [&[u8]; 2]) -> Error {
    let [before, between, behind] = pieces.map(str::as_bytes);
    let [first, second] = arguments.map(c_string);
    Error::Bytes([before, first, between, second, behind].concat())
}

/// What commands on a group that does not exist answer.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> Error {
    let pieces = ["NOGROUP No such key '", "' or consumer group '", "'"];
    error_with(pieces, [key, group])
}

/// What XGROUP and XINFO answer when the group does not exist.
pub(super) fn no_group_for_key(key: &[u8], group: &[u8]) -> Error {
    let pieces = ["NOGROUP No such consumer group '", "' for key name '", "'"];
    error_with(pieces, [group, key])
}
