//! XREADGROUP.

use smallvec::SmallVec;

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::{Args, Reply};
use crate::store::stream::{ConsumerIndex, Entry, GroupMut, StreamId};

use super::bury::{Dead, bury, prepare};
use super::ids::{error_with, parse_id, write_entry, write_fields, write_id};
use super::read::{Opened, Wanted, write_name};
use super::{reply_len, text};

/// Where a group reader wants to read on.
#[derive(Clone, Copy)]
enum From {
    /// `>`: what the group has not delivered.
    New,
    /// The reader's own pending entries past this id.
    History(StreamId),
}

/// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [CLAIM min-idle-time]
/// [NOACK] STREAMS key [key ...] id [id ...]
pub fn xreadgroup(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    let wanted = Wanted::parse(args, true, now_ms)?;
    let (group, _) = wanted.group.unwrap_or_default();
    let ids_at = wanted.keys_at + wanted.keys_len;
    let mut can_bury = true;
    if wanted.claim_ms.is_some() {
        // Before anything is looked at: other shards may have to be held.
        for name in args.from(wanted.keys_at).take(wanted.keys_len) {
            let key = call.key(name);
            let Some(can) = prepare(call, &key) else {
                return Ok(Outcome::Postponed);
            };
            can_bury &= can;
        }
    }
    let mut from: SmallVec<[From; 4]> = SmallVec::new();
    for at in 0..wanted.keys_len {
        let name = args.at(wanted.keys_at + at);
        let key = call.key(name);
        let stream = call.held.shard_of(&key).stream(&key, now_ms);
        let stream = stream.inspect_err(call.stats.hit())?;
        let is_found = stream.is_some();
        let has_group = stream.is_some_and(|stream| stream.group(group).is_some());
        call.looked_up(&key, is_found);
        if !has_group {
            return Err(error_with(NO_GROUP, [name, group]));
        }
        from.push(match args.at(ids_at + at) {
            b">" => From::New,
            b"$" => return Err(text(MEANINGLESS_NEXT)),
            b"+" => return Err(text(MEANINGLESS_LAST)),
            // Redis keeps `>` as the greatest id, and takes the one for the other.
            id => match parse_id(id, 0)? {
                StreamId::MAX => From::New,
                after => From::History(after),
            },
        });
    }
    let opened = Opened::new(call.reply, wanted.keys_len);
    let mut served = 0;
    let mut alarms = Vec::new();
    // This is the second look, and Redis counts both.
    call.stats.hits.add(from.len() as u64);
    for (at, &from) in (wanted.keys_at..).zip(&from) {
        match serve(call, args.at(at), &wanted, from, can_bury) {
            Served::Some => served += 1,
            Served::None { alarm_ms } => alarms.extend(alarm_ms.map(|at_ms| (at, at_ms))),
        }
    }
    if opened.close(call.reply, served) {
        return Ok(Outcome::Done);
    }
    Ok(wanted.wait(call, None, alarms))
}

const NO_GROUP: [&str; 3] = [
    "NOGROUP No such key '",
    "' or consumer group '",
    "' in XREADGROUP with GROUP option",
];
const MEANINGLESS_NEXT: &str = "The $ ID is meaningless in the context of XREADGROUP: you want to \
    read the history of this consumer by specifying a proper ID, or use the > ID to get new \
    messages. The $ ID would just return an empty result set.";
const MEANINGLESS_LAST: &str = "The + ID is meaningless in the context of XREADGROUP: you want to \
    read the history of this consumer by specifying a proper ID, or use the > ID to get new \
    messages. The + ID would just return an empty result set.";

/// What there was in a stream for a reader.
enum Served {
    /// Something was written.
    Some,
    /// Nothing, before this moment on the wall clock if there is one to wait for.
    None { alarm_ms: Option<u64> },
}

