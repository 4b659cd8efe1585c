//! RENAME RENAMENX MOVE COPY: values that change their key or database, or get a second one.

use crate::command::bounds;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::overflow::{QueueBounds, QueueOverflow};
use crate::policy;
use crate::protocol::Args;
use crate::store::{Key, Kind, Tally, Value};

use super::parse_db;

const SAME: Error = Error::line("ERR source and destination objects are the same");

/// RENAME key newkey
pub fn rename(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    give_name(call, args, false)?;
    call.reply.ok();
    Ok(Outcome::Done)
}

/// RENAMENX key newkey
pub fn renamenx(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let is_renamed = give_name(call, args, true)?;
    call.reply.integer(i64::from(is_renamed));
    Ok(Outcome::Done)
}

/// Moves the value of the first key to the second, unless that must be free and is not. A key
/// that gets its own name stays as it is.
fn give_name(call: &mut Call<'_, '_>, args: Args<'_>, must_be_free: bool) -> Result<bool> {
    let (source, target) = (call.key(args.at(1)), call.key(args.at(2)));
    let now_ms = call.now_ms();
    bounds::freshen_all(call, &source);
    if call.shard(&source).entry(&source, now_ms).is_none() {
        return Err(Error::NoSuchKey);
    }
    let is_same = source.name == target.name;
    if is_same || must_be_free && call.shard(&target).entry(&target, now_ms).is_some() {
        return Ok(false);
    }
    check_room(call, &source, &target)?;
    let Some(entry) = call.shard(&source).remove(&source) else {
        return Ok(false);
    };
    let deadline_ms = entry.deadline_ms();
    put(call, &target, entry.value, deadline_ms, |call| {
        call.changed(&source, Events::GENERIC, "rename_from");
        call.changed(&target, Events::GENERIC, "rename_to");
    });
    Ok(true)
}

/// Puts a value at a key in place of what is there; `tell` says how it came to be, and what that
/// means for the key is said around it.
fn put<'k>(
    call: &mut Call<'_, 'k>,
    target: &Key<'_>,
    value: Value,
    deadline_ms: Option<u64>,
    tell: impl FnOnce(&mut Call<'_, 'k>),
) {
    let kind = value.kind();
    let now_ms = call.now_ms();
    // What has expired is not overwritten.
    call.shard(target).exists(target, now_ms);
    let old = call.shard(target).insert(target, value, deadline_ms);
    let old_kind: Option<Kind> = old.as_ref().map(Value::kind);
    if let Some(old) = old {
        call.let_go(old);
    }
    call.notify(target, Events::NEW, "new");
    tell(call);
    if let Some(old_kind) = old_kind {
        call.notify(target, Events::OVERWRITTEN, "overwritten");
        if old_kind != kind {
            call.notify(target, Events::TYPE_CHANGED, "type_changed");
        }
    }
}

/// Refuses to put a queue or a stream at a key whose policy refuses one with so much in it.
fn check_room(call: &mut Call<'_, '_>, source: &Key<'_>, target: &Key<'_>) -> Result<()> {
    let now_ms = call.now_ms();
    let found = call.shard(source).peek(source, now_ms);
    let Some((kind, adding)) = found.map(|entry| (entry.value.kind(), entry.value.held())) else {
        return Ok(());
    };
    if kind == Kind::Queue {
        return bounds::check_replacement(call, target, adding);
    }
    let bounds = call.shard(target).bounds_of_new_stream(target);
    let is_refused = |bounds: &QueueBounds| {
        bounds.overflow == QueueOverflow::Reject && !bounds.hold(adding.messages, adding.bytes)
    };
    match bounds.filter(is_refused) {
        Some(bounds) if kind == Kind::Stream => {
            let tallies = [Tally::default(), adding, adding];
            Err(bounds::full(
                policy::Kind::Stream,
                target.name,
                bounds,
                tallies,
            ))
        }
        _ => Ok(()),
    }
}

/// MOVE key db
pub fn move_key(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let db = parse_db(call, args.at(2))?;
    let source = call.key(args.at(1));
    if db == source.db {
        return Err(SAME);
    }
    // A key's shard depends on its name only, so the place in the other database is held too.
    let target = Key { db, ..source };
    let now_ms = call.now_ms();
    bounds::freshen_all(call, &source);
    let shard = call.shard(&source);
    let is_free = shard.exists(&source, now_ms) && !shard.exists(&target, now_ms);
    let moved = if is_free { shard.remove(&source) } else { None };
    let is_moved = moved.is_some();
    if let Some(entry) = moved {
        let deadline_ms = entry.deadline_ms();
        put(call, &target, entry.value, deadline_ms, |call| {
            call.changed(&source, Events::GENERIC, "move_from");
            call.changed(&target, Events::GENERIC, "move_to");
        });
    }
    call.reply.integer(i64::from(is_moved));
    Ok(Outcome::Done)
}

/// COPY source destination [DB destination-db] [REPLACE]
///
/// Copies a queue under the lock, at about the speed of memory: large messages are shared.
pub fn copy(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (mut db, mut replace) = (call.session.db, false);
    let mut options = args.from(3);
    while let Some(option) = options.next() {
        if option.eq_ignore_ascii_case(b"replace") {
            replace = true;
        } else if option.eq_ignore_ascii_case(b"db") {
            db = parse_db(call, options.next().ok_or(Error::Syntax)?)?;
        } else {
            return Err(Error::Syntax);
        }
    }
    let source = call.key(args.at(1));
    let target = Key {
        db,
        ..call.key(args.at(2))
    };
    if source.db == target.db && source.name == target.name {
        return Err(SAME);
    }
    let now_ms = call.now_ms();
    bounds::freshen_all(call, &source);
    let is_taken = !replace && call.shard(&target).exists(&target, now_ms);
    if !is_taken {
        check_room(call, &source, &target)?;
    }
    let found = call.shard(&source).entry(&source, now_ms);
    let is_hit = found.is_some();
    let copied = found
        .filter(|_| !is_taken)
        .map(|entry| (entry.value.clone(), entry.deadline_ms()));
    let is_copied = copied.is_some();
    call.looked_up(&source, is_hit);
    if let Some((value, deadline_ms)) = copied {
        put(call, &target, value, deadline_ms, |call| {
            call.changed(&target, Events::GENERIC, "copy_to");
        });
    }
    call.reply.integer(i64::from(is_copied));
    Ok(Outcome::Done)
}
