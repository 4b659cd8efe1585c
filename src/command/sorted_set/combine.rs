//! ZUNION ZINTER ZDIFF, what they store, and ZINTERCARD.

use smallvec::SmallVec;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::protocol::number::{parse_f64, parse_i64};
use crate::store::sorted_set::{Limits, Order, SortedSet};
use crate::store::{Held, Key, Set, Value};

use super::{limits, open_members, parse_integer, reply_len, store, write_member};

/// ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
/// [WITHSCORES]
pub fn zunion(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, "zunion", Operation::Union)
}

/// ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]
/// [WITHSCORES]
pub fn zinter(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, "zinter", Operation::Intersection)
}

/// ZDIFF numkeys key [key ...] [WITHSCORES]
pub fn zdiff(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, "zdiff", Operation::Difference)
}

/// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]]
/// [AGGREGATE <SUM | MIN | MAX>]
pub fn zunionstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    put(call, args, "zunionstore", Operation::Union)
}

/// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]]
/// [AGGREGATE <SUM | MIN | MAX>]
pub fn zinterstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    put(call, args, "zinterstore", Operation::Intersection)
}

/// ZDIFFSTORE destination numkeys key [key ...]
pub fn zdiffstore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    put(call, args, "zdiffstore", Operation::Difference)
}

/// ZINTERCARD numkeys key [key ...] [LIMIT limit]
pub fn zintercard(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (keys, options) = read_keys(call, args, 1, "zintercard")?;
    let (mut options, mut limit) = (options.iter(), 0);
    while let Some(option) = options.next() {
        let value = options.next().ok_or(Error::Syntax)?;
        if !option.eq_ignore_ascii_case(b"limit") {
            return Err(Error::Syntax);
        }
        let value = parse_i64(value).and_then(|limit| usize::try_from(limit).ok());
        limit = value.ok_or_else(|| Error::text("LIMIT can't be negative"))?;
    }
    let sources = Source::all(call.held, &keys, &[]);
    let most = if limit == 0 { usize::MAX } else { limit };
    let mut len = 0;
    intersect(&by_size(sources), Aggregate::Sum, |_, _| {
        len += 1;
        len < most
    });
    call.reply.integer(reply_len(len));
    Ok(Outcome::Done)
}

fn show(call: &mut Call<'_, '_>, args: Args<'_>, name: &str, operation: Operation) -> Result {
    let (set, with_scores) = combine(call, args, 1, name, operation)?;
    let reply = &mut *call.reply;
    open_members(reply, set.len(), with_scores);
    set.for_each(|member, score| write_member(reply, member, score, with_scores));
    Ok(Outcome::Done)
}

fn put(call: &mut Call<'_, '_>, args: Args<'_>, name: &str, operation: Operation) -> Result {
    let (set, _) = combine(call, args, 2, name, operation)?;
    let (target, limits) = (call.key(args.at(1)), limits(call));
    store(call, &target, set.settled(limits), name);
    Ok(Outcome::Done)
}

/// The keys that a request names from the count at position `at` on, and the arguments after them.
/// All hold sets or nothing; what has expired is gone.
fn read_keys<'a>(
    call: &mut Call<'_, '_>,
    args: Args<'a>,
    at: usize,
    name: &str,
) -> Result<(Keys<'a>, Args<'a>)> {
    let count = parse_integer(args.at(at))?;
    if count < 1 {
        return Err(Error::text(&format!(
            "at least 1 input key is needed for '{name}' command"
        )));
    }
    let first = at + 1;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > args.len() - first {
        return Err(Error::Syntax);
    }
    let mut keys = Keys::new();
    for name in args.from(first).take(count) {
        let key = call.key(name);
        let now_ms = call.now_ms();
        let found = call.shard(&key).value(&key, now_ms);
        let is_found = found.is_some();
        let is_usable = found.is_none_or(|value| Members::of(value).is_some());
        call.looked_up(&key, is_found);
        if !is_usable {
            return Err(Error::WrongType);
        }
        keys.push(key);
    }
    Ok((keys, args.tail(first + count)))
}

type Keys<'a> = SmallVec<[Key<'a>; 4]>;

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn parse(word: &[u8]) -> Option<Self> {
        let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
        if is(b"sum") {
            Some(Self::Sum)
        } else if is(b"min") {
            Some(Self::Min)
        } else if is(b"max") {
            Some(Self::Max)
        } else {
            None
        }
    }

    /// Both scores in one. Infinities that cancel each other out make 0.
    fn of(self, one: f64, other: f64) -> f64 {
        match self {
            Self::Sum => not_nan(one + other),
            Self::Min if other < one => other,
            Self::Max if other > one => other,
            Self::Min | Self::Max => one,
        }
    }
}

