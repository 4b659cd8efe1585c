//! XREAD, and what it shares with XREADGROUP: the arguments, and the list of streams in a reply.
//!
//! Both look at their streams in order and answer with what there is; where there is nothing and
//! they may wait, the request is kept with its ids resolved: `$` means what was last when it came.

use smallvec::SmallVec;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Block, Outcome, Result};
use crate::command::spec::KeyPositions;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Later, Mark, OwnedArgs, Reply, Resp};
use crate::store::Kind;
use crate::store::stream::StreamId;

use super::ids::{parse_id, write_entries};
use super::text;

/// What XREAD and XREADGROUP ask for besides their streams.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    /// Most entries of each stream; 0 for all.
    pub count: u64,
    /// Milliseconds to wait, 0 for ever; `None` does not wait.
    pub block_ms: Option<u64>,
    /// The group and the consumer.
    pub group: Option<(&'a [u8], &'a [u8])>,
    /// What is read does not become pending.
    pub noack: bool,
    /// Pending entries idle for this long are read too.
    pub claim_ms: Option<u64>,
    /// Position of the first key.
    pub keys_at: usize,
    /// How many keys there are.
    pub keys_len: usize,
}

/// How many arguments an option takes beside its name; `None` if it is none.
#[inline]
fn option_takes(option: &[u8]) -> Option<usize> {
    let lower = option
        .first_chunk::<5>()?
        .map(|byte| byte.to_ascii_lowercase());
    match &lower {
        _ if option.len() != 5 => None,
        b"block" | b"count" | b"claim" => Some(1),
        b"group" => Some(2),
        b"noack" => Some(0),
        _ => None,
    }
}

/// The keys of XREAD and XREADGROUP: the first half of what follows STREAMS.
pub fn find_keys(args: Args<'_>, out: &mut KeyPositions) {
    // GROUP, the group and the consumer stand before STREAMS.
    let is_group = args.at(0).len() > b"xread".len();
    let from = if is_group { 4 } else { 1 };
    let is_streams = |argument: &[u8]| argument.eq_ignore_ascii_case(b"streams");
    let mut at = 1;
    while let Some(option) = args.get(at)
        && !is_streams(option)
        && let Some(takes) = option_takes(option)
    {
        at += 1 + takes;
    }
    // A request that will be refused shows its keys all the same.
    if at < from || !args.get(at).is_some_and(is_streams) {
        let Some(found) = args.from(from).position(is_streams) else {
            return;
        };
        at = from + found;
    }
    let rest = args.len() - at - 1;
    out.extend(at + 1..=at + rest / 2);
}

/// The group and the consumer of an XREADGROUP that was accepted.
pub(in crate::command) fn reader_of(args: Args<'_>) -> Option<(&[u8], &[u8])> {
    if !args.at(0).eq_ignore_ascii_case(b"xreadgroup") {
        return None;
    }
    let (mut reader, mut at) = (None, 1);
    while let Some(option) = args.get(at)
        && let Some(takes) = option_takes(option)
    {
        if takes == 2 {
            reader = args.get(at + 1).zip(args.get(at + 2));
        }
        at += 1 + takes;
    }
    reader
}

impl<'a> Wanted<'a> {
    /// Reads them.
    pub fn parse(args: Args<'a>, is_group: bool, now_ms: u64) -> Result<Self> {
        let mut wanted = Self::default();
        let mut at = 1;
        while let Some(option) = args.get(at) {
            let more = args.len() - 1 - at;
            if option.eq_ignore_ascii_case(b"streams") && more > 0 {
                wanted.keys_at = at + 1;
                break;
            }
            let takes = option_takes(option)
                .filter(|&takes| takes <= more)
                .ok_or(Error::Syntax)?;
            let value = args.get(at + 1).unwrap_or_default();
            let is = |name: &[u8; 5]| {
                option[0].eq_ignore_ascii_case(&name[0]) && option.eq_ignore_ascii_case(name)
            };
            if is(b"block") {
                wanted.block_ms = Some(parse_block(value, now_ms)?);
            } else if is(b"count") {
                let count = parse_i64(value).ok_or(Error::NotInteger)?;
                wanted.count = u64::try_from(count).unwrap_or(0);
            } else if !is_group {
                return Err(not_in_xread(option));
            } else if is(b"claim") {
                let claim_ms = parse_i64(value)
                    .ok_or_else(|| text("min-idle-time is not an integer or out of range"))?;
                wanted.claim_ms = Some(
                    u64::try_from(claim_ms)
                        .map_err(|_| text("min-idle-time must be a positive integer"))?,
                );
            } else if is(b"group") {
                wanted.group = Some((value, args.at(at + 2)));
            } else {
                wanted.noack = true;
            }
            at += 1 + takes;
        }
        if wanted.keys_at == 0 {
            return Err(Error::Syntax);
        }
        let rest = args.len() - wanted.keys_at;
        if rest % 2 == 1 {
            return Err(unbalanced(is_group));
        }
        wanted.keys_len = rest / 2;
        if is_group && wanted.group.is_none() {
            return Err(text("Missing GROUP option for XREADGROUP"));
        }
        Ok(wanted)
    }

