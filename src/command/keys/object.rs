//! OBJECT ENCODING FREQ HELP IDLETIME REFCOUNT.
//!
//! ENCODING answers what Redis would call the way in which it keeps such a value, which tools and
//! test suites look at; Weir keeps values in ways of its own.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::index_of;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::{Entry, Queue, Value};

/// Bytes of a listpack without entries: its header and its end.
const LISTPACK_BYTES: usize = 7;
/// Bytes of a listpack whose size is bounded by its number of entries.
const LISTPACK_BYTES_MAX: usize = 8192;

/// OBJECT with no subcommand that exists
pub fn object(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::Syntax)
}

/// OBJECT ENCODING key
pub fn encoding(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let list_limit = call.engine.config.live().list_max_listpack_size();
    match look(call, args, |entry, _| encoding_of(&entry.value, list_limit)) {
        Some(encoding) => call.reply.bulk_str(encoding),
        None => call.reply.null(),
    }
    Ok(Outcome::Done)
}

/// What Redis would call the way in which it keeps a value; `list_limit` is
/// `list-max-listpack-size`.
pub(in crate::command) fn encoding_of(value: &Value, list_limit: i64) -> &'static str {
    match value {
        Value::Text(text) => text.encoding(),
        Value::Queue(queue) => queue_encoding(queue, list_limit),
        Value::Hash(hash) => hash.encoding(),
        Value::Set(set) => set.encoding(),
        Value::SortedSet(set) if set.is_small() => "listpack",
        Value::SortedSet(_) => "skiplist",
        Value::Stream(_) => "stream",
    }
}

/// OBJECT FREQ key
pub fn freq(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if look(call, args, |_, _| ()).is_some() {
        return Err(Error::line(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        ));
    }
    call.reply.null();
    Ok(Outcome::Done)
}

/// OBJECT IDLETIME key
pub fn idletime(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    match look(call, args, Entry::idle_s) {
        Some(_) if tracks_frequency(call) => {
            return Err(Error::line(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ));
        }
        Some(idle_s) => call
            .reply
            .integer(i64::try_from(idle_s).unwrap_or(i64::MAX)),
        None => call.reply.null(),
    }
    Ok(Outcome::Done)
}

/// Whether `maxmemory-policy` is one of those by which Redis counts uses instead of timing them.
fn tracks_frequency(call: &Call<'_, '_>) -> bool {
    let setting = const { index_of("maxmemory-policy") };
    // The positions of its words: volatile-lfu, allkeys-lfu.
    matches!(call.engine.config.live().number(setting), 1 | 5)
}

/// OBJECT REFCOUNT key
pub fn refcount(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    match look(call, args, |_, _| ()) {
        Some(()) => call.reply.integer(1),
        None => call.reply.null(),
    }
    Ok(Outcome::Done)
}

/// OBJECT HELP
pub fn help(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let object = super::COMMANDS
        .iter()
        .find(|command| command.name == "object");
    let subcommands = object.map_or(&[][..], |command| command.subcommands);
    crate::command::help::write(call.reply, "OBJECT", subcommands);
    Ok(Outcome::Done)
}

/// What `show` makes of the key's entry and the moment, if there is one. No use of the key.
fn look<R>(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    show: impl FnOnce(&Entry, u64) -> R,
) -> Option<R> {
    let key = call.key(args.at(2));
    let now_ms = call.now_ms();
    let found = call.shard(&key).peek(&key, now_ms);
    let shown = found.map(|entry| show(entry, now_ms));
    call.count_lookup(shown.is_some());
    shown
}

/// Whether a list with these messages fits into one listpack, by `list-max-listpack-size`: a
/// number of entries if positive, else -1 to -5 for 4 KiB to 64 KiB. Reads at most that much.
///
/// The last push counted its bytes as they came, so the message at the back does. What it was like
/// before does not count, though Redis turns a quicklist back only at half of the bound.
fn queue_encoding(queue: &Queue, limit: i64) -> &'static str {
    let (entries_max, bytes_max) = match usize::try_from(limit) {
        Ok(entries) => (entries.max(1), LISTPACK_BYTES_MAX),
        Err(_) => (usize::MAX, 2048 << limit.unsigned_abs().min(5)),
    };
    let payload = usize::try_from(queue.bytes()).unwrap_or(usize::MAX);
    // Numbers shrink to no less than a half; everything else grows.
    if queue.len() > entries_max || payload / 2 > bytes_max || queue.len() * 2 > bytes_max {
        return "quicklist";
    }
    let mut bytes = LISTPACK_BYTES;
    let mut last = 0;
    for message in queue {
        bytes += last;
        last = entry_bytes(message.bytes());
        if bytes > bytes_max {
            return "quicklist";
        }
    }
    let back = queue.peek(crate::store::End::Back);
    let back_bytes = back.map_or(0, |(message, _)| message.bytes().len());
    if bytes + back_bytes > bytes_max {
        "quicklist"
    } else {
        "listpack"
    }
}

/// What a message takes in a listpack: a header, its bytes or the number they spell in as few
/// bytes as hold it, and the length of both for walking back.
fn entry_bytes(message: &[u8]) -> usize {
    let number = if message.len() <= 20 {
        parse_i64(message)
    } else {
        None
    };
    let forward = match (number, message.len()) {
        (Some(0..=127), _) => 1,
        (Some(-4096..=4095), _) => 2,
        (Some(-32_768..=32_767), _) => 3,
        (Some(-8_388_608..=8_388_607), _) => 4,
        (Some(-2_147_483_648..=2_147_483_647), _) => 5,
        (Some(_), _) => 9,
        (None, len @ 0..=63) => 1 + len,
        (None, len @ 64..=4095) => 2 + len,
        (None, len) => 5 + len,
    };
    let backward = match forward {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        2_097_152..=268_435_455 => 4,
        _ => 5,
    };
    forward + backward
}
