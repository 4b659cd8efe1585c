//! BITOP.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::string::{announce_put, put_text};
use crate::config::Events;
use crate::protocol::Args;
use crate::store::{Entry, Key, Text};

use super::read;

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

    /// One byte of the result from those of the sources.
    fn apply(self, mut bytes: impl Iterator<Item = u8>) -> u8 {
        let first = bytes.next().unwrap_or(0);
        match self {
            Self::And => bytes.fold(first, |all, byte| all & byte),
            Self::Or => bytes.fold(first, |all, byte| all | byte),
            Self::Xor => bytes.fold(first, |all, byte| all ^ byte),
            Self::Not => !first,
            Self::Diff => first & !bytes.fold(0, |all, byte| all | byte),
            Self::Diff1 => !first & bytes.fold(0, |all, byte| all | byte),
            Self::AndOr => first & bytes.fold(0, |all, byte| all | byte),
            Self::One => {
                let (once, _) = bytes.fold((first, 0), |(once, more), byte| {
                    let more = more | (once & byte);
                    ((once | byte) & !more, more)
                });
                once
            }
        }
    }
}

/// BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]
pub fn bitop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let names = args.tail(3);
    let operation = Operation::parse(args.at(1), names.len())?;
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        let key = call.key(name);
        sources.push(read(call, &key, |bytes| {
            bytes.unwrap_or_default().to_vec()
        })?);
    }
    let len = sources.iter().map(Vec::len).max().unwrap_or(0);
    let target = call.key(args.at(2));
    if len == 0 {
        if let Some(entry) = remove_live(call, &target) {
            call.let_go(entry.value);
            call.changed(&target, Events::GENERIC, "del");
        }
        call.reply.integer(0);
        return Ok(Outcome::Done);
    }
    let byte_at = |index: usize| {
        let bytes = sources.iter().map(|source| source.get(index).copied());
        operation.apply(bytes.map(Option::unwrap_or_default))
    };
    let result: Vec<u8> = (0..len).map(byte_at).collect();
    // Redis keeps a result as bytes, even one that spells an integer.
    let before = put_text(call, &target, Text::padded(0, &result));
    announce_put(call, &target, before);
    call.reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(Outcome::Done)
}

fn remove_live(call: &mut Call<'_, '_>, key: &Key<'_>) -> Option<Entry> {
    let now_ms = call.now_ms();
    let shard = call.shard(key);
    shard
        .exists(key, now_ms)
        .then(|| shard.remove(key))
        .flatten()
}
