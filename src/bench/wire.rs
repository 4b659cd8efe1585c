//! Requests and replies as a client sees them, in RESP2.
//!
//! A reply is read into a flat row of tokens that a caller keeps and reuses, so that reading costs
//! no allocation and a deep reply no recursion.

use memchr::memchr;

/// A reply longer than this is taken for garbage.
const LINE_BYTES_MAX: usize = 1 << 16;
const BULK_BYTES_MAX: i64 = 1 << 29;
const ITEMS_MAX: i64 = 1 << 20;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `+OK`
    Simple,
    /// `-ERR ...`
    Error,
    /// `:1`
    Integer,
    /// `$3`
    Bulk,
    /// `$-1` or `*-1`
    Null,
    /// `*2`; its items follow as tokens of their own.
    Array,
}

/// A part of a reply.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// An integer's value, or how many items an array has.
    pub number: i64,
    start: usize,
    end: usize,
}

/// A whole reply.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    bytes: &'a [u8],
    tokens: &'a [Token],
}

/// Bytes that are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server sent something that is no reply")
    }
}

impl std::error::Error for Malformed {}

impl<'a> Answer<'a> {
    /// The reply that [`scan`] has found at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8], tokens: &'a [Token]) -> Self {
        Self { bytes, tokens }
    }

    /// What the reply is.
    pub fn kind(&self) -> Kind {
        self.tokens[0].kind
    }

    /// Its tokens; there is at least one.
    pub fn tokens(&self) -> &'a [Token] {
        self.tokens
    }

    /// The text of a token; empty for arrays, nulls, and tokens that are not there.
    pub fn text(&self, index: usize) -> &'a [u8] {
        self.tokens
            .get(index)
            .map_or(&[], |token| &self.bytes[token.start..token.end])
    }
}

/// Splits the reply at the beginning of `bytes` into tokens and gives its length; `None` if it is not
/// whole yet. What was in `tokens` goes.
pub fn scan(bytes: &[u8], tokens: &mut Vec<Token>) -> Result<Option<usize>, Malformed> {
    tokens.clear();
    let mut at = 0;
    let mut awaited = 1;
    while awaited > 0 {
        let rest = &bytes[at..];
        let window = &rest[..rest.len().min(LINE_BYTES_MAX)];
        let Some(len) = memchr(b'\r', window).filter(|len| len + 1 < rest.len()) else {
            return if rest.len() > LINE_BYTES_MAX {
                Err(Malformed)
            } else {
                Ok(None)
            };
        };
        if rest[len + 1] != b'\n' || len == 0 {
            return Err(Malformed);
        }
        let mut token = Token {
            kind: kind_of(rest[0])?,
            number: 0,
            start: at + 1,
            end: at + len,
        };
        at += len + 2;
        awaited -= 1;
        if matches!(token.kind, Kind::Integer | Kind::Bulk | Kind::Array) {
            token.number = number(&bytes[token.start..token.end]).ok_or(Malformed)?;
        }
        match token.kind {
            Kind::Bulk | Kind::Array if token.number == -1 => token.kind = Kind::Null,
            Kind::Bulk => {
                let size = length(token.number, BULK_BYTES_MAX)?;
                (token.start, token.end) = (at, at + size);
                at += size + 2;
                if at > bytes.len() {
                    return Ok(None);
                }
                if bytes[at - 2..at] != *b"\r\n" {
                    return Err(Malformed);
                }
            }
            Kind::Array => awaited += length(token.number, ITEMS_MAX)?,
            _ => {}
        }
        if matches!(token.kind, Kind::Array | Kind::Null) {
            token.end = token.start;
        }
        tokens.push(token);
    }
    Ok(Some(at))
}

fn kind_of(byte: u8) -> Result<Kind, Malformed> {
    Ok(match byte {
        b'+' => Kind::Simple,
        b'-' => Kind::Error,
        b':' => Kind::Integer,
        b'$' => Kind::Bulk,
        b'*' => Kind::Array,
        _ => return Err(Malformed),
    })
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn length(number: i64, max: i64) -> Result<usize, Malformed> {
    if number > max {
        return Err(Malformed);
    }
    usize::try_from(number).map_err(|_| Malformed)
}

/// Appends a request.
pub fn put_request(args: &[&[u8]], output: &mut Vec<u8>) {
    put_head(args.len(), output);
    for arg in args {
        put_arg(arg, output);
    }
}

/// Appends the head of a request of so many arguments, which follow by [`put_arg`].
pub fn put_head(args: usize, output: &mut Vec<u8>) {
    put_length(b'*', args, output);
}

/// Appends an argument.
pub fn put_arg(arg: &[u8], output: &mut Vec<u8>) {
    put_length(b'$', arg.len(), output);
    output.extend_from_slice(arg);
    output.extend_from_slice(b"\r\n");
}

/// Appends the head of an argument of `size` bytes; those and `\r\n` are to follow.
pub fn put_length(kind: u8, size: usize, output: &mut Vec<u8>) {
    output.push(kind);
    output.extend_from_slice(itoa::Buffer::new().format(size).as_bytes());
    output.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(bytes: &[u8]) -> Result<Option<(Vec<Kind>, usize)>, Malformed> {
        let mut tokens = Vec::new();
        let len = scan(bytes, &mut tokens)?;
        Ok(len.map(|len| (tokens.iter().map(|token| token.kind).collect(), len)))
    }

    #[test]
    fn replies_are_read_however_they_are_cut() {
        let reply = b"*4\r\n$5\r\nab\r\nc\r\n:-7\r\n*2\r\n$-1\r\n+fine\r\n-ERR no\r\n";
        for len in 0..reply.len() {
            assert_eq!(kinds(&reply[..len]), Ok(None), "{len} bytes");
        }
        let mut longer = reply.to_vec();
        longer.extend_from_slice(b":1\r\n");
        let mut tokens = Vec::new();
        assert_eq!(scan(&longer, &mut tokens), Ok(Some(reply.len())));
        let answer = Answer::new(&longer, &tokens);
        assert_eq!(answer.kind(), Kind::Array);
        assert_eq!(answer.tokens().len(), 7);
        assert_eq!(answer.text(1), b"ab\r\nc");
        assert_eq!(answer.tokens()[2].number, -7);
        assert_eq!(answer.tokens()[4].kind, Kind::Null);
        assert_eq!(answer.text(5), b"fine");
        assert_eq!(answer.text(6), b"ERR no");
        assert_eq!(answer.text(7), b"");
    }

    #[test]
    fn garbage_is_refused() {
        for bad in [
            &b"hello\r\n"[..],
            b"\r\n",
            b"$x\r\n",
            b"$-2\r\n",
            b":1\rx",
            b"$3\r\nabcd\r\n",
            b"*99999999\r\n",
        ] {
            assert_eq!(kinds(bad), Err(Malformed), "{bad:?}");
        }
        assert_eq!(kinds(&vec![b'+'; LINE_BYTES_MAX + 1]), Err(Malformed));
        assert_eq!(kinds(b"*0\r\n"), Ok(Some((vec![Kind::Array], 4))));
    }

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        let mut output = Vec::new();
        put_request(&[b"LPUSH", b"q", b""], &mut output);
        assert_eq!(output, b"*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$0\r\n\r\n");
    }
}
