//! SADD SREM SMOVE.

use crate::command::ahead::Ahead;
use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::{Args, Reply};
use crate::store::{Set, Shape, Value};

use super::{remove_if_empty, shape};

/// SADD key member [member ...]
pub fn sadd(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let shape = shape(call, &key);
    let now_ms = call.now_ms();
    let members = args.tail(2);
    let shard = call.held.shard_of(&key);
    let mut added = 0;
    if let Some(set) = shard.set(&key, now_ms)? {
        call.ahead.ask(set, 2);
        set.expect(members.len(), &shape);
        for member in members {
            added += i64::from(set.insert(member, &shape));
        }
        call.reply.integer(added);
        if args.len() == 3 {
            added += add_following(set, &shape, &mut call.ahead, call.reply);
        }
    } else {
        let mut set = Set::suited(members.at(0), members.len(), &shape);
        for member in members {
            added += i64::from(set.insert(member, &shape));
        }
        call.reply.integer(added);
        shard.insert_new(&key, Value::Set(set), None);
        call.notify(&key, Events::NEW, "new");
    }
    if added > 0 {
        call.changed(&key, Events::SET, "sadd");
    }
    Ok(Outcome::Done)
}

/// Adds the members of the requests that follow, to the same set; returns how many are new.
#[inline]
fn add_following(set: &mut Set, shape: &Shape, ahead: &mut Ahead<'_>, reply: &mut Reply) -> i64 {
    let mut added = 0;
    while let Some([member]) = ahead.take(reply, Some) {
        ahead.ask(set, 2);
        set.expect(1, shape);
        let is_new = i64::from(set.insert(member, shape));
        reply.integer(is_new);
        added += is_new;
    }
    added
}

/// SREM key member [member ...]
pub fn srem(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let Some(set) = call.held.shard_of(&key).set(&key, now_ms)? else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    call.ahead.ask(set, 2);
    let mut removed = 0;
    for member in args.from(2) {
        removed += i64::from(set.remove(member));
        if set.is_empty() {
            break;
        }
    }
    let is_empty = set.is_empty();
    if removed > 0 {
        call.changed(&key, Events::SET, "srem");
        if is_empty {
            remove_if_empty(call, &key);
        }
    }
    call.reply.integer(removed);
    Ok(Outcome::Done)
}

/// SMOVE source destination member
pub fn smove(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (source, target, member) = (call.key(args.at(1)), call.key(args.at(2)), args.at(3));
    let now_ms = call.now_ms();
    let Some(set) = call.held.shard_of(&source).entry(&source, now_ms) else {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    };
    let is_set = matches!(set.value, Value::Set(_));
    if !is_set {
        return Err(crate::command::error::Error::WrongType);
    }
    call.shard(&target).set(&target, now_ms)?;
    let Some(set) = call.held.shard_of(&source).set(&source, now_ms)? else {
        return Ok(Outcome::Done);
    };
    if source.name == target.name {
        let is_member = set.contains(member);
        call.reply.integer(i64::from(is_member));
        return Ok(Outcome::Done);
    }
    if !set.remove(member) {
        call.reply.integer(0);
        return Ok(Outcome::Done);
    }
    call.changed(&source, Events::SET, "srem");
    remove_if_empty(call, &source);
    let shape = shape(call, &target);
    let shard = call.held.shard_of(&target);
    let is_added = if let Some(set) = shard.set(&target, now_ms)? {
        set.insert(member, &shape)
    } else {
        let mut set = Set::suited(member, 1, &shape);
        set.insert(member, &shape);
        shard.insert_new(&target, Value::Set(set), None);
        call.notify(&target, Events::NEW, "new");
        true
    };
    if is_added {
        call.changed(&target, Events::SET, "sadd");
    }
    call.reply.integer(1);
    Ok(Outcome::Done)
}
