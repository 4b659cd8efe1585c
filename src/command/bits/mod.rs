//! Commands on the bits of strings.
//!
//! Bits count from the most significant of the first byte. `bit` reads and sets one, `count` counts
//! and finds them, `operation` combines strings, `field` treats ranges of bits as integers.

mod bit;
mod count;
mod field;
mod operation;
#[cfg(test)]
mod tests;

use crate::flags;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::Key;

use super::call::Call;
use super::error::Error;
use super::outcome::Result;
use super::spec::{Command, Keys};

/// A row of the table: these commands share their group.
macro_rules! bits {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $since:literal, $summary:literal, $handler:path) => {
        Command::new(
            $name, $arity, $flags, $keys, "bitmap", $since, $summary, $handler,
        )
    };
}

/// BITOP's keys stand behind the operation.
const BEHIND_OPERATION: Keys = Keys::Range {
    first: 2,
    last: -1,
    step: 1,
};

/// Commands on bits.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    bits!("setbit", 4, flags![WRITE, DENYOOM], Keys::FIRST, "2.2.0",
        "Sets or clears a bit of a string, which is made where there is none.", bit::setbit),
    bits!("getbit", 3, flags![READONLY, FAST], Keys::FIRST, "2.2.0",
        "Returns a bit of a string.", bit::getbit),
    bits!("bitcount", -2, flags![READONLY], Keys::FIRST, "2.6.0",
        "Counts the bits that are set in a string.", count::bitcount),
    bits!("bitpos", -3, flags![READONLY], Keys::FIRST, "2.8.7",
        "Finds the first bit of a string that is set or clear.", count::bitpos),
    bits!("bitop", -4, flags![WRITE, DENYOOM], BEHIND_OPERATION, "2.6.0",
        "Combines strings bit by bit and stores the result.", operation::bitop),
    bits!("bitfield", -2, flags![WRITE, DENYOOM], Keys::FIRST, "3.2.0",
        "Reads and changes integers of any width in a string.", field::bitfield),
    bits!("bitfield_ro", -2, flags![READONLY, FAST], Keys::FIRST, "6.0.0",
        "Reads integers of any width in a string.", field::bitfield_ro),
];

/// The position of a bit: below eight times the longest string.
fn parse_offset(call: &Call<'_, '_>, argument: &[u8]) -> Result<u64> {
    let bytes_max = call.engine.config.live().proto_max_bulk_bytes();
    parse_i64(argument)
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| offset >> 3 < bytes_max)
        .ok_or_else(|| Error::text("bit offset is not an integer or out of range"))
}

/// Gives the bytes of the string at a key, none where there is no key, to `look`; counts the
/// look-up.
fn read<R>(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    look: impl FnOnce(Option<&[u8]>) -> R,
) -> Result<R> {
    let now_ms = call.now_ms();
    let found = call.held.shard_of(key).text(key, now_ms).map(|text| {
        let is_found = text.is_some();
        let result = match text {
            Some(text) => text.with_bytes(|bytes| look(Some(bytes))),
            None => look(None),
        };
        (is_found, result)
    });
    call.looked_up(key, !matches!(found, Ok((false, _))));
    Ok(found.map(|(_, result)| result)?)
}

/// A range of bits or bytes as arguments give it, in the bits of a string of `bytes_len`: the
/// first bit and the one behind the last. Positions may count from the end.
fn bit_range(start: i64, end: i64, in_bits: bool, bytes_len: usize) -> Option<(u64, u64)> {
    let unit_bits = if in_bits { 1 } else { 8 };
    let len = i64::try_from(bytes_len as u64 * 8 / unit_bits).ok()?;
    let from_end = |position: i64| {
        if position < 0 {
            position.saturating_add(len).max(0)
        } else {
            position
        }
    };
    let (first, last) = (from_end(start), from_end(end).min(len - 1));
    if first > last {
        return None;
    }
    let first = u64::try_from(first).ok()?;
    let behind = u64::try_from(last).ok()? + 1;
    Some((first * unit_bits, behind * unit_bits))
}

/// Whether the argument at `at` says BIT; BYTE and nothing do not.
fn parse_unit(args: Args<'_>, at: usize) -> Result<bool> {
    match args.get(at) {
        None => Ok(false),
        Some(word) if word.eq_ignore_ascii_case(b"bit") => Ok(true),
        Some(word) if word.eq_ignore_ascii_case(b"byte") => Ok(false),
        Some(_) => Err(Error::Syntax),
    }
}
