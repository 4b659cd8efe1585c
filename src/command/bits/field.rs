//! BITFIELD `BITFIELD_RO`.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::command::string::announce_change;
use crate::config::Events;
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::bit::{Grown, grow};
use super::{parse_offset, read};

/// The type of a field: `i` or `u` with its width, 1 to 64, or 63 without a sign.
#[derive(Clone, Copy)]
struct Kind {
    is_signed: bool,
    bits: u32,
}

impl Kind {
    fn parse(argument: &[u8]) -> Result<Self> {
        let invalid = || {
            Error::text(
                "Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                 supported but i64 is.",
            )
        };
        let (is_signed, digits) = match argument {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(invalid()),
        };
        let bits = parse_i64(digits).and_then(|bits| u32::try_from(bits).ok());
        let bits_max = if is_signed { 64 } else { 63 };
        let bits = bits.filter(|bits| (1..=bits_max).contains(bits));
        bits.map(|bits| Self { is_signed, bits })
            .ok_or_else(invalid)
    }

    /// The least and the greatest number that it holds.
    fn bounds(self) -> (i128, i128) {
        if self.is_signed {
            (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        } else {
            (0, (1 << self.bits) - 1)
        }
    }

    /// The number whose low bits are those of `number`.
    fn wrap(self, number: i128) -> i128 {
        let (_, max) = self.bounds();
        let modulus: i128 = 1 << self.bits;
        let low = number.rem_euclid(modulus);
        if low > max { low - modulus } else { low }
    }
}

/// What a number does that does not fit its field.
#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

impl Overflow {
    fn parse(argument: &[u8]) -> Result<Self> {
        match argument.to_ascii_lowercase().as_slice() {
            b"wrap" => Ok(Self::Wrap),
            b"sat" => Ok(Self::Saturate),
            b"fail" => Ok(Self::Fail),
            _ => Err(Error::text("Invalid OVERFLOW type specified")),
        }
    }

    /// The number that is kept instead of one, if any is.
    fn fit(self, number: i128, kind: Kind) -> Option<i128> {
        let (min, max) = kind.bounds();
        if (min..=max).contains(&number) {
            return Some(number);
        }
        match self {
            Self::Wrap => Some(kind.wrap(number)),
            Self::Saturate => Some(number.clamp(min, max)),
            Self::Fail => None,
        }
    }
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// One thing to do.
#[derive(Clone, Copy)]
struct Step {
    action: Action,
    kind: Kind,
    offset: u64,
    overflow: Overflow,
}

/// BITFIELD key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value |
/// INCRBY encoding offset increment> ...]
pub fn bitfield(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    run(call, args, false)
}

/// `BITFIELD_RO` key [GET encoding offset ...]
pub fn bitfield_ro(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    run(call, args, true)
}

fn parse(call: &Call<'_, '_>, args: Args<'_>) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let left = args.len() - at - 1;
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("overflow") && left >= 1 {
            overflow = Overflow::parse(args.at(at + 1))?;
            at += 2;
            continue;
        }
        let takes = if is("get") { 2 } else { 3 };
        if !(is("get") || is("set") || is("incrby")) || left < takes {
            return Err(Error::Syntax);
        }
        let kind = Kind::parse(args.at(at + 1))?;
        let offset = match args.at(at + 2) {
            [b'#', index @ ..] => parse_index(call, index, kind)?,
            offset => parse_offset(call, offset)?,
        };
        let action = if is("get") {
            Action::Get
        } else {
            let number = parse_i64(args.at(at + 3)).ok_or(Error::NotInteger)?;
            if is("set") {
                Action::Set(number)
            } else {
                Action::Add(number)
            }
        };
        steps.push(Step {
            action,
            kind,
            offset,
            overflow,
        });
        at += 1 + takes;
    }
    Ok(steps)
}

/// The offset of the field of an index, where all fields before it have the same type.
fn parse_index(call: &Call<'_, '_>, index: &[u8], kind: Kind) -> Result<u64> {
    let bit = parse_i64(index).and_then(|index| index.checked_mul(i64::from(kind.bits)));
    parse_offset(
        call,
        bit.map_or("x".to_owned(), |bit| bit.to_string()).as_bytes(),
    )
}

fn run(call: &mut Call<'_, '_>, args: Args<'_>, only_reads: bool) -> Result {
    let steps = parse(call, args)?;
    let is_read = |step: &Step| matches!(step.action, Action::Get);
    if only_reads && !steps.iter().all(is_read) {
        return Err(Error::text("BITFIELD_RO only supports the GET subcommand"));
    }
    let key = call.key(args.at(1));
    let written = steps.iter().filter(|step| !is_read(step));
    let end = written
        .map(|step| step.offset + u64::from(step.kind.bits))
        .max();
    let Some(end) = end else {
        let found = read(call, &key, |bytes| {
            let bytes = bytes.unwrap_or_default();
            let numbers = steps.iter().map(|step| get(bytes, step));
            numbers.collect::<Vec<_>>()
        })?;
        call.reply.array(found.len());
        for number in found {
            call.reply.integer(as_reply(number));
        }
        return Ok(Outcome::Done);
    };
    let len = usize::try_from(end.div_ceil(8)).unwrap_or(usize::MAX);
    let grown = grow(call, &key, len)?;
    let now_ms = call.now_ms();
    let mut has_changed = grown != Grown::No;
    call.reply.array(steps.len());
    let Some(text) = call.held.shard_of(&key).text(&key, now_ms)? else {
        return Ok(Outcome::Done);
    };
    let bytes = text.make_own();
    let mut is_written = false;
    for step in &steps {
        let old = get(bytes, step);
        let (wanted, answers_new) = match step.action {
            Action::Get => {
                call.reply.integer(as_reply(old));
                continue;
            }
            Action::Set(number) if step.kind.is_signed => (i128::from(number), false),
            // A negative number is a large one to a field without a sign.
            Action::Set(number) => (i128::from(number.cast_unsigned()), false),
            Action::Add(number) => (old + i128::from(number), true),
        };
        let Some(new) = step.overflow.fit(wanted, step.kind) else {
            call.reply.null();
            continue;
        };
        put(bytes, step, new);
        is_written = true;
        has_changed |= new != old;
        call.reply
            .integer(as_reply(if answers_new { new } else { old }));
    }
    if grown == Grown::New && !is_written {
        call.notify(&key, Events::NEW, "new");
    } else if is_written && has_changed {
        announce_change(call, &key, grown == Grown::New, "setbit");
    }
    Ok(Outcome::Done)
}

fn as_reply(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number in a field; bits behind the string are zeros.
fn get(bytes: &[u8], step: &Step) -> i128 {
    let mut number: i128 = 0;
    for bit in step.offset..step.offset + u64::from(step.kind.bits) {
        let byte = usize::try_from(bit / 8).ok().and_then(|at| bytes.get(at));
        let is_set = byte.is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
        number = number << 1 | i128::from(is_set);
    }
    step.kind.wrap(number)
}

/// Writes a number that fits into its field, which lies within the string.
fn put(bytes: &mut [u8], step: &Step, number: i128) {
    for (bit, shift) in (step.offset..).zip((0..step.kind.bits).rev()) {
        let mask = 0x80_u8 >> (bit % 8);
        let byte = &mut bytes[usize::try_from(bit / 8).unwrap_or(usize::MAX)];
        if number >> shift & 1 == 0 {
            *byte &= !mask;
        } else {
            *byte |= mask;
        }
    }
}
