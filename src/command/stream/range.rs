//! XLEN XRANGE XREVRANGE.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::ids::{parse_end, parse_start, write_entries};
use super::reply_len;

/// XLEN key
pub fn xlen(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let stream = call.held.shard_of(&key).stream(&key, now_ms);
    let stream = stream.inspect_err(call.stats.hit())?;
    let len = stream.map(|stream| stream.log().len());
    call.looked_up(&key, len.is_some());
    call.reply.integer(reply_len(len.unwrap_or(0)));
    Ok(Outcome::Done)
}

/// XRANGE key start end [COUNT count]
pub fn xrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    range(call, args, false)
}

/// XREVRANGE key end start [COUNT count]
pub fn xrevrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    range(call, args, true)
}

fn range(call: &mut Call<'_, '_>, args: Args<'_>, is_reverse: bool) -> Result {
    let (start_at, end_at) = if is_reverse { (3, 2) } else { (2, 3) };
    let from = parse_start(args.at(start_at))?;
    let to = parse_end(args.at(end_at))?;
    let mut count = None;
    let mut options = args.from(4);
    while let Some(option) = options.next() {
        if !option.eq_ignore_ascii_case(b"count") {
            return Err(Error::Syntax);
        }
        let value = options.next().ok_or(Error::Syntax)?;
        let value = parse_i64(value).ok_or(Error::NotInteger)?;
        count = Some(usize::try_from(value).unwrap_or(0));
    }
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).stream(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_found = found.is_some();
    match found {
        None => call.reply.empty_array(),
        Some(_) if count == Some(0) => call.reply.null_array(),
        Some(stream) => {
            let count = count.unwrap_or(usize::MAX);
            if is_reverse {
                let entries = stream.log().range_rev(from, to);
                write_entries(call.reply, entries.take(count));
            } else {
                let entries = stream.log().range(from, to);
                write_entries(call.reply, entries.take(count));
            }
        }
    }
    call.looked_up(&key, is_found);
    Ok(Outcome::Done)
}
