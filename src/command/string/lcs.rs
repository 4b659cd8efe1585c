//! LCS: the longest common subsequence of two strings.

mod table;

use bytes::Bytes;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::{Args, Reply};
use crate::store::Value;

use super::{bytes_of, parse_integer, reply_len};
use table::{Table, common_len};

/// Bytes that Redis takes for one cell of its table. Weir's table takes a thirty-second part, but
/// refuses what Redis refuses.
const REDIS_CELL_BYTES: u64 = 4;
/// Longest string that Redis can index.
const INPUT_BYTES_MAX: usize = u32::MAX as usize - 1;

/// What was asked for.
#[derive(Clone, Copy, Default, Debug)]
struct Options {
    /// LEN: only the length.
    len: bool,
    /// IDX: where the common parts are.
    index: bool,
    /// WITHMATCHLEN: how long each of them is.
    with_match_len: bool,
    /// MINMATCHLEN: none shorter than this.
    match_len_min: u64,
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]
pub fn lcs(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let found = [look_up(call, args.at(1)), look_up(call, args.at(2))];
    let [Ok(a), Ok(b)] = found else {
        return Err(Error::text("The specified keys must contain string values"));
    };
    let options = parse(args.tail(3))?;
    if options.index && options.len {
        return Err(Error::text(
            "If you want both the length and indexes, please just use IDX.",
        ));
    }
    check_size(call, a.len(), b.len())?;
    if options.len {
        call.reply.integer(reply_len(common_len(&a, &b)));
    } else if options.index {
        answer_index(call.reply, &Table::new(&a, &b), options);
    } else {
        call.reply.bulk(&Table::new(&a, &b).common());
    }
    Ok(Outcome::Done)
}

/// The string at a key, empty where there is none.
fn look_up(call: &mut Call<'_, '_>, name: &[u8]) -> std::result::Result<Bytes, ()> {
    let key = call.key(name);
    let now_ms = call.now_ms();
    let found = match call.held.shard_of(&key).value(&key, now_ms) {
        None => None,
        Some(Value::Text(text)) => Some(Ok(bytes_of(text))),
        Some(_) => Some(Err(())),
    };
    call.looked_up(&key, found.is_some());
    found.unwrap_or(Ok(Bytes::new()))
}

fn parse(args: Args<'_>) -> Result<Options> {
    let mut options = Options::default();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("idx") {
            options.index = true;
        } else if is("len") {
            options.len = true;
        } else if is("withmatchlen") {
            options.with_match_len = true;
        } else if is("minmatchlen") {
            let len = parse_integer(words.next().ok_or(Error::Syntax)?)?;
            options.match_len_min = u64::try_from(len).unwrap_or(0);
        } else {
            return Err(Error::Syntax);
        }
    }
    Ok(options)
}

fn check_size(call: &Call<'_, '_>, a_len: usize, b_len: usize) -> Result<()> {
    if a_len >= INPUT_BYTES_MAX || b_len >= INPUT_BYTES_MAX {
        return Err(Error::text("String too long for LCS"));
    }
    // Neither length is above 2^32, so their product fits; that times four may not.
    let cells = (a_len as u64 + 1) * (b_len as u64 + 1);
    let table_bytes = cells.saturating_mul(REDIS_CELL_BYTES);
    if table_bytes > call.engine.config.live().proto_max_bulk_bytes() {
        return Err(Error::text(
            "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

fn answer_index(reply: &mut Reply, table: &Table<'_>, options: Options) {
    let position = |at: usize| reply_len(at);
    reply.map(2);
    reply.bulk(b"matches");
    let matches = reply.array_later();
    let mut matches_len = 0;
    let common_len = table.walk(|part| {
        if (part.len as u64) < options.match_len_min {
            return;
        }
        matches_len += 1;
        reply.array(2 + usize::from(options.with_match_len));
        for start in [part.a, part.b] {
            reply.array(2);
            reply.integer(position(start));
            reply.integer(position(start + part.len - 1));
        }
        if options.with_match_len {
            reply.integer(reply_len(part.len));
        }
    });
    reply.close_array(matches, matches_len);
    reply.bulk(b"len");
    reply.integer(reply_len(common_len));
}
