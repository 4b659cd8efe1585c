//! LLEN LINDEX LRANGE LPOS.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::rest::Rests;
use crate::protocol::number::parse_i64;
use crate::protocol::reply::SHARED_BYTES_MIN;
use crate::protocol::{Args, Reply};
use crate::store::queue::MessageRef;
use crate::store::{Key, Queue};

use super::{parse_index, position, reply_len, span};

/// What stands around a message in a reply, where it is not very long.
const BULK_FRAME_BYTES: usize = 8;

/// Messages that LRANGE writes before it lets others go on: some tens of microseconds.
const RANGE_AT_ONCE: usize = if cfg!(test) { 16 } else { 2000 };

/// Writes a message, by reference where it is large.
fn write_message(reply: &mut Reply, message: &MessageRef<'_>) {
    match message.shared() {
        Some(shared) => reply.bulk_shared(shared),
        None => reply.bulk(message.bytes()),
    }
}

/// LLEN key
pub fn llen(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).queue(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let len = found.map(|queue| queue.len());
    call.looked_up(&key, len.is_some());
    call.reply.integer(reply_len(len.unwrap_or(0)));
    Ok(Outcome::Done)
}

/// LINDEX key index
pub fn lindex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).queue(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_hit = found.is_some();
    if let Some(queue) = found {
        let index = parse_index(args.at(2))?;
        match position(index, queue.len()).and_then(|position| queue.get(position)) {
            Some(message) => write_message(call.reply, &message),
            None => call.reply.null(),
        }
    } else {
        call.reply.null();
    }
    call.looked_up(&key, is_hit);
    Ok(Outcome::Done)
}

/// LRANGE key start stop
pub fn lrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (start, stop) = (parse_index(args.at(2))?, parse_index(args.at(3))?);
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).queue(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_hit = found.is_some();
    match found.and_then(|queue| Some((span(start, stop, queue.len())?, queue))) {
        None => call.reply.empty_array(),
        Some(((first, len), queue)) => {
            call.reply.array(len);
            if len > RANGE_AT_ONCE {
                write_range(call, &key, first, len);
            } else {
                call.reply.reserve(range_bytes(queue, len));
                for message in queue.range(first, len) {
                    write_message(call.reply, &message);
                }
            }
        }
    }
    call.looked_up(&key, is_hit);
    Ok(Outcome::Done)
}

/// Writes many messages. Others are served after each piece, but for who wants this queue.
#[cold]
#[inline(never)]
fn write_range(call: &mut Call<'_, '_>, key: &Key<'_>, first: usize, len: usize) {
    let now_ms = call.now_ms();
    let end = first + len;
    let mut range = Reply::new(call.reply.resp());
    let mut rests = Rests::default();
    for first in (first..end).step_by(RANGE_AT_ONCE) {
        let found = call.held.shard_of(key).queue(key, now_ms).ok().flatten();
        debug_assert!(found.is_some(), "what is kept stays as it is");
        let queue = found.into_iter();
        for message in queue.flat_map(|queue| queue.range(first, RANGE_AT_ONCE.min(end - first))) {
            write_message(&mut range, &message);
        }
        range.set_aside();
        if end - first > RANGE_AT_ONCE {
            rests.rest(call);
        }
    }
    call.reply.append(&mut range);
    rests.end(call);
}

/// About how many bytes so many messages of a queue take in a reply, without those that are not
/// copied into it.
fn range_bytes(queue: &Queue, len: usize) -> usize {
    let mean = usize::try_from(queue.bytes()).unwrap_or(usize::MAX) / queue.len().max(1);
    let copied = if mean < SHARED_BYTES_MIN { mean } else { 0 };
    len.saturating_mul(copied + BULK_FRAME_BYTES)
}

/// The options of LPOS.
struct Search {
    /// Matches to skip, counted from the side where the search starts, minus one.
    skip: u64,
    backward: bool,
    /// How many positions to answer; `None` answers one, not in an array.
    count: Option<u64>,
    /// Messages to compare at most; 0 is all.
    compared_max: u64,
}

impl Search {
    fn parse(args: Args<'_>) -> Result<Self> {
        let mut search = Self {
            skip: 0,
            backward: false,
            count: None,
            compared_max: 0,
        };
        let mut options = args.from(3);
        while let Some(option) = options.next() {
            let value = options.next().ok_or(Error::Syntax)?;
            if option.eq_ignore_ascii_case(b"rank") {
                let rank = parse_index(value)?;
                if rank == 0 {
                    return Err(Error::text(
                        "RANK can't be zero: use 1 to start from the first match, 2 from the \
                         second ... or use negative to start from the end of the list",
                    ));
                }
                if rank == i64::MIN {
                    return Err(Error::text(
                        "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
                    ));
                }
                search.backward = rank < 0;
                search.skip = rank.unsigned_abs() - 1;
            } else if option.eq_ignore_ascii_case(b"count") {
                search.count = Some(not_negative(value, "COUNT can't be negative")?);
            } else if option.eq_ignore_ascii_case(b"maxlen") {
                search.compared_max = not_negative(value, "MAXLEN can't be negative")?;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(search)
    }

    /// Positions of the matches among messages in the order of the search.
    fn run<'m>(
        &self,
        element: &[u8],
        messages: impl Iterator<Item = (usize, MessageRef<'m>)>,
    ) -> Vec<usize> {
        let wanted = match self.count {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
        };
        let compared = match self.compared_max {
            0 => usize::MAX,
            max => usize::try_from(max).unwrap_or(usize::MAX),
        };
        messages
            .take(compared)
            .filter(|(_, message)| message.bytes() == element)
            .skip(usize::try_from(self.skip).unwrap_or(usize::MAX))
            .take(wanted)
            .map(|(position, _)| position)
            .collect()
    }
}

fn not_negative(argument: &[u8], refusal: &str) -> Result<u64> {
    parse_i64(argument)
        .and_then(|n| u64::try_from(n).ok())
        .ok_or_else(|| Error::text(refusal))
}

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
pub fn lpos(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let search = Search::parse(args)?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).queue(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_hit = found.is_some();
    let positions = match found {
        None => Vec::new(),
        Some(queue) if search.backward => {
            let last = queue.len() - 1;
            let messages = queue.range_rev(last, last + 1).enumerate();
            search.run(
                args.at(2),
                messages.map(|(nth, message)| (last - nth, message)),
            )
        }
        Some(queue) => search.run(args.at(2), queue.iter().enumerate()),
    };
    if search.count.is_some() {
        call.reply.array(positions.len());
        for position in positions {
            call.reply.integer(reply_len(position));
        }
    } else {
        match positions.first() {
            Some(&position) => call.reply.integer(reply_len(position)),
            None => call.reply.null(),
        }
    }
    call.looked_up(&key, is_hit);
    Ok(Outcome::Done)
}
