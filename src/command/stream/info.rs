//! XINFO.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};
use crate::store::Key;
use crate::store::stream::{Consumer, ConsumerIndex, Group, Stream, StreamId};

use super::ids::{no_group_for_key, write_entries, write_entry, write_id};
use super::pending::owner_name;
use super::reply_len;

/// Entries of each list that XINFO STREAM FULL shows where nothing is said.
const COUNT_DEFAULT: usize = 10;

/// XINFO with no subcommand that exists
pub fn xinfo(_call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    Err(Error::subcommand("XINFO", args.get(1).unwrap_or_default()))
}

/// Shows the stream at a key, with the reply to write to.
fn show(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    write: impl FnOnce(&mut Reply, &Stream) -> Result<()>,
) -> Result {
    let now_ms = call.now_ms();
    let found = call.held.shard_of(key).stream(key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_found = found.is_some();
    let result = match found {
        Some(stream) => write(call.reply, stream),
        None => Err(Error::NoSuchKey),
    };
    call.looked_up(key, is_found);
    result.map(|()| Outcome::Done)
}

/// XINFO STREAM key [FULL [COUNT count]]
pub fn stream(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(2));
    show(call, &key, |reply, stream| {
        let options = args.tail(3);
        if options.is_empty() {
            reply.map(10 + producers_pairs(stream));
            write_head(reply, stream);
            write_ends(reply, stream);
            return Ok(());
        }
        let wrong = || Error::subcommand("XINFO", args.at(1));
        let is_known = options.at(0).eq_ignore_ascii_case(b"full")
            && options
                .get(1)
                .is_none_or(|option| option.eq_ignore_ascii_case(b"count"));
        if !is_known || options.len() == 2 || options.len() > 3 {
            return Err(wrong());
        }
        let count = match options.get(2) {
            None => COUNT_DEFAULT,
            Some(count) => match parse_i64(count).ok_or(Error::NotInteger)? {
                0 => usize::MAX,
                count => usize::try_from(count).unwrap_or(COUNT_DEFAULT),
            },
        };
        reply.map(9 + producers_pairs(stream));
        write_head(reply, stream);
        reply.bulk_str("entries");
        let all = stream.log().range(StreamId::MIN, StreamId::MAX);
        write_entries(reply, all.take(count));
        reply.bulk_str("groups");
        reply.array(stream.groups().len());
        for group in stream.groups() {
            write_group(reply, stream, group, count);
        }
        Ok(())
    })
}

/// What both forms of XINFO STREAM begin with: seven pairs, and those about producers.
fn write_head(reply: &mut Reply, stream: &Stream) {
    let log = stream.log();
    for (name, value) in [
        ("length", log.len()),
        ("radix-tree-keys", log.segments() as u64),
        ("radix-tree-nodes", log.radix_nodes()),
    ] {
        reply.bulk_str(name);
        reply.integer(reply_len(value));
    }
    for (name, id) in [
        ("last-generated-id", log.last_id()),
        ("max-deleted-entry-id", log.max_deleted_id()),
    ] {
        reply.bulk_str(name);
        write_id(reply, id);
    }
    reply.bulk_str("entries-added");
    reply.integer(reply_len(log.entries_added()));
    reply.bulk_str("recorded-first-entry-id");
    write_id(reply, log.first_id());
    if let Some(known) = stream.idempotence() {
        let limits = known.limits();
        for (name, value) in [
            ("idmp-duration", limits.duration_ms / 1000),
            ("idmp-maxsize", limits.len_max as u64),
            ("pids-tracked", known.producers() as u64),
            ("iids-tracked", known.marks() as u64),
            ("iids-added", known.added()),
            ("iids-duplicates", known.duplicates()),
        ] {
            reply.bulk_str(name);
            reply.integer(reply_len(value));
        }
    }
}

/// Pairs about producers. Redis shows them always since 8.6; here a stream shows them once a
/// producer or XCFGSET asked for what they are about, and answers as 8.2 before.
fn producers_pairs(stream: &Stream) -> usize {
    if stream.idempotence().is_some() { 6 } else { 0 }
}

/// The number of groups, the first and the last entry: three pairs.
fn write_ends(reply: &mut Reply, stream: &Stream) {
    reply.bulk_str("groups");
    reply.integer(reply_len(stream.groups().len() as u64));
    let log = stream.log();
    for (name, entry) in [
        (
            "first-entry",
            log.range(StreamId::MIN, StreamId::MAX).next(),
        ),
        (
            "last-entry",
            log.range_rev(StreamId::MIN, StreamId::MAX).next(),
        ),
    ] {
        reply.bulk_str(name);
        match entry {
            Some(entry) => write_entry(reply, entry),
            None => reply.null(),
        }
    }
}

