//! ZADD ZINCRBY.

use smallvec::SmallVec;

use crate::command::ahead::Ahead;
use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::config::Events;
use crate::protocol::number::parse_f64;
use crate::protocol::{Args, Reply};
use crate::store::sorted_set::{Limits, SortedSet};
use crate::store::{Key, Value};

use super::limits;

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
pub fn zadd(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    add(call, args, Wish::default())
}

/// ZINCRBY key increment member
///
/// As in Redis it is ZADD with INCR, down to options that stand where the increment should.
pub fn zincrby(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wish = Wish {
        incr: true,
        ..Wish::default()
    };
    add(call, args, wish)
}

/// The options of ZADD.
#[derive(Clone, Copy, Default)]
struct Wish {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    ch: bool,
    incr: bool,
}

impl Wish {
    /// Reads options up to the first score; returns its position.
    #[inline]
    fn parse(&mut self, args: Args<'_>) -> usize {
        let mut at = 2;
        while let Some(option) = args.get(at) {
            // Most arguments here are scores.
            let Some(b'a'..=b'z' | b'A'..=b'Z') = option.first() else {
                break;
            };
            let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
            if is(b"nx") {
                self.nx = true;
            } else if is(b"xx") {
                self.xx = true;
            } else if is(b"gt") {
                self.gt = true;
            } else if is(b"lt") {
                self.lt = true;
            } else if is(b"ch") {
                self.ch = true;
            } else if is(b"incr") {
                self.incr = true;
            } else {
                break;
            }
            at += 1;
        }
        at
    }

    fn check(self, pairs_len: usize) -> Result<()> {
        if self.nx && self.xx {
            return Err(Error::text(
                "XX and NX options at the same time are not compatible",
            ));
        }
        let named = [self.nx, self.gt, self.lt];
        if named.iter().filter(|&&named| named).count() > 1 {
            return Err(Error::text(
                "GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.incr && pairs_len > 1 {
            return Err(Error::text(
                "INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }

    fn event(self) -> &'static str {
        if self.incr { "zincr" } else { "zadd" }
    }

    /// The score that a member gets which had `old`, if it gets any.
    #[inline]
    fn decide(self, old: Option<f64>, given: f64) -> Decision {
        let Some(old) = old else {
            return if self.xx {
                Decision::Refused
            } else {
                Decision::Given(given)
            };
        };
        if self.nx {
            return Decision::Refused;
        }
        let score = if self.incr { old + given } else { given };
        if score.is_nan() {
            return Decision::NotANumber;
        }
        if self.lt && score >= old || self.gt && score <= old {
            return Decision::Refused;
        }
        Decision::Given(score)
    }
}

/// What becomes of a score.
#[derive(Clone, Copy, PartialEq)]
enum Decision {
    Given(f64),
    Refused,
    NotANumber,
}

fn add(call: &mut Call<'_, '_>, args: Args<'_>, mut wish: Wish) -> Result {
    let first = wish.parse(args);
    let pairs = args.tail(first);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    wish.check(pairs.len() / 2)?;
    let mut scores: SmallVec<[f64; 4]> = SmallVec::new();
    for at in (0..pairs.len()).step_by(2) {
        scores.push(parse_f64(pairs.at(at)).ok_or(Error::NotFloat)?);
    }
    let key = call.key(args.at(1));
    let (now_ms, limits) = (call.now_ms(), limits(call));
    let Some(set) = call.held.shard_of(&key).sorted_set(&key, now_ms)? else {
        return add_to_absent(call, &key, pairs, &scores, wish);
    };
    call.ahead.ask(set, first + 1);
    set.expect(scores.len(), limits);
    let mut done = Done::default();
    done.give_all(set, pairs, &scores, wish, limits)?;
    done.answer(call.reply, wish);
    // A score and a member, and nothing else to heed.
    if args.len() == 4 && !wish.incr {
        done.add_following(set, limits, &mut call.ahead, call.reply);
    }
    if done.added + done.updated > 0 {
        call.changed(&key, Events::SORTED_SET, wish.event());
    }
    Ok(Outcome::Done)
}

/// Adds to a set that is not there yet.
#[cold]
fn add_to_absent(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    pairs: Args<'_>,
    scores: &[f64],
    wish: Wish,
) -> Result {
    let limits = limits(call);
    let mut done = Done::default();
    if !wish.xx {
        let mut set = SortedSet::sized(scores.len(), pairs.at(1).len(), limits);
        done.give_all(&mut set, pairs, scores, wish, limits)?;
        let shard = call.held.shard_of(key);
        shard.insert_new(key, Value::SortedSet(Box::new(set)), None);
    }
    done.answer(call.reply, wish);
    if done.added > 0 {
        call.notify(key, Events::NEW, "new");
        call.changed(key, Events::SORTED_SET, wish.event());
    }
    Ok(Outcome::Done)
}

/// What adding did.
#[derive(Default)]
struct Done {
    added: i64,
    updated: i64,
    /// The score of the last member, unless an option kept it from getting one.
    last: Option<f64>,
}

impl Done {
    /// Gives a score to a member, if `wish` has it; says whether it is a number.
    #[inline(always)]
    #[allow(clippy::float_cmp, reason = "scores that differ at all differ")]
    #[allow(
        clippy::inline_always,
        reason = "as it was with one caller: 100 of ZADD's 2600 instructions"
    )]
    fn give(
        &mut self,
        set: &mut SortedSet,
        member: &[u8],
        given: f64,
        wish: Wish,
        limits: Limits,
    ) -> bool {
        let mut is_number = true;
        set.update(member, limits, |old| {
            let decision = wish.decide(old, given);
            is_number = decision != Decision::NotANumber;
            self.last = match decision {
                Decision::Given(score) => Some(score),
                Decision::Refused | Decision::NotANumber => None,
            };
            match (old, self.last) {
                (None, Some(_)) => self.added += 1,
                // Zero of the other sign is no other score.
                (Some(old), Some(score)) if old == score => return Some(old),
                (Some(_), Some(_)) => self.updated += 1,
                (_, None) => {}
            }
            self.last
        });
        is_number
    }

    /// Gives scores to members. Only an increment can fail, and comes alone: all or nothing is done.
    #[inline]
    fn give_all(
        &mut self,
        set: &mut SortedSet,
        pairs: Args<'_>,
        scores: &[f64],
        wish: Wish,
        limits: Limits,
    ) -> Result<()> {
        let mut is_number = true;
        for (at, &given) in scores.iter().enumerate() {
            is_number &= self.give(set, pairs.at(at * 2 + 1), given, wish, limits);
        }
        if is_number {
            Ok(())
        } else {
            Err(Error::text("resulting score is not a number (NaN)"))
        }
    }

    /// Adds the members of the requests that follow, to the same set, each with a score and no more.
    #[inline]
    fn add_following(
        &mut self,
        set: &mut SortedSet,
        limits: Limits,
        ahead: &mut Ahead<'_>,
        reply: &mut Reply,
    ) {
        let pair = |[score, member]: [_; 2]| Some((parse_f64(score)?, member));
        while let Some((score, member)) = ahead.take(reply, pair) {
            ahead.ask(set, 3);
            set.expect(1, limits);
            let before = self.added;
            self.give(set, member, score, Wish::default(), limits);
            reply.integer(self.added - before);
        }
    }

    #[inline]
    fn answer(&self, reply: &mut Reply, wish: Wish) {
        match self.last {
            Some(score) if wish.incr => reply.double(score),
            None if wish.incr => reply.null(),
            _ if wish.ch => reply.integer(self.added + self.updated),
            _ => reply.integer(self.added),
        }
    }
}
