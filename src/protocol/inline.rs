//! Inline requests: one line of words, as a person types it into a telnet session.
//!
//! Words end at blanks. A word may hold parts in double quotes (with escapes) or in single quotes;
//! a closing quote must be followed by a blank or the end of the line. Called by `request` once per
//! line; cost is linear in the line.

use super::args::{Args, OwnedArgs, Span};
use super::error::ProtocolError;

/// Where the words of a split line lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Words {
    /// In the line itself: it has no quotes.
    InLine,
    /// In the scratch buffer, with quotes removed and escapes resolved.
    InScratch,
}

/// Splits a line (without its end) into words and pushes their spans: relative to the line, or to
/// `scratch`, as the answer says.
pub(crate) fn split(
    line: &[u8],
    scratch: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) -> Result<Words, ProtocolError> {
    if memchr::memchr2(b'"', b'\'', line).is_none() {
        split_plain(line, spans);
        return Ok(Words::InLine);
    }
    scratch.clear();
    let mut rest = skip_blanks(line);
    while !rest.is_empty() {
        let start = scratch.len();
        rest = skip_blanks(word(rest, scratch)?);
        let end = scratch.len();
        spans.push(Span { start, end });
    }
    Ok(Words::InScratch)
}

/// The words of a line that holds no zero byte.
pub fn split_line(line: &[u8]) -> Result<OwnedArgs, ProtocolError> {
    let (mut scratch, mut spans) = (Vec::new(), Vec::new());
    let bytes = match split(line, &mut scratch, &mut spans)? {
        Words::InLine => line,
        Words::InScratch => &scratch,
    };
    Ok(Args::new(bytes, &spans).to_vec())
}

fn split_plain(line: &[u8], spans: &mut Vec<Span>) {
    let mut start = 0;
    loop {
        while line.get(start).copied().is_some_and(is_blank) {
            start += 1;
        }
        if start == line.len() {
            return;
        }
        let end = line[start..]
            .iter()
            .position(|&byte| ends_word(byte))
            .map_or(line.len(), |length| start + length);
        spans.push(Span { start, end });
        start = end;
    }
}

/// Copies one word, which starts at the first byte, and returns what follows it.
fn word<'a>(mut rest: &'a [u8], scratch: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' => return closed(double_quoted(after, scratch)?),
            b'\'' => return closed(single_quoted(after, scratch)?),
            byte if ends_word(byte) => return Ok(rest),
            byte => scratch.push(byte),
        }
        rest = after;
    }
    Ok(rest)
}

/// A closing quote ends its word.
fn closed(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(&byte) if !is_blank(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], scratch: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match rest {
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                scratch.push(hex_value(*high) << 4 | hex_value(*low));
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                scratch.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = after;
            }
            [byte, after @ ..] => {
                scratch.push(*byte);
                rest = after;
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], scratch: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match rest {
            [b'\'', after @ ..] => return Ok(after),
            [b'\\', b'\'', after @ ..] => {
                scratch.push(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                scratch.push(*byte);
                rest = after;
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        }
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|&&byte| is_blank(byte)).count();
    &line[blanks..]
}

/// Bytes skipped between words; a vertical tab or form feed is among these and yet does not end a
/// bare word, as in Redis.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)
}
