//! SINTER SINTERSTORE SINTERCARD SUNION SUNIONSTORE SDIFF SDIFFSTORE.
//!
//! In which order members come, and how a result is kept, is what clients of Redis see: the order
//! of small sets is theirs to rely on.

use smallvec::SmallVec;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;
use crate::store::packed::Item;
use crate::store::{Held, Key, Set, Shape, Value};

use super::{answer, reply_len, shape};

/// Keys of the operands.
type Operands<'a> = SmallVec<[Key<'a>; 8]>;

/// The keys of the operands: expired ones are removed, look-ups counted, types checked.
fn operands<'a>(call: &mut Call<'_, '_>, names: Args<'a>) -> Result<Operands<'a>> {
    let now_ms = call.now_ms();
    let mut keys = Operands::new();
    for name in names {
        let key = call.key(name);
        let found = call.held.shard_of(&key).set(&key, now_ms);
        let found = found.map(|set| set.is_some());
        call.looked_up(&key, found != Ok(false));
        found?;
        keys.push(key);
    }
    Ok(keys)
}

/// The sets at keys that [`operands`] has seen to.
fn sets<'h>(held: &'h Held<'_>, keys: &[Key<'_>]) -> SmallVec<[Option<&'h Set>; 8]> {
    let set_at = |key: &Key<'_>| {
        let shard = held.keyspace().shard_of(key);
        match held.view(shard).standing(key).map(|entry| &entry.value) {
            Some(Value::Set(set)) => Some(set),
            _ => None,
        }
    };
    keys.iter().map(set_at).collect()
}

/// SINTER key [key ...]
pub fn sinter(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let keys = operands(call, args.tail(1))?;
    let later = call.reply.array_later();
    let mut len = 0;
    intersect(&sets(call.held, &keys), |member| {
        answer(call.reply, member);
        len += 1;
        true
    });
    call.reply.close_set(later, len);
    Ok(Outcome::Done)
}

/// SINTERCARD numkeys key [key ...] [LIMIT limit]
pub fn sintercard(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let keys_len = parse_i64(args.at(1)).filter(|&len| len > 0);
    let keys_len = keys_len.ok_or_else(|| Error::text("numkeys should be greater than 0"))?;
    let keys_len = usize::try_from(keys_len).unwrap_or(usize::MAX);
    if keys_len > args.len() - 2 {
        return Err(Error::text(
            "Number of keys can't be greater than number of args",
        ));
    }
    let mut limit = 0;
    let mut options = args.from(2 + keys_len);
    while let Some(option) = options.next() {
        let value = options
            .next()
            .filter(|_| option.eq_ignore_ascii_case(b"limit"));
        let value = parse_i64(value.ok_or(Error::Syntax)?);
        let value = value.and_then(|value| usize::try_from(value).ok());
        limit = value.ok_or_else(|| Error::text("LIMIT can't be negative"))?;
    }
    let keys = operands(call, args.tail(2).head(keys_len))?;
    let mut len = 0;
    intersect(&sets(call.held, &keys), |_| {
        len += 1;
        len != limit
    });
    call.reply.integer(reply_len(len));
    Ok(Outcome::Done)
}

/// SINTERSTORE destination key [key ...]
pub fn sinterstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let target = call.key(args.at(1));
    let keys = operands(call, args.tail(2))?;
    let shape = shape(call, &target);
    let result = intersection(&sets(call.held, &keys), &shape);
    store(call, &target, result, "sinterstore");
    Ok(Outcome::Done)
}

fn intersection(sets: &[Option<&Set>], shape: &Shape) -> Set {
    let smallest = sets.iter().flatten().min_by_key(|set| set.len());
    let mut result = if smallest.is_some_and(|set| set.is_integers()) {
        Set::new()
    } else {
        Set::of_items()
    };
    intersect(sets, |member| {
        result.insert_item(member, shape);
        true
    });
    result.make_integers(shape);
    result
}

/// Hands the members that all sets have to `take` until that says no, in the order of the smallest.
fn intersect<'s>(sets: &[Option<&'s Set>], mut take: impl FnMut(Item<'s>) -> bool) {
    let mut sorted = SmallVec::<[&Set; 8]>::new();
    for set in sets {
        // A set that is not there has no member.
        let Some(set) = set else { return };
        sorted.push(set);
    }
    sorted.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sorted.split_first() else {
        return;
    };
    for member in *smallest {
        let is_in = |set: &&Set| std::ptr::eq(*set, *smallest) || set.contains_item(member);
        if others.iter().all(is_in) && !take(member) {
            return;
        }
    }
}