/// Serves one stream.
fn serve(
    call: &mut Call<'_, '_>,
    name: &[u8],
    wanted: &Wanted<'_>,
    from: From,
    can_bury: bool,
) -> Served {
    let (group_name, consumer) = wanted.group.unwrap_or_default();
    let key = call.key(name);
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).stream(&key, now_ms).ok().flatten();
    let Some(mut group) = found.and_then(|stream| stream.group_mut(group_name)) else {
        return Served::None { alarm_ms: None };
    };
    if !can_bury {
        group.keep_exhausted();
    }
    let (reader, is_new) = group.consumer(consumer, now_ms);
    let reply = &mut *call.reply;
    let start = reply.mark();
    write_name(reply, name);
    let later = reply.array_later();
    let (is_served, len, dead) = match from {
        From::History(after) => {
            let len = write_history(reply, &mut group, reader, after, wanted, now_ms);
            (true, len, Vec::new())
        }
        From::New => {
            let (len, dead) = deliver(reply, &mut group, reader, wanted, now_ms);
            (len > 0, len, dead)
        }
    };
    let mut outcome = Served::Some;
    if is_served {
        reply.close_array(later, len);
    } else {
        let mut alarm_ms = None;
        reply.truncate_to(start);
        if let (Some(min_idle_ms), Some(_)) = (wanted.claim_ms, wanted.block_ms) {
            let due_ms = group.group().next_due_ms(min_idle_ms);
            let due_ms = due_ms.unwrap_or_else(|| now_ms.saturating_add(min_idle_ms));
            // Not at once again: what is due and was passed over stays so for a while.
            alarm_ms = Some(due_ms.max(now_ms + 1));
        }
        outcome = Served::None { alarm_ms };
    }
    if is_new {
        call.notify(&key, Events::STREAM, "xgroup-createconsumer");
    }
    bury(call, &key, group_name, &dead);
    outcome
}

/// Writes the reader's own pending entries; returns how many.
fn write_history(
    reply: &mut Reply,
    group: &mut GroupMut<'_>,
    reader: ConsumerIndex,
    after: StreamId,
    wanted: &Wanted<'_>,
    now_ms: u64,
) -> usize {
    let mut len = 0;
    let count = wanted.limit() as u64;
    group.read_history(reader, after, count, now_ms, |id, entry| {
        if let Some(entry) = entry {
            write_entry(reply, entry);
        } else {
            reply.array(2);
            write_id(reply, id);
            reply.null_array();
        }
        len += 1;
    });
    len
}

/// Writes what the reader claims of others, and then what the group has not delivered; returns
/// how many entries that were, and those that were delivered too often.
fn deliver(
    reply: &mut Reply,
    group: &mut GroupMut<'_>,
    reader: ConsumerIndex,
    wanted: &Wanted<'_>,
    now_ms: u64,
) -> (usize, Vec<Dead>) {
    let limit = wanted.limit();
    let mut len = 0;
    let Some(min_idle_ms) = wanted.claim_ms else {
        group.read_new(reader, limit as u64, wanted.noack, now_ms, |entry| {
            write_entry(reply, entry);
            len += 1;
        });
        return (len, Vec::new());
    };
    let claimed = group.claim_due(reader, min_idle_ms, limit as u64, now_ms);
    for claimed in &claimed.entries {
        // What was released has been idle since the epoch.
        let idle_ms = claimed.idle_ms.min(now_ms);
        write_claimed(reply, claimed.entry, idle_ms, claimed.deliveries);
        len += 1;
    }
    let left = (limit - len) as u64;
    group.read_new(reader, left, wanted.noack, now_ms, |entry| {
        write_claimed(reply, entry, 0, 0);
        len += 1;
    });
    (len, Dead::of(&claimed.exhausted))
}

/// Writes an entry with how long it had been idle and how often it had been delivered before,
/// as readers get it who claim.
fn write_claimed(reply: &mut Reply, entry: Entry<'_>, idle_ms: u64, deliveries: u64) {
    reply.array(4);
    write_fields(reply, entry);
    reply.integer(reply_len(idle_ms));
    reply.integer(reply_len(deliveries));
}
