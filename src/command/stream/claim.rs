//! XCLAIM XAUTOCLAIM.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};
use crate::store::stream::{AutoclaimOptions, ClaimOptions, Claimed, StreamId};

use super::bury::{Dead, bury, prepare};
use super::ids::{Ids, error_with, no_group, parse_id, parse_start, write_entry, write_id};
use super::text;

/// Greatest COUNT of XAUTOCLAIM, as in Redis.
const COUNT_MAX: i64 = i64::MAX / 16;
/// Entries that XAUTOCLAIM claims where nothing is said.
const COUNT_DEFAULT: u64 = 100;

/// XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds]
/// [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]
pub fn xclaim(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let Some(can_bury) = prepare(call, &key) else {
        return Ok(Outcome::Postponed);
    };
    let stream = call.held.shard_of(&key).stream(&key, now_ms);
    let stream = stream.inspect_err(call.stats.hit())?;
    let is_found = stream.is_some();
    let Some(mut group) = stream.and_then(|stream| stream.group_mut(args.at(2))) else {
        call.looked_up(&key, is_found);
        return Err(no_group(args.at(1), args.at(2)));
    };
    call.stats.hits.add(1);
    if !can_bury {
        group.keep_exhausted();
    }
    let wanted = Wanted::parse(args, now_ms)?;
    if let Some(last_id) = wanted.last_id {
        group.raise_last_id(last_id);
    }
    let (taker, is_new) = group.consumer(args.at(3), now_ms);
    let claimed = group.claim(taker, &wanted.ids, wanted.options, now_ms);
    write_claimed(call.reply, &claimed, wanted.options.just_id);
    let dead = Dead::of(&claimed.exhausted);
    if wanted.options.delivered_ms < now_ms && !claimed.entries.is_empty() {
        // Who waits to claim what is due may have it now.
        call.shard(&key).mark_ready(&key);
    }
    if is_new {
        call.notify(&key, Events::STREAM, "xgroup-createconsumer");
    }
    bury(call, &key, args.at(2), &dead);
    Ok(Outcome::Done)
}

/// The arguments of XCLAIM.
struct Wanted {
    ids: Ids,
    options: ClaimOptions,
    last_id: Option<StreamId>,
}

impl Wanted {
    fn parse(args: Args<'_>, now_ms: u64) -> Result<Self> {
        let min_idle_ms = parse_i64(args.at(4))
            .ok_or_else(|| text("Invalid min-idle-time argument for XCLAIM"))?;
        let ids: Ids = args
            .from(5)
            .map_while(|argument| StreamId::parse(argument, 0))
            .collect();
        let mut options = ClaimOptions {
            min_idle_ms: u64::try_from(min_idle_ms).unwrap_or(0),
            delivered_ms: now_ms,
            deliveries: None,
            force: false,
            just_id: false,
        };
        let mut last_id = None;
        let mut rest = args.from(5 + ids.len());
        while let Some(option) = rest.next() {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"force") {
                options.force = true;
                continue;
            }
            if is(b"justid") {
                options.just_id = true;
                continue;
            }
            let known = is(b"idle") || is(b"time") || is(b"retrycount") || is(b"lastid");
            let Some(value) = rest.next().filter(|_| known) else {
                let pieces = ["ERR Unrecognized XCLAIM option '", "", "'"];
                return Err(error_with(pieces, [option, b""]));
            };
            if is(b"idle") {
                let idle_ms = parse_i64(value)
                    .ok_or_else(|| text("Invalid IDLE option argument for XCLAIM"))?;
                options.delivered_ms = past(now_ms.cast_signed().wrapping_sub(idle_ms), now_ms);
            } else if is(b"time") {
                let time_ms = parse_i64(value)
                    .ok_or_else(|| text("Invalid TIME option argument for XCLAIM"))?;
                options.delivered_ms = past(time_ms, now_ms);
            } else if is(b"retrycount") {
                let count = parse_i64(value)
                    .ok_or_else(|| text("Invalid RETRYCOUNT option argument for XCLAIM"))?;
                options.deliveries = u64::try_from(count).ok();
            } else {
                last_id = Some(parse_id(value, 0)?);
            }
        }
        Ok(Self {
            ids,
            options,
            last_id,
        })
    }
}

/// A moment that a client made up: the present where it is none of the past.
fn past(moment_ms: i64, now_ms: u64) -> u64 {
    u64::try_from(moment_ms).map_or(now_ms, |moment_ms| {
        if moment_ms > now_ms {
            now_ms
        } else {
            moment_ms
        }
    })
}

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
pub fn xautoclaim(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let parsed = parse_autoclaim(args);
    if parsed.is_err() {
        // The look comes before the arguments.
        let is_found = call.shard(&key).exists(&key, now_ms);
        call.looked_up(&key, is_found);
    }
    let (start, options) = parsed?;
    let Some(can_bury) = prepare(call, &key) else {
        return Ok(Outcome::Postponed);
    };
    let stream = call.held.shard_of(&key).stream(&key, now_ms);
    let stream = stream.inspect_err(call.stats.hit())?;
    let is_found = stream.is_some();
    let Some(mut group) = stream.and_then(|stream| stream.group_mut(args.at(2))) else {
        call.looked_up(&key, is_found);
        return Err(no_group(args.at(1), args.at(2)));
    };
    call.stats.hits.add(1);
    if !can_bury {
        group.keep_exhausted();
    }
    let (taker, is_new) = group.consumer(args.at(3), now_ms);
    let claimed = group.autoclaim(taker, start, options, now_ms);
    call.reply.array(3);
    write_id(call.reply, claimed.cursor);
    write_claimed(call.reply, &claimed, options.just_id);
    call.reply.array(claimed.deleted.len());
    for &id in &claimed.deleted {
        write_id(call.reply, id);
    }
    let dead = Dead::of(&claimed.exhausted);
    if is_new {
        call.notify(&key, Events::STREAM, "xgroup-createconsumer");
    }
    bury(call, &key, args.at(2), &dead);
    Ok(Outcome::Done)
}

/// Where XAUTOCLAIM is to start, and its options.
fn parse_autoclaim(args: Args<'_>) -> Result<(StreamId, AutoclaimOptions)> {
    let min_idle_ms = parse_i64(args.at(4))
        .ok_or_else(|| text("Invalid min-idle-time argument for XAUTOCLAIM"))?;
    let start = parse_start(args.at(5))?;
    let mut options = AutoclaimOptions {
        count: COUNT_DEFAULT,
        min_idle_ms: u64::try_from(min_idle_ms).unwrap_or(0),
        just_id: false,
    };
    let mut rest = args.from(6);
    while let Some(option) = rest.next() {
        if option.eq_ignore_ascii_case(b"justid") {
            options.just_id = true;
            continue;
        }
        let value = rest
            .next()
            .filter(|_| option.eq_ignore_ascii_case(b"count"));
        options.count = parse_i64(value.ok_or(Error::Syntax)?)
            .filter(|count| (1..=COUNT_MAX).contains(count))
            .ok_or_else(|| text("COUNT must be > 0"))?
            .unsigned_abs();
    }
    Ok((start, options))
}

/// Writes what was claimed, or its ids only.
fn write_claimed(reply: &mut Reply, claimed: &Claimed<'_>, just_id: bool) {
    reply.array(claimed.entries.len());
    for claimed in &claimed.entries {
        if just_id {
            write_id(reply, claimed.entry.id);
        } else {
            write_entry(reply, claimed.entry);
        }
    }
}
