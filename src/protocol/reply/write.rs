//! The writers of [`Reply`]: one method for each kind of reply, in the connection's version.
//!
//! Whoever writes an aggregate's head writes its parts next; nothing counts them. A short reply
//! costs 1 to 5 ns.

use std::ops::Range;

use bytes::Bytes;

use super::{Later, Reply, Resp, SHARED_BYTES_MIN, Shared};
use crate::digits;
use crate::protocol::carrier::part_bytes_min;
use crate::protocol::number;

/// Longest run of bytes moved to make room for a length that became known late; past it the header
/// is held by reference instead.
pub(super) const SHIFT_BYTES_MAX: usize = 64 << 10;
/// Bytes around a string: a marker, the longest length, two line ends.
const BULK_FRAME_BYTES_MAX: usize = 1 + 19 + 2 + 2;

/// A marker, a sign, a number and the line end, all of them at their longest.
const LONG_LINE_BYTES: usize = 2 + digits::ROOM + 2;

/// The numbers 0 to 1023 as they stand in a header: room for the marker, the digits, the line end,
/// and in the last byte how many bytes that makes.
static LINES: [[u8; 8]; 1024] = {
    let mut lines = [[0; 8]; 1024];
    let mut number: u16 = 0;
    while number < 1024 {
        let digits = [
            number / 1000,
            number / 100 % 10,
            number / 10 % 10,
            number % 10,
        ];
        let line = &mut lines[number as usize];
        let mut len = 1;
        let mut at = 0;
        while at < 4 {
            if digits[at] != 0 || len > 1 || at == 3 {
                line[len] = b'0' + digits[at].to_le_bytes()[0];
                len += 1;
            }
            at += 1;
        }
        line[len] = b'\r';
        line[len + 1] = b'\n';
        line[7] = (len + 2).to_le_bytes()[0];
        number += 1;
    }
    lines
};

/// A byte as it may stand within a line.
fn blank(&byte: &u8) -> u8 {
    if matches!(byte, b'\r' | b'\n') {
        b' '
    } else {
        byte
    }
}

/// Writers.
impl Reply {
    /// Makes room for so many bytes to come. A long reply that grows step by step is copied at each,
    /// into memory that was never touched before.
    pub fn reserve(&mut self, bytes: usize) {
        self.own.reserve(bytes);
    }

