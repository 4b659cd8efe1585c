//! HGETDEL HGETEX HSETEX: two things to the same fields in one step.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, c_string};
use crate::store::{Hash, Key};

use super::deadline::{NOT_POSITIVE, finish, parse_fields, parse_moment};
use super::write::put_all;
use super::{answer, drop_due, is_due, remove_if_empty};

/// HGETDEL key FIELDS numfields field [field ...]
pub fn hgetdel(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    call.shard(&key).hash(&key, now_ms)?;
    let fields = parse_fields(args, 2, NOT_POSITIVE)?;
    call.reply.array(fields.len());
    let changes = take_each(call, &key, fields, |hash, field| {
        hash.remove(field);
        Change::Deleted
    })?;
    changes.tell(call, &key);
    Ok(Outcome::Done)
}

/// What became of a field that was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    Deleted,
    Timed,
    Persisted,
}

/// How many fields changed in which way.
#[derive(Default)]
struct Changes {
    expired: u64,
    deleted: u64,
    timed: u64,
    persisted: u64,
}

impl Changes {
    /// Tells of the changes, and removes the key of a hash that has no field left.
    fn tell(self, call: &mut Call<'_, '_>, key: &Key<'_>) {
        let events = [
            (self.expired, "hexpired"),
            (self.timed, "hexpire"),
            (self.persisted, "hpersist"),
            (self.deleted, "hdel"),
        ];
        for (len, event) in events {
            if len > 0 {
                call.changed(key, Events::HASH, event);
            }
        }
        remove_if_empty(call, key);
    }
}

/// Answers with the value of each field and then does to it what `change` does; what has expired
/// goes and is not there.
fn take_each(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    fields: Args<'_>,
    mut change: impl FnMut(&mut Hash, &[u8]) -> Change,
) -> Result<Changes> {
    let now_ms = call.now_ms();
    let mut changes = Changes::default();
    for field in fields {
        let hash = call.held.shard_of(key).hash(key, now_ms)?;
        let found = hash.as_ref().and_then(|hash| hash.get(field));
        let Some((value, until)) = found else {
            call.reply.null();
            continue;
        };
        if is_due(until, now_ms) {
            call.reply.null();
            drop_due(call, key, field);
            changes.expired += 1;
            continue;
        }
        answer(call.reply, value);
        let Some(hash) = hash else { continue };
        match change(hash, field) {
            Change::Nothing => {}
            Change::Deleted => changes.deleted += 1,
            Change::Timed => changes.timed += 1,
            Change::Persisted => changes.persisted += 1,
        }
    }
    Ok(changes)
}

/// HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds |
/// PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]
pub fn hgetex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    call.shard(&key).hash(&key, now_ms)?;
    let (wanted_ms, persists, fields_at) = if let Some(unit) = Unit::parse(args.at(2)) {
        let moment_ms = unit.moment_ms(args.at(3), now_ms, "hgetex")?;
        (Some(moment_ms), false, 4)
    } else if args.at(2).eq_ignore_ascii_case(b"persist") {
        (None, true, 3)
    } else {
        (None, false, 2)
    };
    if args.len() < fields_at + 2 {
        return Err(Error::Arity("hgetex".into()));
    }
    let fields = parse_fields(args, fields_at, NOT_POSITIVE)?;
    call.reply.array(fields.len());
    if (wanted_ms.is_some() || persists)
        && let Some(hash) = call.held.shard_of(&key).hash(&key, now_ms)?
    {
        hash.prepare_deadlines();
    }
    let changes = take_each(call, &key, fields, |hash, field| match wanted_ms {
        Some(wanted_ms) if wanted_ms <= now_ms => {
            hash.remove(field);
            Change::Deleted
        }
        Some(wanted_ms) => {
            hash.set_deadline(field, Some(wanted_ms));
            Change::Timed
        }
        None if persists && hash.get(field).is_some_and(|(_, until)| until.is_some()) => {
            hash.set_deadline(field, None);
            Change::Persisted
        }
        None => Change::Nothing,
    })?;
    let expired_early = if wanted_ms.is_some() {
        changes.deleted
    } else {
        0
    };
    call.shard(&key).expired_fields_total += expired_early;
    changes.tell(call, &key);
    Ok(Outcome::Done)
}

/// An option that says a moment.
#[derive(Clone, Copy)]
struct Unit {
    unit_ms: i64,
    is_moment: bool,
}

impl Unit {
    fn parse(word: &[u8]) -> Option<Self> {
        let (unit_ms, is_moment) = match word.to_ascii_lowercase().as_slice() {
            b"ex" => (1000, false),
            b"px" => (1, false),
            b"exat" => (1000, true),
            b"pxat" => (1, true),
            _ => return None,
        };
        Some(Self { unit_ms, is_moment })
    }

