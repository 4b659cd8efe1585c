//! ZRANGE and its older forms, ZRANGESTORE: parts of a set by rank, score or member.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::store::sorted_set::{self, LexRange, Order, ScoreRange, SortedSet};

use super::{bounds, limits, open_members, parse_integer, store, write_member};

/// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
pub fn zrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, Form::default())
}

/// ZREVRANGE key start stop [WITHSCORES]
pub fn zrevrange(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, Form::fixed(By::Rank, Order::Down))
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
pub fn zrangebyscore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, Form::fixed(By::Score, Order::Up))
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
pub fn zrevrangebyscore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, Form::fixed(By::Score, Order::Down))
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
pub fn zrangebylex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, Form::fixed(By::Member, Order::Up))
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
pub fn zrevrangebylex(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    show(call, args, Form::fixed(By::Member, Order::Down))
}

/// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
pub fn zrangestore(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let form = Form {
        stores: true,
        ..Form::default()
    };
    let wanted = Wanted::parse(args.tail(2), form)?;
    let (target, source) = (call.key(args.at(1)), call.key(args.at(2)));
    let (now_ms, limits) = (call.now_ms(), limits(call));
    let found = call.held.shard_of(&source).sorted_set(&source, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_found = found.is_some();
    let mut part = SortedSet::new();
    if let Some(set) = found {
        let (start, len) = wanted.part_of(set);
        // How much it will be is known beforehand by rank only, says Redis.
        let expected = if wanted.is_by_rank() { len } else { 0 };
        part = SortedSet::sized(expected, 0, limits);
        set.walk(start, len, wanted.order, |member, score| {
            part.insert(member, score, limits);
        });
    }
    call.looked_up(&source, is_found);
    store(call, &target, part, "zrangestore");
    Ok(Outcome::Done)
}

fn show(call: &mut Call<'_, '_>, args: Args<'_>, form: Form) -> Result {
    let wanted = Wanted::parse(args.tail(1), form)?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).sorted_set(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_found = found.is_some();
    if let Some(set) = found {
        let (start, len) = wanted.part_of(set);
        let reply = &mut *call.reply;
        open_members(reply, len, wanted.with_scores);
        set.walk(start, len, wanted.order, |member, score| {
            write_member(reply, member, score, wanted.with_scores);
        });
    } else {
        call.reply.empty_array();
    }
    call.looked_up(&key, is_found);
    Ok(Outcome::Done)
}

/// What a range is by.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What the name of a command leaves open for options to say.
#[derive(Clone, Copy, Default)]
struct Form {
    by: Option<By>,
    order: Option<Order>,
    stores: bool,
}

impl Form {
    fn fixed(by: By, order: Order) -> Self {
        Self {
            by: Some(by),
            order: Some(order),
            stores: false,
        }
    }
}

/// A range with its ends.
enum Ends<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

/// The arguments of a range.
struct Wanted<'a> {
    ends: Ends<'a>,
    order: Order,
    with_scores: bool,
    offset: i64,
    count: i64,
}

impl<'a> Wanted<'a> {
    /// Reads the arguments from the source on.
    fn parse(args: Args<'a>, mut form: Form) -> Result<Self> {
        let (mut with_scores, mut offset, mut count) = (false, 0, -1);
        // The forms with a name of their own say both, and neither can be said twice.
        let may_reverse = form.order.is_none();
        let mut at = 3;
        while let Some(option) = args.get(at) {
            let is = |word: &[u8]| option.eq_ignore_ascii_case(word);
            if !form.stores && is(b"withscores") {
                with_scores = true;
            } else if is(b"limit") && args.len() > at + 2 {
                offset = parse_integer(args.at(at + 1))?;
                count = parse_integer(args.at(at + 2))?;
                at += 2;
            } else if may_reverse && form.order.is_none() && is(b"rev") {
                form.order = Some(Order::Down);
            } else if form.by.is_none() && is(b"bylex") {
                form.by = Some(By::Member);
            } else if form.by.is_none() && is(b"byscore") {
                form.by = Some(By::Score);
            } else {
                return Err(Error::Syntax);
            }
            at += 1;
        }
        let by = form.by.unwrap_or(By::Rank);
        let order = form.order.unwrap_or(Order::Up);
        if count != -1 && by == By::Rank {
            return Err(Error::text(
                "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Member {
            return Err(Error::text(
                "syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (first, last) = (args.at(1), args.at(2));
        let (min, max) = if order == Order::Up {
            (first, last)
        } else {
            (last, first)
        };
        let ends = match by {
            By::Rank => Ends::Ranks(parse_integer(first)?, parse_integer(last)?),
            By::Score => Ends::Scores(bounds::parse_scores(min, max)?),
            By::Member => Ends::Members(bounds::parse_members(min, max)?),
        };
        Ok(Self {
            ends,
            order,
            with_scores,
            offset,
            count,
        })
    }

    fn is_by_rank(&self) -> bool {
        matches!(self.ends, Ends::Ranks(..))
    }

    /// Where the part of a set begins, counted in the order of the walk, and its length.
    #[inline]
    fn part_of(&self, set: &SortedSet) -> (usize, usize) {
        // A negative offset skips all, a negative count takes all.
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let most = usize::try_from(self.count).unwrap_or(usize::MAX);
        match &self.ends {
            Ends::Ranks(start, stop) => {
                let ranks = bounds::ranks(*start, *stop, set.len());
                (ranks.start, ranks.len())
            }
            Ends::Scores(range) => set.part_by_score(range, self.order, skip, most),
            Ends::Members(range) => {
                let ranks = set.ranks_by_member(range);
                sorted_set::cut(&ranks, set.len(), self.order, skip, most)
            }
        }
    }
}
