//! KEYS SCAN RANDOMKEY: walks over all keys of a database.
//!
//! They go shard by shard and hold one at a time, unless a transaction holds them all. The order
//! is that of positions (see `store::table`), which neither growth nor other keys can change: a
//! key that is there from the first SCAN to the last is seen exactly once.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::scan::parse_cursor;
use crate::glob;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};
use crate::store::table::{position_from_cursor, shard_of_position};
use crate::store::{Entry, Keyspace, SHARDS, Shard, ShardSet};

/// Random keys that RANDOMKEY tries while it finds expired ones.
const RANDOM_TRIES_MAX: u32 = 100;

/// Names that KEYS looks at before it lets others go on: about a tenth of a millisecond.
const KEYS_AT_ONCE: usize = 1000;

/// KEYS pattern
pub fn keys(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let pattern = args.at(1);
    if glob::is_literal(pattern) {
        let key = call.key(pattern);
        call.held
            .need(ShardSet::one(call.engine.keyspace.shard_of(&key)));
        let now_ms = call.now_ms();
        if call.shard(&key).exists(&key, now_ms) {
            call.reply.array(1);
            call.reply.bulk(pattern);
        } else {
            call.reply.empty_array();
        }
    } else {
        let mut names = Reply::new(call.reply.resp());
        let mut len = 0;
        for shard in 0..SHARDS {
            len += keys_of_shard(call, shard, pattern, &mut names);
        }
        call.reply.array(len);
        call.reply.append(&mut names);
    }
    Ok(Outcome::Done)
}

/// Adds the names in a shard that match, and says how many they are. Others have their turns after
/// each piece of a large shard, so names that come or go meanwhile may be there or not.
fn keys_of_shard(call: &mut Call<'_, '_>, shard: u32, pattern: &[u8], names: &mut Reply) -> usize {
    let (db, now_ms) = (call.session.db, call.now_ms());
    let (mut cursor, mut len) = (Keyspace::first_cursor(shard), 0);
    loop {
        names.set_aside();
        call.held.need(ShardSet::one(shard));
        let held = call.held.shard(shard);
        let is_small = held.keys_len(db) <= KEYS_AT_ONCE;
        let mut visit = |entry: &Entry| {
            if !entry.is_due(now_ms) && matches(pattern, entry.name()) {
                names.bulk(entry.name());
                len += 1;
            }
        };
        if is_small && cursor == Keyspace::first_cursor(shard) {
            held.table(db).into_iter().for_each(visit);
            return len;
        }
        cursor = held.scan(db, cursor, KEYS_AT_ONCE, &mut visit);
        call.let_others();
        if cursor == 0 {
            return len;
        }
    }
}

/// The one pattern that takes everything takes the empty name too.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    pattern == b"*" || glob::matches(pattern, name, false)
}

/// What SCAN's options ask for.
struct Wanted<'a> {
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Wanted<'a> {
    fn parse(args: Args<'a>) -> Result<Self> {
        let mut wanted = Self {
            pattern: None,
            kind: None,
            count: 10,
        };
        let mut options = args.from(2);
        while let Some(option) = options.next() {
            if option.eq_ignore_ascii_case(b"novalues") {
                return Err(Error::line("ERR NOVALUES option can only be used in HSCAN"));
            }
            let value = options.next().ok_or(Error::Syntax)?;
            if option.eq_ignore_ascii_case(b"count") {
                let count = parse_i64(value).ok_or(Error::NotInteger)?;
                if count < 1 {
                    return Err(Error::Syntax);
                }
                wanted.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if option.eq_ignore_ascii_case(b"match") {
                wanted.pattern = Some(value);
            } else if option.eq_ignore_ascii_case(b"type") {
                wanted.kind = Some(value);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(wanted)
    }

    fn takes(&self, entry: &Entry, now_ms: u64) -> bool {
        let is_kind = |kind: &[u8]| kind.eq_ignore_ascii_case(entry.value.kind().name().as_bytes());
        !entry.is_due(now_ms)
            && self.kind.is_none_or(is_kind)
            && self
                .pattern
                .is_none_or(|pattern| matches(pattern, entry.name()))
    }
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
pub fn scan(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let mut cursor = parse_cursor(args.at(1))?;
    let wanted = Wanted::parse(args)?;
    let (db, now_ms) = (call.session.db, call.now_ms());
    let mut page = Reply::new(call.reply.resp());
    let (later, mut len) = (page.array_later(), 0);
    let mut left = wanted.count;
    let first = shard_of_position(position_from_cursor(cursor), SHARDS.trailing_zeros());
    for shard in u32::try_from(first).unwrap_or(SHARDS)..SHARDS {
        call.held.need(ShardSet::one(shard));
        let held = call.held.shard(shard);
        cursor = held.scan(db, cursor, left, |entry| {
            left = left.saturating_sub(1);
            if wanted.takes(entry, now_ms) {
                page.bulk(entry.name());
                len += 1;
            }
        });
        if cursor != 0 {
            break;
        }
        if left == 0 && shard + 1 < SHARDS {
            cursor = Keyspace::first_cursor(shard + 1);
            break;
        }
    }
    page.close_array(later, len);
    call.reply.array(2);
    call.reply.bulk_str(itoa::Buffer::new().format(cursor));
    call.reply.append(&mut page);
    Ok(Outcome::Done)
}

/// RANDOMKEY
pub fn randomkey(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    for _ in 0..RANDOM_TRIES_MAX {
        let Some(is_found) = try_random(call) else {
            break;
        };
        if is_found {
            return Ok(Outcome::Done);
        }
    }
    call.reply.null();
    Ok(Outcome::Done)
}

/// Answers with a random key, each as likely as any other. False if it had expired, or its shard
/// ran empty since it was counted; `None` if there are no keys at all.
fn try_random(call: &mut Call<'_, '_>) -> Option<bool> {
    let db = call.session.db;
    let counts = call.each_shard(|_, shard: &mut Shard| shard.keys_len(db) as u64);
    let total: u64 = counts.iter().sum();
    let mut at = call.engine.random().checked_rem(total)?;
    let mut shard = 0;
    for (count, index) in counts.into_iter().zip(0..) {
        shard = index;
        if at < count {
            break;
        }
        at -= count;
    }
    call.held.need(ShardSet::one(shard));
    let now_ms = call.now_ms();
    let random = call.engine.random();
    let found = call.held.shard(shard).table(db).random(random);
    let is_found = found.is_some_and(|entry| !entry.is_due(now_ms));
    if let Some(entry) = found.filter(|_| is_found) {
        call.reply.bulk(entry.name());
    }
    Some(is_found)
}
