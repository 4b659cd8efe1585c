//! PFADD PFCOUNT PFMERGE: counting distinct elements in little memory.

use crate::flags;
use crate::protocol::Args;
use crate::store::hyperloglog::{self, Registers, Unusable};
use crate::store::{Key, Text, Value};

use super::call::Call;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::spec::{Command, Keys};
use super::string::announce_change;

/// A row of the table: these commands share their group.
macro_rules! counter {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $summary:literal, $handler:path) => {
        Command::new(
            $name,
            $arity,
            $flags,
            $keys,
            "hyperloglog",
            "2.8.9",
            $summary,
            $handler,
        )
    };
}

/// Commands that count distinct elements.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    counter!("pfadd", -2, flags![WRITE, DENYOOM, FAST], Keys::FIRST,
        "Adds elements to a HyperLogLog, which is made where there is none.", pfadd),
    counter!("pfcount", -2, flags![READONLY, MAY_REPLICATE], Keys::ALL,
        "Returns about how many distinct elements were added to HyperLogLogs.", pfcount),
    counter!("pfmerge", -2, flags![WRITE, DENYOOM], Keys::ALL,
        "Merges HyperLogLogs into one.", pfmerge),
];

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        Self::line(match unusable {
            Unusable::Foreign => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            Unusable::Corrupted => "INVALIDOBJ Corrupted HLL object detected",
        })
    }
}

/// The dense string at a key for changing; a sparse one becomes dense. None where there is no key.
fn dense<'c>(call: &'c mut Call<'_, '_>, key: &Key<'_>) -> Result<Option<&'c mut Vec<u8>>> {
    let now_ms = call.now_ms();
    let Some(text) = call.held.shard_of(key).text(key, now_ms)? else {
        return Ok(None);
    };
    if !text.with_bytes(hyperloglog::check)? {
        let mut registers = Registers::default();
        text.with_bytes(|bytes| registers.merge(bytes))?;
        *text = Text::padded(0, &registers.to_dense());
    }
    Ok(Some(text.make_own()))
}

/// PFADD key [element [element ...]]
fn pfadd(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let is_new = dense(call, &key)?.is_none();
    if is_new {
        let text = Text::padded(0, &hyperloglog::new_dense());
        call.shard(&key).insert_new(&key, Value::Text(text), None);
    }
    let mut has_changed = is_new;
    if let Some(bytes) = dense(call, &key)? {
        for element in args.from(2) {
            has_changed |= hyperloglog::add(bytes, element);
        }
    }
    if has_changed {
        announce_change(call, &key, is_new, "pfadd");
    }
    call.reply.integer(i64::from(has_changed));
    Ok(Outcome::Done)
}

/// PFCOUNT key [key ...]
fn pfcount(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    let mut registers = Registers::default();
    for name in args.from(1) {
        let key = call.key(name);
        let found = call.held.shard_of(&key).text(&key, now_ms);
        let kept = match found {
            Ok(Some(text)) => text.with_bytes(|bytes| {
                let kept = hyperloglog::check(bytes).map(|_| hyperloglog::kept_estimate(bytes));
                if args.len() > 2 || kept == Ok(None) {
                    registers.merge(bytes)?;
                }
                kept
            }),
            Ok(None) => {
                call.looked_up(&key, false);
                continue;
            }
            Err(error) => {
                call.looked_up(&key, true);
                return Err(error.into());
            }
        };
        call.looked_up(&key, true);
        if args.len() > 2 {
            kept?;
        } else if let Some(estimate) = kept? {
            call.reply.integer(as_reply(estimate));
            return Ok(Outcome::Done);
        }
    }
    let estimate = registers.estimate();
    if args.len() == 2 {
        let key = call.key(args.at(1));
        let shard = call.held.shard_of(&key);
        if let Some(text) = shard.text(&key, now_ms)? {
            hyperloglog::keep_estimate(text.make_own(), estimate);
            // Nobody is told, but the string is another.
            shard.watched.changed(&key);
        }
    }
    call.reply.integer(as_reply(estimate));
    Ok(Outcome::Done)
}

fn as_reply(estimate: u64) -> i64 {
    i64::try_from(estimate).unwrap_or(i64::MAX)
}

/// PFMERGE destkey [sourcekey [sourcekey ...]]
fn pfmerge(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    let mut registers = Registers::default();
    for name in args.from(1) {
        let key = call.key(name);
        let found = call.held.shard_of(&key).text(&key, now_ms);
        let found = found.inspect_err(call.stats.hit())?;
        let is_found = found.is_some();
        if let Some(text) = found {
            text.with_bytes(|bytes| registers.merge(bytes))?;
        }
        call.looked_up(&key, is_found);
    }
    let target = call.key(args.at(1));
    let merged = Text::padded(0, &registers.to_dense());
    let shard = call.held.shard_of(&target);
    let found = shard.text(&target, now_ms)?;
    let is_new = found.is_none();
    if let Some(text) = found {
        *text = merged;
    } else {
        shard.insert_new(&target, Value::Text(merged), None);
    }
    announce_change(call, &target, is_new, "pfadd");
    call.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn distinct_elements_are_counted() {
        let bench = Bench::new();
        for (command, reply) in [
            ("PFADD a", ":1"),
            ("PFADD a", ":0"),
            ("PFCOUNT a", ":0"),
            ("PFADD a x y z x", ":1"),
            ("PFADD a x", ":0"),
            ("PFCOUNT a", ":3"),
            ("PFADD b z u", ":1"),
            ("PFCOUNT a b nosuch", ":4"),
            ("PFMERGE c a b nosuch", "+OK"),
            ("PFCOUNT c", ":4"),
            ("PFMERGE fresh", "+OK"),
            ("PFCOUNT fresh", ":0"),
            ("TYPE c", "+string"),
            ("SET text hello", "+OK"),
            (
                "PFADD text x",
                "-WRONGTYPE Key is not a valid HyperLogLog string value.",
            ),
            (
                "PFCOUNT a text",
                "-WRONGTYPE Key is not a valid HyperLogLog string value.",
            ),
        ] {
            assert_eq!(bench.run(command), reply, "{command}");
        }
    }

    #[test]
    fn a_new_estimate_is_a_change_to_watchers() {
        let bench = Bench::new();
        let mut watcher = bench.client();
        for (is_stale, reply) in [(true, "*-1"), (false, "*1 +PONG")] {
            if is_stale {
                bench.run("PFADD k a");
            }
            bench.play(&mut watcher, "WATCH k");
            bench.run("PFCOUNT k");
            bench.play(&mut watcher, "MULTI");
            bench.play(&mut watcher, "PING");
            assert_eq!(bench.play(&mut watcher, "EXEC"), reply);
        }
    }
}