    fn moment_ms(self, amount: &[u8], now_ms: u64, command: &str) -> Result<u64> {
        let base_ms = if self.is_moment { 0 } else { now_ms };
        parse_moment(amount, self.unit_ms, base_ms, command)
    }
}

/// The options of HSETEX.
#[derive(Default)]
struct SetOptions<'a> {
    /// FNX: only if the hash has none of the fields.
    if_absent: bool,
    /// FXX: only if it has them all.
    if_present: bool,
    /// KEEPTTL: fields that are there keep their deadlines.
    keeps_deadline: bool,
    wanted_ms: Option<u64>,
    pairs: Option<Args<'a>>,
}

impl<'a> SetOptions<'a> {
    fn parse(args: Args<'a>, now_ms: u64) -> Result<Self> {
        let arity = || Error::Arity("hsetex".into());
        let mut options = Self::default();
        let mut at = 2;
        while let Some(word) = args.get(at) {
            at += 1;
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let has_time = options.keeps_deadline || options.wanted_ms.is_some();
            if is("fields") {
                options.pairs = Some(parse_pairs(args, at)?);
                return Ok(options);
            } else if is("fnx") || is("fxx") {
                if options.if_absent || options.if_present {
                    return Err(Error::line(
                        "ERR Only one of FXX or FNX arguments can be specified",
                    ));
                }
                options.if_absent = is("fnx");
                options.if_present = is("fxx");
            } else if is("keepttl") || Unit::parse(word).is_some() {
                if has_time {
                    return Err(Error::line(
                        "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
                    ));
                }
                options.keeps_deadline = is("keepttl");
                if let Some(unit) = Unit::parse(word) {
                    let amount = args.get(at).ok_or_else(arity)?;
                    options.wanted_ms = Some(unit.moment_ms(amount, now_ms, "hsetex")?);
                    at += 1;
                }
            } else {
                return Err(Error::Bytes(
                    [b"ERR unknown argument: ", c_string(word)].concat(),
                ));
            }
        }
        Err(arity())
    }
}

/// The fields and values behind their number, which stands at `at`.
fn parse_pairs(args: Args<'_>, at: usize) -> Result<Args<'_>> {
    let arity = || Error::Arity("hsetex".into());
    if args.len() < at + 3 {
        return Err(arity());
    }
    let count = parse_i64(args.at(at))
        .filter(|count| (1..=i64::from(i32::MAX)).contains(count))
        .and_then(|count| usize::try_from(count).ok())
        .ok_or(Error::line("ERR invalid number of fields"))?;
    let pairs = args.tail(at + 1);
    if pairs.len() != count * 2 {
        return Err(arity());
    }
    Ok(pairs)
}

/// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds |
/// PXAT unix-time-milliseconds | KEEPTTL] FIELDS numfields field value [field value ...]
pub fn hsetex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let options = SetOptions::parse(args, now_ms)?;
    let pairs = options.pairs.unwrap_or(args.tail(args.len()));
    call.shard(&key).hash(&key, now_ms)?;
    if !holds(call, &key, &options, pairs)? {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    }
    let first = args.len() - pairs.len();
    put_all(call, &key, args, first, options.keeps_deadline)?;
    call.changed(&key, Events::HASH, "hset");
    if let Some(wanted_ms) = options.wanted_ms
        && let Some(hash) = call.held.shard_of(&key).hash(&key, now_ms)?
    {
        hash.prepare_deadlines();
        let (mut set_len, mut deleted_len) = (0, 0);
        for at in (0..pairs.len()).step_by(2) {
            if wanted_ms > now_ms {
                hash.set_deadline(pairs.at(at), Some(wanted_ms));
                set_len += 1;
            } else {
                deleted_len += u64::from(hash.remove(pairs.at(at)));
            }
        }
        finish(call, &key, set_len, deleted_len);
    }
    call.reply.integer(1);
    Ok(Outcome::Done)
}

/// Whether the condition on the fields holds. It is asked of one field after the other, and those
/// that have expired go on the way.
fn holds(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    options: &SetOptions<'_>,
    pairs: Args<'_>,
) -> Result<bool> {
    if !options.if_absent && !options.if_present {
        return Ok(true);
    }
    let now_ms = call.now_ms();
    let mut has_expired = false;
    let mut holds = true;
    for at in (0..pairs.len()).step_by(2) {
        let hash = call.held.shard_of(key).hash(key, now_ms)?;
        let found = hash.as_ref().and_then(|hash| hash.get(pairs.at(at)));
        let mut is_there = found.is_some();
        if found.is_some_and(|(_, until)| is_due(until, now_ms)) {
            drop_due(call, key, pairs.at(at));
            has_expired = true;
            is_there = false;
        }
        if is_there != options.if_present {
            holds = false;
            break;
        }
    }
    if has_expired {
        call.changed(key, Events::HASH, "hexpired");
        // If it holds, fields come, and the key stays with its deadline.
        if !holds {
            remove_if_empty(call, key);
        }
    }
    Ok(holds)
}
