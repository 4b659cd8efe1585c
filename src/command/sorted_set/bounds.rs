//! The ends of ranges as clients write them: `1.5`, `(1.5`, `-inf`; `[a`, `(a`, `-`, `+`; `0`, `-1`.

use std::ops::Range;

use crate::command::error::Error;
use crate::command::outcome::Result;
use crate::protocol::number;
use crate::store::sorted_set::{LexBound, LexRange, ScoreBound, ScoreRange};

/// A range of scores.
#[inline]
pub fn parse_scores(min: &[u8], max: &[u8]) -> Result<ScoreRange> {
    let bounds = parse_score(min).zip(parse_score(max));
    let (min, max) = bounds.ok_or(Error::line("ERR min or max is not a float"))?;
    Ok(ScoreRange { min, max })
}

fn parse_score(argument: &[u8]) -> Option<ScoreBound> {
    let excluded = argument.first() == Some(&b'(');
    let score = parse_lenient(&argument[usize::from(excluded)..])?;
    Some(ScoreBound { score, excluded })
}

/// A number read less strictly than a score, as Redis reads bounds and what it sorts by: nothing
/// is 0, what is too large is infinite, what is too small is 0, and a C string ends where it ends.
pub fn parse_lenient(text: &[u8]) -> Option<f64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    if let Some(integer) = number::short_integer(text) {
        return Some(integer);
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

/// A range of members.
pub fn parse_members<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>> {
    let bounds = parse_member(min).zip(parse_member(max));
    let (min, max) = bounds.ok_or(Error::line("ERR min or max not valid string range item"))?;
    Ok(LexRange { min, max })
}

fn parse_member(argument: &[u8]) -> Option<LexBound<'_>> {
    match argument {
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Highest),
        [b'[', member @ ..] => Some(LexBound::Included(member)),
        [b'(', member @ ..] => Some(LexBound::Excluded(member)),
        _ => None,
    }
}

/// The ranks that two indexes span, both included and perhaps counted from the end.
pub fn ranks(start: i64, stop: i64, len: usize) -> Range<usize> {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add(signed)
        } else {
            index
        }
    };
    let start = from_end(start).max(0);
    let stop = from_end(stop).min(signed - 1);
    if start > stop {
        return 0..0;
    }
    let rank = |index: i64| usize::try_from(index).unwrap_or(0);
    rank(start)..rank(stop) + 1
}

#[cfg(test)]
mod tests {
    use super::{parse_members, parse_scores, ranks};
    use crate::store::sorted_set::LexBound;

    #[test]
    fn scores_are_read_like_c_strings() {
        let range = parse_scores(b"(", b"1e400").unwrap();
        assert!(range.min.excluded && range.min.score == 0.0);
        assert!(range.max.score == f64::INFINITY && !range.max.excluded);
        assert!(parse_scores(b"1\0x", b"+INFINITY").is_ok());
        for bad in [&b"nan"[..], b" 1", b"1 ", b"0x1", b"((1", b"abc"] {
            assert!(parse_scores(bad, b"1").is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn members_say_whether_they_belong() {
        let range = parse_members(b"(a", b"[").unwrap();
        assert_eq!(range.min, LexBound::Excluded(b"a"));
        assert_eq!(range.max, LexBound::Included(b""));
        assert!(parse_members(b"-x", b"+").is_err());
        assert!(parse_members(b"a", b"+").is_err());
        assert!(parse_members(b"", b"+").is_err());
    }

    #[test]
    fn indexes_are_cut_to_the_set() {
        assert_eq!(ranks(0, -1, 3), 0..3);
        assert_eq!(ranks(-2, 100, 3), 1..3);
        assert!(ranks(3, 5, 3).is_empty());
        assert!(ranks(i64::MIN, i64::MIN, 3).is_empty());
        assert!(ranks(0, -1, 0).is_empty());
    }
}
