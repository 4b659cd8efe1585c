//! BLPOP BRPOP BLMPOP BLMOVE BRPOPLPUSH.
//!
//! Each tries what its plain form does and, where there is nothing, asks to wait for its keys.

use smallvec::smallvec;

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::multi_pop::MultiPop;
use crate::command::outcome::{Block, Nothing, Outcome, Result};
use crate::protocol::number::{DecimalError, add_decimal, parse_f64, parse_i64};
use crate::protocol::{Args, Reply};
use crate::store::{End, Kind};

use super::parse_end;
use super::pop::{pop_first, pop_one};
use super::transfer::transfer;

/// BLPOP key [key ...] timeout
pub fn blpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop_or_wait(call, args, End::Front)
}

/// BRPOP key [key ...] timeout
pub fn brpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    pop_or_wait(call, args, End::Back)
}

fn pop_or_wait(call: &mut Call<'_, '_>, args: Args<'_>, end: End) -> Result {
    let last = args.len() - 1;
    let timeout_us = parse_timeout(args.at(last))?;
    for name in args.head(last).from(1) {
        let key = call.key(name);
        let head = |reply: &mut Reply| {
            reply.array(2);
            reply.bulk(name);
        };
        if pop_one(call, &key, end, head)? {
            return Ok(Outcome::Done);
        }
    }
    Ok(Block::new(Kind::Queue, (1..last).collect(), timeout_us).into())
}

/// BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]
pub fn blmpop(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = MultiPop::parse(args, 2, parse_end)?;
    let timeout_us = parse_timeout(args.at(1))?;
    if pop_first(call, args, &wanted)? {
        return Ok(Outcome::Done);
    }
    Ok(Block::new(Kind::Queue, wanted.keys(), timeout_us).into())
}

/// BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout
pub fn blmove(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (from, to) = (parse_end(args.at(3))?, parse_end(args.at(4))?);
    let timeout_us = parse_timeout(args.at(5))?;
    transfer_or_wait(call, args, from, to, timeout_us)
}

/// BRPOPLPUSH source destination timeout
pub fn brpoplpush(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let timeout_us = parse_timeout(args.at(3))?;
    transfer_or_wait(call, args, End::Back, End::Front, timeout_us)
}

fn transfer_or_wait(
    call: &mut Call<'_, '_>,
    args: Args<'_>,
    from: End,
    to: End,
    timeout_us: Option<u64>,
) -> Result {
    if transfer(call, args, from, to)? {
        return Ok(Outcome::Done);
    }
    let block = Block {
        destination: Some(2),
        nothing: Nothing::Null,
        ..Block::new(Kind::Queue, smallvec![1], timeout_us)
    };
    Ok(block.into())
}

/// Whole seconds up to this, some thirty years, are not looked at as a number with a fraction.
const WHOLE_SECONDS_MAX: i64 = 1_000_000_000;