/// How far a group has read: three pairs.
fn write_progress(reply: &mut Reply, stream: &Stream, group: &Group) {
    reply.bulk_str("last-delivered-id");
    write_id(reply, group.last_id());
    reply.bulk_str("entries-read");
    match group.entries_read() {
        Some(read) => reply.integer(reply_len(read)),
        None => reply.null(),
    }
    reply.bulk_str("lag");
    match group.lag(stream.log()) {
        Some(lag) => reply.integer(lag),
        None => reply.null(),
    }
}

/// A group in XINFO STREAM FULL, with up to `count` entries of each list.
fn write_group(reply: &mut Reply, stream: &Stream, group: &Group, count: usize) {
    // Likewise shown by Redis since 8.8, and here once there are any.
    let released = group.released();
    reply.map(7 + usize::from(released > 0));
    reply.bulk_str("name");
    reply.bulk(group.name());
    write_progress(reply, stream, group);
    reply.bulk_str("pel-count");
    reply.integer(reply_len(group.pending()));
    if released > 0 {
        reply.bulk_str("nacked-count");
        reply.integer(reply_len(released));
    }
    reply.bulk_str("pending");
    let later = reply.array_later();
    let mut len = 0;
    for pending in group.pending_entries().take(count) {
        reply.array(4);
        write_id(reply, pending.id);
        reply.bulk(owner_name(group, &pending));
        reply.integer(reply_len(pending.delivered_ms));
        reply.integer(reply_len(pending.deliveries));
        len += 1;
    }
    reply.close_array(later, len);
    reply.bulk_str("consumers");
    reply.array(group.consumers_len());
    for (index, consumer) in group.consumers() {
        write_consumer(reply, group, index, consumer, count);
    }
}

fn write_consumer(
    reply: &mut Reply,
    group: &Group,
    index: ConsumerIndex,
    consumer: &Consumer,
    count: usize,
) {
    reply.map(5);
    reply.bulk_str("name");
    reply.bulk(consumer.name());
    reply.bulk_str("seen-time");
    reply.integer(reply_len(consumer.seen_ms));
    reply.bulk_str("active-time");
    reply.integer(consumer.active_ms.map_or(-1, reply_len));
    reply.bulk_str("pel-count");
    reply.integer(reply_len(consumer.pending()));
    reply.bulk_str("pending");
    let later = reply.array_later();
    let mut len = 0;
    for pending in group.consumer_pending(index).take(count) {
        reply.array(3);
        write_id(reply, pending.id);
        reply.integer(reply_len(pending.delivered_ms));
        reply.integer(reply_len(pending.deliveries));
        len += 1;
    }
    reply.close_array(later, len);
}

/// XINFO GROUPS key
pub fn groups(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(2));
    show(call, &key, |reply, stream| {
        reply.array(stream.groups().len());
        for group in stream.groups() {
            reply.map(6);
            reply.bulk_str("name");
            reply.bulk(group.name());
            reply.bulk_str("consumers");
            reply.integer(reply_len(group.consumers_len() as u64));
            reply.bulk_str("pending");
            reply.integer(reply_len(group.pending()));
            write_progress(reply, stream, group);
        }
        Ok(())
    })
}

/// XINFO CONSUMERS key group
pub fn consumers(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(2));
    let now_ms = call.now_ms();
    show(call, &key, |reply, stream| {
        let group = stream.group(args.at(3));
        let group = group.ok_or_else(|| no_group_for_key(args.at(2), args.at(3)))?;
        reply.array(group.consumers_len());
        for (_, consumer) in group.consumers() {
            reply.map(4);
            reply.bulk_str("name");
            reply.bulk(consumer.name());
            reply.bulk_str("pending");
            reply.integer(reply_len(consumer.pending()));
            reply.bulk_str("idle");
            reply.integer(reply_len(now_ms.saturating_sub(consumer.seen_ms)));
            reply.bulk_str("inactive");
            let inactive_ms = |active_ms| reply_len(now_ms.saturating_sub(active_ms));
            reply.integer(consumer.active_ms.map_or(-1, inactive_ms));
        }
        Ok(())
    })
}
