//! XACK XNACK XPENDING.

use crate::command::ahead::Ahead;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::metrics::WorkerStats;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};
use crate::store::stream::{Group, GroupMut, NackMode, Pending, PendingQuery, Stream};

use super::ids::{
    Ids, error_with, no_group, parse_end, parse_id, parse_ids, parse_start, write_id,
};
use super::{reply_len, text};

/// XACK key group id [id ...]
pub fn xack(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let stream = call.held.shard_of(&key).stream(&key, now_ms);
    let stream = stream.inspect_err(call.stats.hit())?;
    let is_found = stream.is_some();
    let Some(mut group) = stream.and_then(|stream| stream.group_mut(args.at(2))) else {
        call.looked_up(&key, is_found);
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    call.stats.hits.add(1);
    let acknowledged = if args.len() == 4 {
        u64::from(group.ack(parse_id(args.at(3), 0)?))
    } else {
        // All or nothing: a bad id leaves the others pending.
        let ids = parse_ids(args.from(3))?;
        ids.iter().filter(|&&id| group.ack(id)).count() as u64
    };
    call.reply.integer(reply_len(acknowledged));
    if args.len() == 4 {
        ack_following(
            &mut group,
            args.at(2),
            &mut call.ahead,
            call.reply,
            call.stats,
        );
    }
    Ok(Outcome::Done)
}

/// Acknowledges the entries of the requests that follow, in the same group.
#[inline]
fn ack_following(
    group: &mut GroupMut<'_>,
    name: &[u8],
    ahead: &mut Ahead<'_>,
    reply: &mut Reply,
    stats: &WorkerStats,
) {
    let in_group = |[group, id]: [_; 2]| parse_id(id, 0).ok().filter(|_| group == name);
    while let Some(id) = ahead.take(reply, in_group) {
        stats.hits.add(1);
        reply.integer(i64::from(group.ack(id)));
    }
}

/// XNACK key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]
pub fn xnack(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let stream = call.held.shard_of(&key).stream(&key, now_ms)?;
    let group = stream.and_then(|stream| stream.group_mut(args.at(2)));
    let mut group = group.ok_or_else(|| no_group(args.at(1), args.at(2)))?;
    let wanted = Nack::parse(args)?;
    let released = wanted
        .ids
        .iter()
        .filter(|&&id| group.nack(id, wanted.mode, wanted.force))
        .count() as u64;
    if released > 0 {
        // Who waits to claim what is due may have it now.
        call.shard(&key).mark_ready(&key);
    }
    call.reply.integer(reply_len(released));
    Ok(Outcome::Done)
}

/// The arguments of XNACK.
struct Nack {
    mode: NackMode,
    force: bool,
    ids: Ids,
}

impl Nack {
    fn parse(args: Args<'_>) -> Result<Self> {
        let mut mode = match () {
            () if args.at(3).eq_ignore_ascii_case(b"silent") => NackMode::Silent,
            () if args.at(3).eq_ignore_ascii_case(b"fail") => NackMode::Fail,
            () if args.at(3).eq_ignore_ascii_case(b"fatal") => NackMode::Fatal,
            () => return Err(text("mode must be SILENT, FAIL, or FATAL")),
        };
        let (mut ids, mut force) = (None, false);
        let mut at = 4;
        while let Some(option) = args.get(at) {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            let value = args.get(at + 1);
            if is(b"force") {
                force = true;
                at += 1;
            } else if let (true, Some(value)) = (is(b"ids"), value) {
                let len = parse_i64(value).filter(|len| (1..=i64::from(i32::MAX)).contains(len));
                let len = len.and_then(|len| usize::try_from(len).ok());
                let len = len.ok_or_else(|| text("numids must be a positive integer"))?;
                if len > args.len() - at - 2 {
                    return Err(text("number of IDs doesn't match numids"));
                }
                ids = Some((at + 2, len));
                at += 2 + len;
            } else if let (true, Some(value)) = (is(b"retrycount"), value) {
                let count = u64::try_from(parse_i64(value).ok_or(Error::NotInteger)?);
                let count = count.map_err(|_| text("Invalid RETRYCOUNT value, must be >= 0"))?;
                mode = NackMode::Count(count);
                at += 2;
            } else {
                let pieces = ["ERR Unrecognized XNACK option '", "", "'"];
                return Err(error_with(pieces, [option, b""]));
            }
        }
        let (ids_at, ids_len) = ids.ok_or_else(|| text("syntax error, expected IDS keyword"))?;
        let ids = parse_ids(args.from(ids_at).take(ids_len))?;
        Ok(Self { mode, force, ids })
    }
}

/// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
pub fn xpending(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    let range = Listed::parse(args, now_ms)?;
    let key = call.key(args.at(1));
    let found = call.held.shard_of(&key).stream(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_found = found.is_some();
    let group = found.and_then(|stream: &mut Stream| stream.group(args.at(2)));
    let result = match (group, range) {
        (None, _) => Err(no_group(args.at(1), args.at(2))),
        (Some(group), None) => {
            write_summary(call.reply, group);
            Ok(Outcome::Done)
        }
        (Some(group), Some(range)) => {
            range.write(call.reply, group);
            Ok(Outcome::Done)
        }
    };
    call.looked_up(&key, is_found);
    result
}

/// Which pending entries XPENDING is to list, before the group is known.
struct Listed<'a> {
    query: PendingQuery,
    consumer: Option<&'a [u8]>,
}

impl<'a> Listed<'a> {
    /// `None` where the summary is asked for.
    fn parse(args: Args<'a>, now_ms: u64) -> Result<Option<Self>> {
        if args.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&args.len()) {
            return Err(Error::Syntax);
        }
        let (mut at, mut min_idle_ms) = (3, 0);
        if args.at(3).eq_ignore_ascii_case(b"idle") {
            let idle_ms = parse_i64(args.at(4)).ok_or(Error::NotInteger)?;
            min_idle_ms = u64::try_from(idle_ms).unwrap_or(0);
            if args.len() < 8 {
                return Err(Error::Syntax);
            }
            at = 5;
        }
        let count = parse_i64(args.at(at + 2)).ok_or(Error::NotInteger)?;
        let query = PendingQuery {
            from: parse_start(args.at(at))?,
            to: parse_end(args.at(at + 1))?,
            count: u64::try_from(count).unwrap_or(0),
            min_idle_ms,
            owner: None,
            now_ms,
        };
        let consumer = args.get(at + 3);
        Ok(Some(Self { query, consumer }))
    }

    fn write(mut self, reply: &mut Reply, group: &Group) {
        if let Some(name) = self.consumer {
            self.query.owner = group.find_consumer(name);
            if self.query.owner.is_none() {
                reply.empty_array();
                return;
            }
        }
        let now_ms = self.query.now_ms;
        let later = reply.array_later();
        let mut len = 0;
        group.pending_range(self.query, |pending| {
            reply.array(4);
            write_id(reply, pending.id);
            reply.bulk(owner_name(group, &pending));
            reply.integer(match pending.owner {
                Some(_) => reply_len(pending.idle_ms(now_ms)),
                // Nobody has it, so nothing is idle.
                None => -1,
            });
            reply.integer(reply_len(pending.deliveries));
            len += 1;
        });
        reply.close_array(later, len);
    }
}

/// The name of who has an entry; nobody's is empty.
pub(super) fn owner_name<'a>(group: &'a Group, pending: &Pending) -> &'a [u8] {
    pending
        .owner
        .map_or(&[][..], |owner| group.consumer(owner).name())
}

/// How much is pending, between which ids, and with whom.
fn write_summary(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.integer(reply_len(group.pending()));
    let Some((least, greatest)) = group.pending_bounds() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(reply, least);
    write_id(reply, greatest);
    let later = reply.array_later();
    let mut len = 0;
    for (_, consumer) in group.consumers() {
        if consumer.pending() > 0 {
            reply.array(2);
            reply.bulk(consumer.name());
            reply.bulk_integer(reply_len(consumer.pending()));
            len += 1;
        }
    }
    reply.close_array(later, len);
}
