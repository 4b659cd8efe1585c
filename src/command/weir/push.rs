//! WEIR.PUSH: messages with a time to live, a delay, or an id that comes once.

use std::sync::Arc;

use crate::command::bounds;
use crate::command::call::{Call, keep};
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::{Delayed, End, Key};

/// What stands before the messages.
#[derive(Debug)]
struct Options<'a> {
    end: End,
    ttl_ms: Option<u64>,
    delay_ms: Option<u64>,
    id: Option<&'a [u8]>,
    /// Position of the first message.
    first: usize,
}

impl<'a> Options<'a> {
    /// Reads options, each once, up to the first word that is none, or up to `--`.
    fn parse(args: Args<'a>) -> Result<Self> {
        let mut options = Self {
            end: End::Back,
            ttl_ms: None,
            delay_ms: None,
            id: None,
            first: 2,
        };
        let mut has_end = false;
        while let Some(word) = args.get(options.first) {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if !has_end && (is("left") || is("right")) {
                options.end = if is("left") { End::Front } else { End::Back };
                has_end = true;
                options.first += 1;
                continue;
            }
            let value = args.get(options.first + 1);
            if options.ttl_ms.is_none() && is("ttl") {
                options.ttl_ms = Some(milliseconds(value)?);
            } else if options.delay_ms.is_none() && is("delay") {
                options.delay_ms = Some(milliseconds(value)?);
            } else if options.id.is_none() && is("id") {
                options.id = Some(value.ok_or(Error::Syntax)?);
            } else {
                options.first += usize::from(word == b"--");
                break;
            }
            options.first += 2;
        }
        if options.first >= args.len() {
            return Err(Error::Syntax);
        }
        Ok(options)
    }
}

fn milliseconds(argument: Option<&[u8]>) -> Result<u64> {
    let number = parse_i64(argument.ok_or(Error::Syntax)?).ok_or(Error::NotInteger)?;
    u64::try_from(number)
        .ok()
        .filter(|&ms| ms > 0)
        .ok_or(Error::OutOfRange)
}

/// WEIR.PUSH key [LEFT|RIGHT] [TTL ms] [DELAY ms] [ID dedup-id] [--] message [message ...]
pub(super) fn push(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let options = Options::parse(args)?;
    let key = call.key(args.at(1));
    let (now_ms, tick) = (call.now_ms(), call.tick());
    call.shard(&key).queue(&key, now_ms)?;
    let id = options.id.map(|id| id_of(call, &key, id));
    if let Some(id) = id
        && call.shard(&key).knows_id(id, tick)
    {
        call.reply.null();
        return Ok(Outcome::Done);
    }
    let outcome = match options.delay_ms {
        Some(delay_ms) => delay(call, &key, args, &options, delay_ms)?,
        None => push_now(call, &key, args, &options)?,
    };
    if let Some(id) = id {
        call.shard(&key).remember_id(id, tick);
    }
    Ok(outcome)
}

fn delay(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    args: Args<'_>,
    options: &Options<'_>,
    delay_ms: u64,
) -> Result {
    let now_ms = call.now_ms();
    // Not a moment too early: what is left of a millisecond counts as one.
    let due_us = call
        .now
        .mono_us
        .saturating_add(delay_ms.saturating_mul(1000));
    let due = due_us.div_ceil(1000);
    call.engine.early.call_at(call.worker, Some(due));
    let name: Arc<[u8]> = key.name.into();
    for message in args.from(options.first) {
        call.shard(key).delay(
            due,
            Delayed {
                db: key.db,
                hash: key.hash,
                name: Arc::clone(&name),
                end: options.end,
                message: message.into(),
                ttl_ms: options.ttl_ms,
            },
        );
    }
    let queue = call.shard(key).queue(key, now_ms)?;
    let len = queue.map_or(0, |queue| queue.len());
    call.reply.integer(i64::try_from(len).unwrap_or(i64::MAX));
    Ok(Outcome::Done)
}

fn push_now(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    args: Args<'_>,
    options: &Options<'_>,
) -> Result {
    let (now_ms, tick) = (call.now_ms(), call.tick());
    let ends_at = options.ttl_ms.map(|ttl_ms| tick.saturating_add(ttl_ms));
    let shard = call.held.shard_of(key);
    let mut slot = shard.slot_or_new(key, now_ms)?;
    let pushed = if slot.queue.governed().is_some() {
        bounds::push(call, key, args, options.first, options.end, ends_at)?
    } else {
        let (is_new, before) = (slot.queue.is_empty(), slot.queue.came());
        for message in args.from(options.first) {
            let keep = |message: &[u8]| keep(call.carrier, message);
            slot.queue.push_kept(options.end, message, tick, keep);
        }
        slot.note_came(before);
        if let Some(ends_at) = ends_at {
            slot.queue.set_ttls(args.from(options.first), tick, ends_at);
        }
        let len = slot.queue.len();
        bounds::PushedTo { is_new, len }
    };
    if ends_at.is_some() {
        bounds::schedule(call, key);
    }
    let event = match options.end {
        End::Front => "lpush",
        End::Back => "rpush",
    };
    Ok(bounds::reply_pushed(call, key, pushed, event))
}

/// An id as its shard knows it: of this queue, and too wide to meet another by chance.
fn id_of(call: &Call<'_, '_>, key: &Key<'_>, id: &[u8]) -> u128 {
    let len = key.name.len().to_le_bytes();
    let named = [&[key.db][..], &len, key.name, id].concat();
    let again = [&[0xff], &named[..]].concat();
    let keyspace = &call.engine.keyspace;
    let (high, low) = (keyspace.key(0, &named).hash, keyspace.key(0, &again).hash);
    u128::from(high) << 64 | u128::from(low)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::command::testing::Bench;
    use crate::store::ShardSet;

    #[test]
    fn delayed_messages_share_the_name_of_their_queue() {
        let bench = Bench::new();
        bench.run("WEIR.PUSH q DELAY 10 a b c");
        let keyspace = &bench.engine.keyspace;
        let shard = keyspace.shard_of(&keyspace.key(0, b"q"));
        let mut held = keyspace.hold();
        held.need(ShardSet::one(shard));
        let ripe = held.shard(shard).take_ripe(u64::MAX, 3);
        assert_eq!(ripe.len(), 3);
        assert!(ripe.iter().all(|late| Arc::strong_count(&late.name) == 3));
    }
}