/// A timeout in seconds, perhaps with a fraction, as microseconds; 0 is for ever.
pub(in crate::command) fn parse_timeout(argument: &[u8]) -> Result<Option<u64>> {
    if let Some(seconds @ 0..=WHOLE_SECONDS_MAX) = parse_i64(argument) {
        return Ok((seconds > 0).then(|| seconds.unsigned_abs() * 1_000_000));
    }
    let Some(seconds) = parse_f64(argument) else {
        // A number that only Redis's wider floats can hold is too large, not malformed.
        let refusal = match add_decimal(b"0", argument) {
            Ok(_) | Err(DecimalError::NotFinite) => "timeout is out of range",
            Err(DecimalError::NotAFloat) => "timeout is not a float or out of range",
        };
        return Err(Error::text(refusal));
    };
    // Milliseconds, rounded up, must fit in 63 bits.
    let milliseconds = (seconds * 1000.0).ceil();
    if milliseconds < 0.0 {
        return Err(Error::text("timeout is negative"));
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "the bound may be off by a millisecond"
    )]
    if milliseconds >= i64::MAX as f64 {
        return Err(Error::text("timeout is out of range"));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above"
    )]
    let milliseconds = milliseconds as u64;
    Ok((milliseconds > 0).then(|| milliseconds.saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::parse_timeout;
    use crate::command::testing::Bench;

    #[test]
    fn timeouts_are_seconds_with_fractions() {
        assert_eq!(parse_timeout(b"0").ok(), Some(None));
        assert_eq!(parse_timeout(b"30").ok(), Some(Some(30_000_000)));
        assert_eq!(parse_timeout(b"30.0").ok(), Some(Some(30_000_000)));
        assert_eq!(parse_timeout(b"1.5").ok(), Some(Some(1_500_000)));
        assert_eq!(parse_timeout(b"0.0001").ok(), Some(Some(1000)));
        assert_eq!(
            parse_timeout(b"-0.0001").ok(),
            Some(None),
            "0 when it is rounded up"
        );
        assert!(parse_timeout(b"-1").is_err());
        assert!(parse_timeout(b"x").is_err());
        assert!(parse_timeout(b"1e300").is_err());
    }

    #[test]
    fn first_come_is_first_served() {
        let bench = Bench::new();
        let (mut first, mut second) = (bench.client(), bench.client());
        assert_eq!(bench.play(&mut first, "blpop a b 0"), "(blocked)");
        assert_eq!(bench.play(&mut second, "brpop b 0"), "(blocked)");
        assert_eq!(bench.run("rpush b 1 2 3"), ":3");
        assert_eq!(first.look(), "*2 $1 b $1 1");
        assert_eq!(second.look(), "*2 $1 b $1 3");
        assert_eq!(bench.run("lrange b 0 -1"), "*1 $1 2");
        assert_eq!(bench.run("rpush a x"), ":1");
        assert_eq!(first.look(), "");
    }

    /// Whoever is called by one key tries all of its own in their order, as in Redis, even where that
    /// passes over who waits for another one that came to life in the same step.
    #[test]
    fn who_is_called_takes_from_the_first_key_that_has_something() {
        let bench = Bench::new();
        let (mut one, mut several) = (bench.client(), bench.client());
        assert_eq!(bench.play(&mut one, "brpop a 0"), "(blocked)");
        assert_eq!(bench.play(&mut several, "brpop none a b 0"), "(blocked)");
        let mut pusher = bench.client();
        for command in ["multi", "lpush b x", "lpush a y", "exec"] {
            bench.play(&mut pusher, command);
        }
        assert_eq!(several.look(), "*2 $1 a $1 y");
        assert_eq!(one.look(), "");
        assert_eq!(bench.run("lrange b 0 -1"), "*1 $1 x");
    }

    #[test]
    fn moves_chain_through_waiters() {
        let bench = Bench::new();
        let (mut mover, mut last) = (bench.client(), bench.client());
        assert_eq!(
            bench.play(&mut mover, "blmove a b left right 0"),
            "(blocked)"
        );
        assert_eq!(bench.play(&mut last, "blpop b 0"), "(blocked)");
        assert_eq!(bench.run("lpush a x"), ":1");
        assert_eq!(mover.look(), "$1 x");
        assert_eq!(last.look(), "*2 $1 b $1 x");
        assert_eq!(bench.run("exists a b"), ":0");
    }

    #[test]
    fn a_transaction_serves_after_its_last_command() {
        let bench = Bench::new();
        let (mut waiter, mut pusher) = (bench.client(), bench.client());
        assert_eq!(bench.play(&mut waiter, "blpop a b 0"), "(blocked)");
        for command in ["multi", "rpush b 1", "rpush a 2"] {
            bench.play(&mut pusher, command);
            assert_eq!(waiter.look(), "");
        }
        assert_eq!(bench.play(&mut pusher, "exec"), "*2 :1 :1");
        assert_eq!(waiter.look(), "*2 $1 a $1 2");
    }
}
