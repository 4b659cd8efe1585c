//! Entry ids: a millisecond and a sequence number within it.
//!
//! Ids order entries, name them, and are the only clock a stream keeps. The text form is
//! `<ms>-<seq>`; everything here is a handful of integer operations.

use std::fmt;

use crate::digits;

/// The id of a stream entry. Ordered by millisecond, then sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since the Unix epoch, unless the producer chose something else.
    pub ms: u64,
    /// Sequence number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// The smallest id, `0-0`. No entry ever has it.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The greatest id.
    pub const MAX: Self = Self {
        ms: u64::MAX,
        seq: u64::MAX,
    };
    /// Longest text form, in bytes: two numbers and what stands between them.
    pub const TEXT_BYTES_MAX: usize = 2 * digits::ROOM + 1;

    /// An id from its two parts.
    #[inline]
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The id that follows this one directly, or `None` after [`StreamId::MAX`].
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self::new(self.ms, seq)),
            None => self.ms.checked_add(1).map(|ms| Self::new(ms, 0)),
        }
    }

    /// The id directly before this one, or `None` before [`StreamId::MIN`].
    #[must_use]
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self::new(self.ms, seq)),
            None => self.ms.checked_sub(1).map(|ms| Self::new(ms, u64::MAX)),
        }
    }

    /// Reads `<ms>-<seq>` or `<ms>`; a missing sequence becomes `seq_missing`.
    ///
    /// As lenient as Redis, which reads numbers with the C library: blanks, a plus sign and zeros
    /// may lead, a text ends at a zero byte. `None` for anything else and for 128 bytes or more.
    pub fn parse(text: &[u8], seq_missing: u64) -> Option<Self> {
        if text.len() >= 128 {
            return None;
        }
        let text = text.split(|&byte| byte == 0).next()?;
        match text.iter().position(|&byte| byte == b'-') {
            Some(dash) => Some(Self::new(
                parse_u64(&text[..dash])?,
                parse_u64(&text[dash + 1..])?,
            )),
            None => Some(Self::new(parse_u64(text)?, seq_missing)),
        }
    }

    /// Writes the text form into `buffer` and returns the part that was used. About 5 ns.
    #[inline]
    pub fn write(self, buffer: &mut [u8; Self::TEXT_BYTES_MAX]) -> &[u8] {
        let seq_at = self.write_ms(buffer);
        let end = digits::put(buffer, seq_at, self.seq);
        &buffer[..end]
    }

    /// Writes what stands before the sequence; returns where that begins.
    #[inline]
    fn write_ms(self, buffer: &mut [u8; Self::TEXT_BYTES_MAX]) -> usize {
        let dash = digits::put(buffer, 0, self.ms);
        buffer[dash] = b'-';
        dash + 1
    }

    /// The sixteen bytes that sort as the id does.
    #[cfg(any(test, feature = "verify"))]
    pub(super) fn sort_bytes(self) -> [u8; 16] {
        let wide = (u128::from(self.ms) << 64) | u128::from(self.seq);
        wide.to_be_bytes()
    }
}

/// The text of ids one after the other: the milliseconds, which most have in common with the one
/// before, are made digits once.
#[derive(Debug)]
pub struct IdText {
    bytes: [u8; StreamId::TEXT_BYTES_MAX],
    /// The milliseconds that stand there, and where the sequence begins; 0 before the first.
    ms: u64,
    seq_at: usize,
}

impl Default for IdText {
    fn default() -> Self {
        Self {
            bytes: [0; StreamId::TEXT_BYTES_MAX],
            ms: 0,
            seq_at: 0,
        }
    }
}

impl IdText {
    /// The text form of an id.
    #[inline]
    pub fn of(&mut self, id: StreamId) -> &[u8] {
        if self.seq_at == 0 || self.ms != id.ms {
            self.seq_at = id.write_ms(&mut self.bytes);
            self.ms = id.ms;
        }
        let end = digits::put(&mut self.bytes, self.seq_at, id.seq);
        &self.bytes[..end]
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// A number as `strtoull` reads it, except that a plain negative number of 64 bits is refused.
pub(super) fn parse_u64(text: &[u8]) -> Option<u64> {
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    if !negative {
        return Some(magnitude);
    }
    let leading_zero = digits.first() == Some(&b'0');
    let is_plain = blanks == 0 && !leading_zero && magnitude <= i64::MIN.unsigned_abs();
    (!is_plain).then(|| magnitude.wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_meet_at_the_edges() {
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.prev(), None);
        let edge = StreamId::new(7, u64::MAX);
        assert_eq!(edge.next(), Some(StreamId::new(8, 0)));
        assert_eq!(StreamId::new(8, 0).prev(), Some(edge));
    }

    #[test]
    fn text_goes_both_ways() {
        for id in [StreamId::MIN, StreamId::MAX, StreamId::new(1_700_000, 42)] {
            let mut buffer = [0; StreamId::TEXT_BYTES_MAX];
            let text = id.write(&mut buffer).to_vec();
            assert_eq!(text, id.to_string().into_bytes());
            assert_eq!(StreamId::parse(&text, 9), Some(id));
        }
        assert_eq!(StreamId::parse(b"5", 9), Some(StreamId::new(5, 9)));
        assert_eq!(StreamId::parse(b" +05-007", 9), Some(StreamId::new(5, 7)));
        let wrapped = StreamId::new(5, i64::MAX as u64);
        assert_eq!(StreamId::parse(b"5--9223372036854775809", 9), Some(wrapped));
        assert_eq!(StreamId::parse(b"5--9223372036854775808", 9), None);
    }

    #[test]
    fn ids_one_after_the_other_have_their_text() {
        let mut text = IdText::default();
        let parts = [0, 7, 99_999_999, 100_000_000, 1_700_000_000_000, u64::MAX];
        let pairs = parts.iter().flat_map(|ms| parts.map(|seq| (*ms, seq)));
        // Seldom and always with other milliseconds.
        for (ms, seq) in pairs.clone().chain(pairs.map(|(ms, seq)| (seq, ms))) {
            let id = StreamId::new(ms, seq);
            assert_eq!(text.of(id), id.to_string().into_bytes());
        }
    }

    #[test]
    fn bad_text_is_refused() {
        for text in [
            &b""[..],
            b"-",
            b"1-",
            b"-1",
            b"1--1",
            b"1 ",
            b"1-2-3",
            b"18446744073709551616",
            b"x",
        ] {
            assert_eq!(StreamId::parse(text, 0), None, "{text:?}");
        }
    }

    #[test]
    fn sort_bytes_sort_as_ids() {
        let ids = [
            StreamId::MIN,
            StreamId::new(0, 1),
            StreamId::new(1, 0),
            StreamId::new(256, 3),
            StreamId::MAX,
        ];
        assert!(
            ids.windows(2)
                .all(|w| w[0].sort_bytes() < w[1].sort_bytes())
        );
    }
}
