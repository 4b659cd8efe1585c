//! BITCOUNT BITPOS.

use crate::command::call::Call;
use crate::command::error::Error;
use crate::command::outcome::{Outcome, Result};
use crate::protocol::Args;
use crate::protocol::number::parse_i64;

use super::{bit_range, parse_unit, read};

/// BITCOUNT key [start end [BYTE | BIT]]
pub fn bitcount(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() == 3 || args.len() > 5 {
        return Err(Error::Syntax);
    }
    let (mut start, mut end, mut in_bits) = (0, -1, false);
    if args.len() > 3 {
        start = parse_i64(args.at(2)).ok_or(Error::NotInteger)?;
        end = parse_i64(args.at(3)).ok_or(Error::NotInteger)?;
        in_bits = parse_unit(args, 4)?;
    }
    let key = call.key(args.at(1));
    let count = read(call, &key, |bytes| {
        let bytes = bytes.unwrap_or_default();
        // Both before the string: BITPOS looks at its first byte then.
        if start < 0 && end < start {
            return 0;
        }
        bit_range(start, end, in_bits, bytes.len())
            .map_or(0, |(first, behind)| count(bytes, first, behind))
    })?;
    call.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(Outcome::Done)
}

/// The bits of a byte from `first` to before `behind`, both counted from its top, 0 to 8.
fn window(first: u64, behind: u64) -> u8 {
    let from_first = 0xff_u32 >> first;
    let to_end = 0xff_u32 >> behind;
    (from_first & !to_end).to_le_bytes()[0]
}

/// The bytes that a range of bits touches, with what of the first and the last belongs to it.
fn parts(bytes: &[u8], first: u64, behind: u64) -> (&[u8], u8, u8) {
    let at = |bit: u64| usize::try_from(bit / 8).unwrap_or(usize::MAX);
    let (from, to) = (at(first), at(behind - 1));
    let head = window(first % 8, 8);
    let tail = window(0, (behind - 1) % 8 + 1);
    (&bytes[from..=to], head, tail)
}

/// How many bits are set from `first` to before `behind`, which is past it and within the string.
fn count(bytes: &[u8], first: u64, behind: u64) -> u64 {
    let (touched, head, tail) = parts(bytes, first, behind);
    let (words, rest) = touched.as_chunks::<8>();
    let of_words: u64 = words
        .iter()
        .map(|word| u64::from(u64::from_le_bytes(*word).count_ones()))
        .sum();
    let of_rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    let outside =
        |byte: Option<&u8>, mask: u8| byte.map_or(0, |byte| u64::from((byte & !mask).count_ones()));
    of_words + of_rest - outside(touched.first(), head) - outside(touched.last(), tail)
}

/// BITPOS key bit [start [end [BYTE | BIT]]]
pub fn bitpos(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = match parse_i64(args.at(2)).ok_or(Error::NotInteger)? {
        0 => false,
        1 => true,
        _ => return Err(Error::text("The bit argument must be 1 or 0.")),
    };
    if args.len() > 6 {
        return Err(Error::Syntax);
    }
    let position = |at: usize| {
        let argument = args.get(at).map(parse_i64);
        argument
            .map(|number| number.ok_or(Error::NotInteger))
            .transpose()
    };
    let start = position(3)?;
    // The unit is looked at before the end.
    let in_bits = parse_unit(args, 5)?;
    let end = position(4)?;
    let key = call.key(args.at(1));
    let found = read(call, &key, |bytes| {
        let Some(bytes) = bytes else {
            return if wanted { -1 } else { 0 };
        };
        let range = bit_range(start.unwrap_or(0), end.unwrap_or(-1), in_bits, bytes.len());
        let Some((first, behind)) = range else {
            return -1;
        };
        match find(bytes, first, behind, wanted) {
            Some(bit) => i64::try_from(bit).unwrap_or(i64::MAX),
            // Without an end, zeros follow the string.
            None if !wanted && end.is_none() => i64::try_from(behind).unwrap_or(i64::MAX),
            None => -1,
        }
    })?;
    call.reply.integer(found);
    Ok(Outcome::Done)
}

/// The first bit from `first` to before `behind` that is as wanted.
fn find(bytes: &[u8], first: u64, behind: u64, wanted: bool) -> Option<u64> {
    let (touched, head, tail) = parts(bytes, first, behind);
    let last = touched.len() - 1;
    let flip = if wanted { 0 } else { 0xff };
    let hit = |index: usize| {
        let mut candidates = touched[index] ^ flip;
        if index == 0 {
            candidates &= head;
        }
        if index == last {
            candidates &= tail;
        }
        candidates
    };
    // Only the first and the last byte are masked, and a long string is alike for long.
    let skipped = match hit(0) {
        0 => 1 + run_len(&touched[1..], flip),
        _ => 0,
    };
    let index = (skipped..touched.len()).find(|&index| hit(index) != 0)?;
    let bit = u64::from(hit(index).leading_zeros());
    Some((first / 8 + index as u64) * 8 + bit)
}

/// How many of the first bytes are like `byte`, or a little fewer.
fn run_len(bytes: &[u8], byte: u8) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let alike = [byte; 8];
    words.iter().take_while(|&&word| word == alike).count() * 8
}