/// SUNION key [key ...]
pub fn sunion(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, unite)
}

/// SDIFF key [key ...]
pub fn sdiff(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, subtract)
}

/// SUNIONSTORE destination key [key ...]
pub fn sunionstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    combine(call, args, unite, "sunionstore")
}

/// SDIFFSTORE destination key [key ...]
pub fn sdiffstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    combine(call, args, subtract, "sdiffstore")
}

/// Makes one set of several, starting with an empty one.
type Operation = fn(&[Option<&Set>], &mut Set, &Shape);

fn show(call: &mut Call<'_, '_>, args: Args<'_>, operation: Operation) -> Result {
    let keys = operands(call, args.tail(1))?;
    let shape = shape(call, &keys[0]);
    let sets = sets(call.held, &keys);
    // A table finds what is there already fastest; only integers alone come in order.
    let mut result = if sets.iter().flatten().all(|set| set.is_integers()) {
        Set::new()
    } else {
        Set::of_table(&shape)
    };
    operation(&sets, &mut result, &shape);
    call.reply.set(result.len());
    for member in &result {
        answer(call.reply, member);
    }
    Ok(Outcome::Done)
}

fn combine(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    operation: Operation,
    event: &'static str,
) -> Result {
    let target = call.key(args.at(1));
    let keys = operands(call, args.tail(2))?;
    let shape = shape(call, &target);
    let mut result = Set::new();
    operation(&sets(call.held, &keys), &mut result, &shape);
    store(call, &target, result, event);
    Ok(Outcome::Done)
}

fn unite(sets: &[Option<&Set>], result: &mut Set, shape: &Shape) {
    for member in sets.iter().flatten().copied().flatten() {
        result.insert_item(member, shape);
    }
}

fn subtract(sets: &[Option<&Set>], result: &mut Set, shape: &Shape) {
    let Some((Some(first), others)) = sets.split_first() else {
        return;
    };
    let others: SmallVec<[&Set; 8]> = others.iter().flatten().copied().collect();
    if others.iter().any(|other| std::ptr::eq(*other, *first)) {
        return;
    }
    // Asking every set for each member of the first, or taking away what the others have: what
    // is less to do. Asking ends early, which counts for half.
    let all_len: usize = others.iter().map(|set| set.len()).sum();
    if first.len() * (others.len() + 1) / 2 <= first.len() + all_len {
        let mut others = others;
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        for member in *first {
            if !others.iter().any(|other| other.contains_item(member)) {
                result.insert_item(member, shape);
            }
        }
        return;
    }
    for member in *first {
        result.insert_item(member, shape);
    }
    for member in others.into_iter().flatten() {
        if result.is_empty() {
            return;
        }
        result.remove_item(member);
    }
}

/// Puts a result at a key in place of what is there, or removes the key where the result is empty;
/// answers with its length.
fn store(call: &mut Call<'_, '_>, target: &Key<'_>, result: Set, event: &'static str) {
    let now_ms = call.now_ms();
    let len = result.len();
    // What has expired is not overwritten.
    let is_taken = call.shard(target).exists(target, now_ms);
    if len == 0 {
        if let Some(entry) = call.shard(target).remove(target) {
            call.let_go(entry.value);
            call.changed(target, Events::GENERIC, "del");
        }
        call.reply.integer(0);
        return;
    }
    let old = call.shard(target).insert(target, Value::Set(result), None);
    let old_kind = old.as_ref().map(Value::kind);
    if let Some(old) = old {
        call.let_go(old);
    }
    if is_taken {
        call.notify(target, Events::OVERWRITTEN, "overwritten");
        if old_kind.is_some_and(|kind| kind != crate::store::Kind::Set) {
            call.notify(target, Events::TYPE_CHANGED, "type_changed");
        }
    } else {
        call.notify(target, Events::NEW, "new");
    }
    call.changed(target, Events::SET, event);
    call.reply.integer(reply_len(len));
}
