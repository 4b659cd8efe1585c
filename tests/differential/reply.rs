//! A small reader of RESP2 and RESP3 replies, independent of the server's own code.
//!
//! The hot path only finds where a reply ends, so that replies compare as bytes; a reply is taken
//! apart into a tree only when the bytes differ.

use std::fmt;

/// A reply as a tree. The type letter stays, so that `$-1`, `*-1` and `_` remain three things.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    /// `+ - : , # (`: the line after the letter.
    Line(u8, Vec<u8>),
    /// `$ ! =`: the bytes, or nothing for `$-1`.
    Bulk(u8, Option<Vec<u8>>),
    /// `* ~ > %`: the members (a map's keys and values in turn), or nothing for `*-1`.
    Many(u8, Option<Vec<Reply>>),
}

/// Bytes that are no reply.
#[derive(Debug)]
pub struct NotAReply;

/// Where the reply that begins at `start` ends, or `None` while bytes are missing.
pub fn end_of_reply(bytes: &[u8], start: usize) -> Result<Option<usize>, NotAReply> {
    let mut at = start;
    let mut wanted: u64 = 1;
    while wanted > 0 {
        let Some(&kind) = bytes.get(at) else {
            return Ok(None);
        };
        let Some(length) = memchr::memchr(b'\n', &bytes[at..]) else {
            return Ok(None);
        };
        let line_end = at + length + 1;
        wanted -= 1;
        match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' => at = line_end,
            b'$' | b'!' | b'=' => {
                let size = number(bytes, at + 1, line_end)?;
                at = line_end;
                if let Ok(size) = usize::try_from(size) {
                    at += size + 2;
                    if at > bytes.len() {
                        return Ok(None);
                    }
                }
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let count = u64::try_from(number(bytes, at + 1, line_end)?).unwrap_or(0);
                // An attribute stands before the reply it belongs to.
                wanted += match kind {
                    b'%' => count * 2,
                    b'|' => count * 2 + 1,
                    _ => count,
                };
                at = line_end;
            }
            _ => return Err(NotAReply),
        }
    }
    Ok(Some(at))
}

fn number(bytes: &[u8], start: usize, line_end: usize) -> Result<i64, NotAReply> {
    let line = bytes
        .get(start..line_end.saturating_sub(2))
        .ok_or(NotAReply)?;
    std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(NotAReply)
}

impl Reply {
    /// Takes apart bytes that `end_of_reply` has found to be whole.
    pub fn parse(bytes: &[u8]) -> Self {
        Self::parse_at(bytes, &mut 0)
    }

    fn parse_at(bytes: &[u8], at: &mut usize) -> Self {
        let kind = bytes[*at];
        let line_end = *at + memchr::memchr(b'\n', &bytes[*at..]).expect("a whole reply") + 1;
        let line = &bytes[*at + 1..line_end - 2];
        let length: i64 = std::str::from_utf8(line)
            .ok()
            .and_then(|t| t.parse().ok())
            .unwrap_or(-1);
        *at = line_end;
        match kind {
            b'$' | b'!' | b'=' => Self::Bulk(
                kind,
                usize::try_from(length).ok().map(|size| {
                    let body = bytes[*at..*at + size].to_vec();
                    *at += size + 2;
                    body
                }),
            ),
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let pairs = i64::from(matches!(kind, b'%' | b'|')) + 1;
                Self::Many(
                    kind,
                    u64::try_from(length).ok().map(|_| {
                        (0..length * pairs)
                            .map(|_| Self::parse_at(bytes, at))
                            .collect()
                    }),
                )
            }
            _ => Self::Line(kind, line.to_vec()),
        }
    }

    /// The type letter.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Line(kind, _) | Self::Bulk(kind, _) | Self::Many(kind, _) => *kind,
        }
    }

    /// The number in an integer reply.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Line(b':', line) => std::str::from_utf8(line).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The bytes of a string of whatever kind.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Line(_, line) => Some(line),
            Self::Bulk(_, body) => body.as_deref(),
            Self::Many(..) => None,
        }
    }

    /// The members of an array, set, push or map.
    pub fn members(&self) -> Option<&[Self]> {
        match self {
            Self::Many(_, members) => members.as_deref(),
            _ => None,
        }
    }
}

/// Bytes as text that a reader and redis-cli understand.
pub fn quoted(bytes: &[u8]) -> String {
    use fmt::Write;
    const SHOWN: usize = 200;
    let mut out = String::from("\"");
    for &byte in bytes.iter().take(SHOWN) {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('"');
    if bytes.len() > SHOWN {
        let _ = write!(out, "...[{} bytes]", bytes.len());
    }
    out
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(kind, line) => {
                write!(f, "{}{}", char::from(*kind), String::from_utf8_lossy(line))
            }
            Self::Bulk(kind, None) | Self::Many(kind, None) => {
                write!(f, "{}-1", char::from(*kind))
            }
            Self::Bulk(kind, Some(body)) => write!(f, "{}{}", char::from(*kind), quoted(body)),
            Self::Many(kind, Some(members)) => {
                write!(f, "{}{}[", char::from(*kind), members.len())?;
                for (index, member) in members.iter().enumerate() {
                    if index == 40 {
                        write!(f, ", ...")?;
                        break;
                    }
                    write!(f, "{}{member}", if index == 0 { "" } else { ", " })?;
                }
                write!(f, "]")
            }
        }
    }
}
