//! WEIR.POLICY: bounds by pattern, changed live; WEIR.DEADLETTER: what is known of dead letters.

use crate::command::bounds;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::policy::{Kind, Policies, Rule};
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

/// WEIR.POLICY SET pattern [KIND queue|stream|channel] [MAX-LENGTH n] [MAX-BYTES n] [MAX-AGE ms]
/// [EXPIRE-IDLE ms] [OVERFLOW reject|drop-oldest|drop-newest|disconnect] [DEAD-LETTER key]
/// [MAX-DELIVERIES n] [MEMORY shed|keep] [ALERT-LENGTH n] [ALERT-AGE ms]
pub(super) fn set(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let rule = Rule::parse(args.from(2)).map_err(|reason| Error::text(&reason))?;
    let changed = call.engine.policies().with(rule);
    put_in_force(call, changed.map_err(|reason| Error::text(&reason))?);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// WEIR.POLICY DEL pattern [KIND queue|stream|channel]
pub(super) fn del(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let kind = parse_kind(args, 3)?;
    let changed = call.engine.policies().without(kind, args.at(2));
    let changed = changed.map_err(|reason| Error::text(&reason))?;
    call.reply.integer(i64::from(changed.is_some()));
    if let Some(policies) = changed {
        put_in_force(call, policies);
    }
    Ok(Outcome::Done)
}

/// Has everything follow other policies before the command is over. All shards are held.
fn put_in_force(call: &mut Call<'_, '_>, policies: Policies) {
    call.engine.govern(call.held, policies);
    bounds::settle(call);
}

/// WEIR.POLICY GET pattern [KIND queue|stream|channel]
pub(super) fn get(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let kind = parse_kind(args, 3)?;
    match call.engine.policies().get(kind, args.at(2)) {
        Some(rule) => reply_rule(call, rule),
        None => call.reply.null(),
    }
    Ok(Outcome::Done)
}

/// WEIR.POLICY LIST
pub(super) fn list(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let policies = call.engine.policies();
    call.reply.array(policies.iter().count());
    for rule in policies.iter() {
        reply_rule(call, rule);
    }
    Ok(Outcome::Done)
}

/// WEIR.POLICY EXPLAIN name [KIND queue|stream|channel]
pub(super) fn explain(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let kind = parse_kind(args, 3)?;
    let policies = call.engine.policies();
    let matching: Vec<&Rule> = policies.matching(kind, args.at(2)).collect();
    call.reply.map(3);
    call.reply.bulk(b"policy");
    match matching.first() {
        Some(rule) => reply_rule(call, rule),
        None => call.reply.null(),
    }
    call.reply.bulk(b"why");
    let why = match &matching[..] {
        [] => format!("no pattern of {} policies matches", kind.name()),
        [only] => format!("the only pattern that matches; {}", only.reason()),
        [first, ..] => format!(
            "the most specific of {} patterns that match; {}",
            matching.len(),
            first.reason()
        ),
    };
    call.reply.bulk_str(&why);
    call.reply.bulk(b"passed-over");
    call.reply.array(matching.len().saturating_sub(1));
    for rule in matching.iter().skip(1) {
        call.reply.bulk(&rule.pattern);
    }
    Ok(Outcome::Done)
}

/// `[KIND kind]` from position `at` to the end; queues without it.
fn parse_kind(args: Args<'_>, at: usize) -> Result<Kind> {
    match args.len() - at.min(args.len()) {
        0 => Ok(Kind::default()),
        2 if args.at(at).eq_ignore_ascii_case(b"kind") => {
            Kind::parse(args.at(at + 1)).ok_or(Error::Syntax)
        }
        _ => Err(Error::Syntax),
    }
}

/// A policy as a map: numbers as integers, all else as text.
fn reply_rule(call: &mut Call<'_, '_>, rule: &Rule) {
    call.reply
        .map(2 + rule.numbers().count() + rule.words().count());
    call.reply.bulk(b"pattern");
    call.reply.bulk(&rule.pattern);
    call.reply.bulk(b"kind");
    call.reply.bulk(rule.kind.name().as_bytes());
    for (name, number) in rule.numbers() {
        call.reply.bulk(name.as_bytes());
        call.reply
            .integer(i64::try_from(number).unwrap_or(i64::MAX));
    }
    for (name, word) in rule.words() {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(word);
    }
}

/// WEIR.DEADLETTER key [COUNT count]
pub(super) fn deadletter(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let count = match args.len() {
        2 => 10,
        4 if args.at(2).eq_ignore_ascii_case(b"count") => parse_i64(args.at(3))
            .and_then(|count| usize::try_from(count).ok())
            .ok_or(Error::OutOfRange)?,
        _ => return Err(Error::Syntax),
    };
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let letters = call.shard(&key).letters_of(&key, now_ms)?;
    call.reply.array(letters.len().min(count));
    for letter in letters.into_iter().take(count) {
        call.reply.map(4);
        call.reply.bulk(b"source");
        call.reply.bulk(&letter.source);
        call.reply.bulk(b"cause");
        call.reply.bulk(letter.cause.name().as_bytes());
        for (name, ms) in [("at", letter.at_ms), ("waited", letter.waited_ms)] {
            call.reply.bulk(name.as_bytes());
            call.reply.integer(i64::try_from(ms).unwrap_or(i64::MAX));
        }
    }
    Ok(Outcome::Done)
}
