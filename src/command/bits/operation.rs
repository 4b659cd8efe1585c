//! BITOP.

use bytes::Bytes;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::string::{announce_put, bytes_of, put_text};
use crate::config::Events;
use crate::protocol::Args;
use crate::store::{Entry, Key, Text};

/// Bytes of the result that are made at a time: they and what is kept beside them stay in the
/// fastest cache while the sources go over them.
const BLOCK_BYTES: usize = 4 << 10;

/// How the bits of several strings become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// In the first and in none of the others.
    Diff,
    /// In one of the others and not in the first.
    Diff1,
    /// In the first and in one of the others.
    AndOr,
    /// In exactly one.
    One,
}

impl Operation {
    fn parse(word: &[u8], sources_len: usize) -> Result<Self> {
        let word = word.to_ascii_uppercase();
        let operation = match word.as_slice() {
            b"AND" => Self::And,
            b"OR" => Self::Or,
            b"XOR" => Self::Xor,
            b"NOT" => Self::Not,
            b"DIFF" => Self::Diff,
            b"DIFF1" => Self::Diff1,
            b"ANDOR" => Self::AndOr,
            b"ONE" => Self::One,
            _ => return Err(Error::Syntax),
        };
        let needs_two = matches!(operation, Self::Diff | Self::Diff1 | Self::AndOr);
        if operation == Self::Not && sources_len != 1 {
            return Err(Error::text(
                "BITOP NOT must be called with a single source key.",
            ));
        }
        if needs_two && sources_len < 2 {
            let name = String::from_utf8_lossy(&word);
            return Err(Error::text(&format!(
                "BITOP {name} must be called with at least two source keys."
            )));
        }
        Ok(operation)
    }

    /// The bytes that the sources make, as many as the longest has.
    fn combine(self, sources: &[Bytes]) -> Vec<u8> {
        let len = sources.iter().map(Bytes::len).max().unwrap_or(0);
        let mut result = vec![0; len];
        for (block, from) in result
            .chunks_mut(BLOCK_BYTES)
            .zip((0..).step_by(BLOCK_BYTES))
        {
            let until = from + block.len();
            let part = |source| part(source, from, until);
            let mut parts = sources.iter().map(part);
            let first = parts.next().unwrap_or_default();
            block[..first.len()].copy_from_slice(first);
            self.apply(block, parts);
        }
        result
    }

    /// Combines a block that holds what the first source has there with those of the others. They
    /// may be shorter: zeros follow.
    fn apply<'a>(self, block: &mut [u8], others: impl Iterator<Item = &'a [u8]>) {
        match self {
            Self::And => others.for_each(|other| {
                fold(block, other, |all, byte| all & byte);
                block[other.len()..].fill(0);
            }),
            Self::Or => others.for_each(|other| fold(block, other, |all, byte| all | byte)),
            Self::Xor => others.for_each(|other| fold(block, other, |all, byte| all ^ byte)),
            Self::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
            Self::Diff | Self::Diff1 | Self::AndOr => {
                let mut any = [0; BLOCK_BYTES];
                others.for_each(|other| fold(&mut any, other, |any, byte| any | byte));
                let any = &any[..block.len()];
                match self {
                    Self::Diff => fold(block, any, |first, any| first & !any),
                    Self::Diff1 => fold(block, any, |first, any| !first & any),
                    _ => fold(block, any, |first, any| first & any),
                }
            }
            Self::One => {
                let mut more = [0; BLOCK_BYTES];
                for other in others {
                    for ((once, more), &byte) in block.iter_mut().zip(&mut more).zip(other) {
                        *more |= *once & byte;
                        *once = (*once | byte) & !*more;
                    }
                }
            }
        }
    }
}

/// The bytes of a source between two positions, fewer where it ends.
fn part(source: &Bytes, from: usize, until: usize) -> &[u8] {
    source
        .get(from..source.len().min(until))
        .unwrap_or_default()
}

/// Puts into each byte what `combine` makes of it and its counterpart.
fn fold(bytes: &mut [u8], others: &[u8], combine: impl Fn(u8, u8) -> u8) {
    for (byte, &other) in bytes.iter_mut().zip(others) {
        *byte = combine(*byte, other);
    }
}

/// BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]
pub fn bitop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let names = args.tail(3);
    let operation = Operation::parse(args.at(1), names.len())?;
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        sources.push(source(call, name)?);
    }
    let len = sources.iter().map(Bytes::len).max().unwrap_or(0);
    let target = call.key(args.at(2));
    if len == 0 {
        if let Some(entry) = remove_live(call, &target) {
            call.let_go(entry.value);
            call.changed(&target, Events::GENERIC, "del");
        }
        call.reply.integer(0);
        return Ok(Outcome::Done);
    }
    let result = operation.combine(&sources);
    // Redis keeps a result as bytes, even one that spells an integer.
    let before = put_text(call, &target, Text::changed(result));
    announce_put(call, &target, before);
    call.reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(Outcome::Done)
}

/// The string at a key, empty where there is none; the look-up is counted.
fn source(call: &mut Call<'_, '_>, name: &[u8]) -> Result<Bytes> {
    let key = call.key(name);
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).text(&key, now_ms);
    let found = found.map(|text| text.map(bytes_of));
    call.looked_up(&key, found != Ok(None));
    Ok(found?.unwrap_or_default())
}

fn remove_live(call: &mut Call<'_, '_>, key: &Key<'_>) -> Option<Entry> {
    let now_ms = call.now_ms();
    let shard = call.shard(key);
    shard
        .exists(key, now_ms)
        .then(|| shard.remove(key))
        .flatten()
}