    /// Bytes that are a reply already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
    }

    /// Bytes that are a reply already; by reference if large.
    #[inline]
    pub fn raw_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            self.own.extend_from_slice(&bytes);
        } else {
            self.share(bytes);
        }
    }

    #[cold]
    fn share(&mut self, bytes: Bytes) {
        self.shared_bytes += bytes.len();
        self.shared.push_back(Shared {
            at: self.own.len(),
            bytes,
        });
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.own.extend_from_slice(b"+OK\r\n");
    }

    /// `+QUEUED`.
    #[inline]
    pub fn queued(&mut self) {
        self.own.extend_from_slice(b"+QUEUED\r\n");
    }

    /// A status line; it must not hold a line end.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']));
        self.own.push(b'+');
        self.own.extend_from_slice(text.as_bytes());
        self.own.extend_from_slice(b"\r\n");
    }

    /// A status line of any bytes; line ends become blanks.
    pub fn simple_bytes(&mut self, text: &[u8]) {
        self.own.push(b'+');
        self.own.extend(text.iter().map(blank));
        self.own.extend_from_slice(b"\r\n");
    }

    /// An error line, given without its `-`. Line ends at its end are dropped, others become blanks.
    pub fn error(&mut self, line: &[u8]) {
        let ends = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let line = &line[..line.len() - line.iter().rev().take_while(ends).count()];
        self.own.push(b'-');
        let start = self.own.len();
        self.own.extend_from_slice(line);
        for byte in &mut self.own[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.own.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.head(b':', value);
    }

    /// A string, copied.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        self.own.reserve(value.len() + BULK_FRAME_BYTES_MAX);
        self.length(b'$', value.len());
        self.own.extend_from_slice(value);
        self.own.extend_from_slice(b"\r\n");
    }

    /// A string, by reference from [`SHARED_BYTES_MIN`] on.
    #[inline]
    pub fn bulk_shared(&mut self, value: &Bytes) {
        if value.len() < SHARED_BYTES_MIN {
            self.bulk(value);
            return;
        }
        self.length(b'$', value.len());
        self.share(value.clone());
        self.own.extend_from_slice(b"\r\n");
    }

    /// A part of a string, by reference if it is nearly all of it: what is counted of the reply
    /// is its own length, so it must not hold much more.
    pub fn bulk_part(&mut self, whole: &Bytes, part: Range<usize>) {
        if part.len() < part_bytes_min(whole.len()) {
            self.bulk(&whole[part]);
        } else {
            self.bulk_shared(&whole.slice(part));
        }
    }

    /// A string.
    #[inline]
    pub fn bulk_str(&mut self, value: &str) {
        self.bulk(value.as_bytes());
    }

    /// An integer as a string.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(value).as_bytes());
    }

    /// The absent value.
    #[inline]
    pub fn null(&mut self) {
        self.own.extend_from_slice(match self.resp {
            Resp::V2 => b"$-1\r\n",
            Resp::V3 => b"_\r\n",
        });
    }

    /// The absent array.
    #[inline]
    pub fn null_array(&mut self) {
        self.own.extend_from_slice(match self.resp {
            Resp::V2 => b"*-1\r\n",
            Resp::V3 => b"_\r\n",
        });
    }

    /// Head of an array of `len` replies.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.length(b'*', len);
    }

    /// An array of nothing.
    #[inline]
    pub fn empty_array(&mut self) {
        self.own.extend_from_slice(b"*0\r\n");
    }

    /// Head of a map of `pairs` pairs; an array of twice as many in RESP2.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        match self.resp {
            Resp::V2 => self.length(b'*', pairs * 2),
            Resp::V3 => self.length(b'%', pairs),
        }
    }

    /// Head of a set; an array in RESP2.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.length(self.marker(b'~'), len);
    }

    /// Head of a message that answers no request; an array in RESP2.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.length(self.marker(b'>'), len);
    }

    /// A floating-point number; a string in RESP2.
    pub fn double(&mut self, value: f64) {
        let text = number::Double::new(value);
        match self.resp {
            Resp::V2 => self.bulk(text.as_bytes()),
            Resp::V3 => {
                self.own.push(b',');
                self.own.extend_from_slice(text.as_bytes());
                self.own.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A truth value; 1 or 0 in RESP2.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        self.own.extend_from_slice(match (self.resp, value) {
            (Resp::V2, false) => b":0\r\n",
            (Resp::V2, true) => b":1\r\n",
            (Resp::V3, false) => b"#f\r\n",
            (Resp::V3, true) => b"#t\r\n",
        });
    }

    /// Text with a three-letter format (`txt`, `mkd`); a plain string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        match self.resp {
            Resp::V2 => self.bulk(text),
            Resp::V3 => {
                self.length(b'=', text.len() + 4);
                self.own.extend_from_slice(format.as_bytes());
                self.own.push(b':');
                self.own.extend_from_slice(text);
                self.own.extend_from_slice(b"\r\n");
            }
        }
    }

    /// An integer of any size, in digits; a string in RESP2. Line ends become blanks.
    pub fn big_number(&mut self, digits: &[u8]) {
        let digits = digits.iter().map(blank);
        match self.resp {
            Resp::V2 => {
                self.length(b'$', digits.len());
                self.own.extend(digits);
            }
            Resp::V3 => {
                self.own.push(b'(');
                self.own.extend(digits);
            }
        }
        self.own.extend_from_slice(b"\r\n");
    }

    /// Starts an array, map, set or push whose length comes later, with `close_*`.
    #[inline]
    pub fn array_later(&mut self) -> Later {
        Later(self.mark())
    }

    /// Gives an array its length.
    pub fn close_array(&mut self, later: Later, len: usize) {
        self.close(later, b'*', len);
    }

    /// Gives a map its number of pairs.
    pub fn close_map(&mut self, later: Later, pairs: usize) {
        match self.resp {
            Resp::V2 => self.close(later, b'*', pairs * 2),
            Resp::V3 => self.close(later, b'%', pairs),
        }
    }

    /// Gives a set its length.
    pub fn close_set(&mut self, later: Later, len: usize) {
        self.close(later, self.marker(b'~'), len);
    }

    /// Gives a push its length.
    pub fn close_push(&mut self, later: Later, len: usize) {
        self.close(later, self.marker(b'>'), len);
    }

    /// The marker in RESP3, an array's in RESP2.
    #[inline]
    fn marker(&self, resp3: u8) -> u8 {
        match self.resp {
            Resp::V2 => b'*',
            Resp::V3 => resp3,
        }
    }

    #[inline]
    fn length(&mut self, marker: u8, len: usize) {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        self.head(marker, len);
    }

    /// A marker, a number and the line end. Short numbers come from a table, eight bytes at once.
    #[inline]
    fn head(&mut self, marker: u8, value: i64) {
        if let Some(line) = usize::try_from(value).ok().and_then(|at| LINES.get(at)) {
            let mut line = *line;
            let end = self.own.len() + usize::from(line[7]);
            line[0] = marker;
            self.own.extend_from_slice(&line);
            self.own.truncate(end);
        } else {
            self.long_head(marker, value);
        }
    }

    /// Out of line, so that the short way lies in its callers.
    #[inline(never)]
    fn long_head(&mut self, marker: u8, value: i64) {
        let mut line = [marker; LONG_LINE_BYTES];
        line[1] = b'-';
        let first = 1 + usize::from(value < 0);
        let end = digits::put(&mut line, first, value.unsigned_abs());
        line[end..end + 2].copy_from_slice(b"\r\n");
        let end = self.own.len() + end + 2;
        self.own.extend_from_slice(&line);
        self.own.truncate(end);
    }

    /// Puts a header at the place of `later`: moves what follows if that is little, and otherwise
    /// holds the header by reference, so that a huge reply is not moved for four bytes.
    fn close(&mut self, Later(mark): Later, marker: u8, len: usize) {
        let old = self.own.len();
        self.length(marker, len);
        let head_bytes = self.own.len() - old;
        if old - mark.own <= SHIFT_BYTES_MAX {
            self.own[mark.own..].rotate_right(head_bytes);
            for shared in self.shared.range_mut(mark.shared..) {
                shared.at += head_bytes;
            }
        } else {
            let bytes = Bytes::copy_from_slice(&self.own[old..]);
            self.own.truncate(old);
            self.shared_bytes += head_bytes;
            let shared = Shared {
                at: mark.own,
                bytes,
            };
            self.shared.insert(mark.shared, shared);
        }
    }
}