    /// Most entries of each stream.
    pub fn limit(&self) -> usize {
        match self.count {
            0 => usize::MAX,
            count => usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    /// Asks to wait in the lines of all keys, with alarms for some, or answers that there is
    /// nothing.
    pub fn wait(
        &self,
        call: &mut Call<'_, '_>,
        kept: Option<OwnedArgs>,
        alarms: Vec<(usize, u64)>,
    ) -> Outcome {
        let Some(block_ms) = self.block_ms else {
            call.reply.null_array();
            return Outcome::Done;
        };
        let keys = (self.keys_at..self.keys_at + self.keys_len).collect();
        let timeout_us = (block_ms > 0).then(|| block_ms.saturating_mul(1000));
        let block = Block {
            wakes_on_removal: self.group.is_some(),
            retry: kept,
            alarms,
            ..Block::new(Kind::Stream, keys, timeout_us)
        };
        block.into()
    }
}

/// What XREAD answers to options that need a group. CLAIM came with 8.4: to the servers before
/// it is no option at all.
fn not_in_xread(option: &[u8]) -> Error {
    match option.first().map(u8::to_ascii_lowercase) {
        Some(b'g') => {
            text("The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
        }
        Some(b'n') => {
            text("The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
        }
        _ => text("The CLAIM option is only supported by XREADGROUP. You called XREAD instead."),
    }
}

fn unbalanced(is_group: bool) -> Error {
    text(if is_group {
        "Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be \
         specified."
    } else {
        "Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be \
         specified."
    })
}

/// A time to wait in whole milliseconds.
fn parse_block(argument: &[u8], now_ms: u64) -> Result<u64> {
    let block_ms =
        parse_i64(argument).ok_or_else(|| text("timeout is not an integer or out of range"))?;
    let block_ms = u64::try_from(block_ms).map_err(|_| text("timeout is negative"))?;
    // The moment at which it ends must fit in 63 bits.
    if block_ms > i64::MAX.unsigned_abs() - now_ms {
        return Err(text("timeout is out of range"));
    }
    Ok(block_ms)
}

/// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
pub fn xread(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let now_ms = call.now_ms();
    let wanted = Wanted::parse(args, false, now_ms)?;
    let ids_at = wanted.keys_at + wanted.keys_len;
    let mut after: SmallVec<[StreamId; 4]> = SmallVec::new();
    let mut is_relative = false;
    for at in 0..wanted.keys_len {
        let key = call.key(args.at(wanted.keys_at + at));
        let word = args.at(ids_at + at);
        let stream = call.held.shard_of(&key).stream(&key, now_ms);
        let stream = stream.inspect_err(call.stats.hit())?;
        let last = stream.map(|stream| match word {
            // The last entry itself is wanted.
            b"+" => stream.log().last_live_id().prev().unwrap_or_default(),
            _ => stream.log().last_id(),
        });
        call.looked_up(&key, last.is_some());
        let id = match word {
            b"$" => {
                is_relative = true;
                last.unwrap_or_default()
            }
            b"+" => last.unwrap_or_default(),
            b">" => {
                return Err(text(
                    "The > ID can be specified only when calling XREADGROUP using the GROUP \
                     <group> <consumer> option.",
                ));
            }
            id => parse_id(id, 0)?,
        };
        after.push(id);
    }
    let opened = Opened::new(call.reply, wanted.keys_len);
    let mut served = 0;
    for (at, &after) in after.iter().enumerate() {
        let name = args.at(wanted.keys_at + at);
        let key = call.key(name);
        let Some(stream) = call.held.shard_of(&key).stream(&key, now_ms)? else {
            // This is the second look, and Redis speaks of both.
            call.looked_up(&key, false);
            continue;
        };
        call.stats.hits.add(1);
        let Some(from) = after.next() else {
            continue;
        };
        let mut entries = stream.log().range(from, StreamId::MAX).peekable();
        if entries.peek().is_some() {
            write_name(call.reply, name);
            write_entries(call.reply, entries.take(wanted.limit()));
            served += 1;
        }
    }
    if opened.close(call.reply, served) {
        return Ok(Outcome::Done);
    }
    let kept = is_relative.then(|| resolved(args, ids_at, &after));
    Ok(wanted.wait(call, kept, Vec::new()))
}

/// The request with every `$` replaced by the id that it meant.
fn resolved(args: Args<'_>, ids_at: usize, after: &[StreamId]) -> OwnedArgs {
    let mut kept = OwnedArgs::default();
    kept.extend(args.head(ids_at));
    for (id, after) in args.from(ids_at).zip(after) {
        match id {
            b"$" => kept.push(after.write(&mut [0; StreamId::TEXT_BYTES_MAX])),
            id => kept.push(id),
        }
    }
    kept
}

/// The head of the list of streams in a reply, a map in RESP3. With one stream there is nothing
/// to wait for: its head is written at once, and taken back if it has no entry.
pub(super) struct Opened {
    start: Mark,
    later: Option<Later>,
}

impl Opened {
    /// Opens a list for this many streams at most.
    pub fn new(reply: &mut Reply, keys_len: usize) -> Self {
        let start = reply.mark();
        if keys_len == 1 {
            match reply.resp() {
                Resp::V2 => reply.array(1),
                Resp::V3 => reply.map(1),
            }
            return Self { start, later: None };
        }
        let later = Some(reply.array_later());
        Self { start, later }
    }

    /// Ends the list of `served` streams; says whether there are any.
    pub fn close(self, reply: &mut Reply, served: usize) -> bool {
        match self.later {
            _ if served == 0 => reply.truncate_to(self.start),
            None => {}
            Some(later) => match reply.resp() {
                Resp::V2 => reply.close_array(later, served),
                Resp::V3 => reply.close_map(later, served),
            },
        }
        served > 0
    }
}

/// Writes what stands before the entries of a stream.
pub(super) fn write_name(reply: &mut Reply, name: &[u8]) {
    if reply.resp() == Resp::V2 {
        reply.array(2);
    }
    reply.bulk(name);
}