fn not_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What a key holds that can be combined.
#[derive(Clone, Copy)]
enum Members<'a> {
    None,
    Sorted(&'a SortedSet),
    /// Each member counts 1.
    Plain(&'a Set),
}

impl<'a> Members<'a> {
    /// Nothing if the value is of no such type.
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::SortedSet(set) => Some(Self::Sorted(set)),
            Value::Set(set) => Some(Self::Plain(set)),
            _ => None,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Sorted(set) => set.len(),
            Self::Plain(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Sorted(set) => set.score(member),
            Self::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Shows all members for as long as `visit` says so.
    fn walk(self, mut visit: impl FnMut(&[u8], f64) -> bool) {
        match self {
            Self::None => {}
            Self::Sorted(set) => set.walk_while(0, Order::Up, visit),
            Self::Plain(set) => {
                let mut members = set.iter();
                while members
                    .next()
                    .is_some_and(|member| member.with_bytes(|member| visit(member, 1.0)))
                {
                }
            }
        }
    }
}

/// A set to combine, and what its scores count.
#[derive(Clone, Copy)]
struct Source<'a> {
    members: Members<'a>,
    weight: f64,
}

type Sources<'a> = SmallVec<[Source<'a>; 4]>;

impl<'a> Source<'a> {
    /// The sources at these keys; weights that are missing are 1.
    fn all(held: &'a Held<'_>, keys: &[Key<'_>], weights: &[f64]) -> Sources<'a> {
        let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
        keys.iter()
            .zip(weights)
            .map(|(key, weight)| Self {
                members: held
                    .look(key)
                    .and_then(Members::of)
                    .unwrap_or(Members::None),
                weight,
            })
            .collect()
    }
}

/// The options of ZUNION, ZINTER, ZDIFF and their storing forms.
struct Options {
    weights: SmallVec<[f64; 4]>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl Options {
    fn parse(
        options: Args<'_>,
        keys_len: usize,
        operation: Operation,
        stores: bool,
    ) -> Result<Self> {
        let mut parsed = Self {
            weights: SmallVec::new(),
            aggregate: Aggregate::Sum,
            with_scores: false,
        };
        let counts = operation != Operation::Difference;
        let mut at = 0;
        while let Some(option) = options.get(at) {
            at += 1;
            let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
            if counts && is(b"weights") && options.len() >= at + keys_len {
                parsed.weights.clear();
                for weight in options.from(at).take(keys_len) {
                    let weight = parse_f64(weight);
                    let refusal = || Error::text("weight value is not a float");
                    parsed.weights.push(weight.ok_or_else(refusal)?);
                }
                at += keys_len;
            } else if counts && is(b"aggregate") {
                let word = options.get(at).ok_or(Error::Syntax)?;
                at += 1;
                parsed.aggregate = Aggregate::parse(word).ok_or(Error::Syntax)?;
            } else if !stores && is(b"withscores") {
                parsed.with_scores = true;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(parsed)
    }
}

/// What a request asks for, with its count of keys at position `at`, and whether it wants scores.
fn combine(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    at: usize,
    name: &str,
    operation: Operation,
) -> Result<(SortedSet, bool)> {
    let (keys, options) = read_keys(call, args, at, name)?;
    let options = Options::parse(options, keys.len(), operation, at > 1)?;
    let (limits, aggregate) = (limits(call), options.aggregate);
    // Every result is made in the large form, whose zeros keep their signs.
    let sources = Source::all(call.held, &keys, &options.weights);
    let mut result = SortedSet::large();
    match operation {
        Operation::Union => unite(&mut result, &by_size(sources), aggregate, limits),
        Operation::Intersection => intersect(&by_size(sources), aggregate, |member, score| {
            result.insert(member, score, limits);
            true
        }),
        Operation::Difference => subtract(&mut result, &sources, limits),
    }
    Ok((result, options.with_scores))
}

/// The smallest first: what Redis does, which shows where floating-point sums depend on their order.
fn by_size(mut sources: Sources<'_>) -> Sources<'_> {
    sources.sort_by_key(|source| source.members.len());
    sources
}

fn unite(result: &mut SortedSet, sources: &[Source<'_>], aggregate: Aggregate, limits: Limits) {
    for source in sources {
        source.members.walk(|member, score| {
            let score = not_nan(score * source.weight);
            result.update(member, limits, |old| {
                Some(old.map_or(score, |old| aggregate.of(old, score)))
            });
            true
        });
    }
}

/// Shows what is in all sources for as long as `visit` says so.
fn intersect(
    sources: &[Source<'_>],
    aggregate: Aggregate,
    mut visit: impl FnMut(&[u8], f64) -> bool,
) {
    let Some((first, others)) = sources.split_first() else {
        return;
    };
    first.members.walk(|member, score| {
        let mut total = not_nan(score * first.weight);
        for other in others {
            let Some(score) = other.members.score(member) else {
                return true;
            };
            total = aggregate.of(total, score * other.weight);
        }
        visit(member, total)
    });
}

fn subtract(result: &mut SortedSet, sources: &[Source<'_>], limits: Limits) {
    let Some((first, others)) = sources.split_first() else {
        return;
    };
    first.members.walk(|member, score| {
        let is_elsewhere = |other: &Source<'_>| other.members.score(member).is_some();
        if !others.iter().any(is_elsewhere) {
            result.insert(member, score, limits);
        }
        true
    });
}
