//! The output buffer of a connection.
//!
//! Replies are written once, in the connection's RESP version, into one run of bytes. Values past
//! [`SHARED_BYTES_MIN`] are not copied: they are held by reference at their place in the stream and
//! leave through a vectored write. Called by handlers (writers) and by the connection (`slices`,
//! `advance`). Writers cost a few nanoseconds and allocate only when the buffer grows.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use super::number;

/// Values from this size on are passed by reference. Copying 16 KiB costs well under a microsecond;
/// below that one more slice in a vectored write and the reference count cost as much.
pub const SHARED_BYTES_MIN: usize = 16 << 10;
/// Buffer that a connection keeps when it has nothing to send.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// Longest run of bytes moved to make room for a length that became known late; past it the header
/// is held by reference instead.
const SHIFT_BYTES_MAX: usize = 64 << 10;
/// Sent bytes are dropped from the front of the buffer once they are this many and the larger half.
const COMPACT_BYTES_MIN: usize = 64 << 10;

/// Version of the protocol that a connection speaks; HELLO changes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Resp {
    /// RESP2, where every connection starts.
    #[default]
    V2,
    /// RESP3.
    V3,
}

/// Bytes held by reference that come after `at` bytes of the buffer.
#[derive(Clone, Debug)]
struct Shared {
    at: usize,
    bytes: Bytes,
}

/// Replies waiting to be sent, in stream order.
#[derive(Debug, Default)]
pub struct Reply {
    resp: Resp,
    own: Vec<u8>,
    /// Bytes of `own` already sent.
    sent: usize,
    /// Ascending in `at`; the first one may have lost its sent front.
    shared: VecDeque<Shared>,
    /// Bytes in `shared`.
    shared_bytes: usize,
}

/// A place in a reply to go back to; worthless once bytes were sent.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    own: usize,
    shared: usize,
}

/// The place of an array, map or set whose length is not known yet. Close the innermost first, and
/// before any byte is sent.
#[derive(Debug)]
#[must_use = "an aggregate needs its length: close it"]
pub struct Later(Mark);

impl Reply {
    /// An empty buffer; it allocates on the first write.
    pub fn new(resp: Resp) -> Self {
        Self {
            resp,
            ..Self::default()
        }
    }

    /// The version replies are written in.
    #[inline]
    pub fn resp(&self) -> Resp {
        self.resp
    }

    /// Changes the version of the replies to come.
    pub fn set_resp(&mut self, resp: Resp) {
        self.resp = resp;
    }

    /// Bytes waiting to be sent, those held by reference included.
    #[inline]
    pub fn len(&self) -> usize {
        self.own.len() - self.sent + self.shared_bytes
    }

    /// Whether nothing waits to be sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `out` with what to send next, in order, and returns how many slices it used.
    pub fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        let mut from = self.sent;
        for shared in &self.shared {
            if from < shared.at {
                let Some(slot) = out.get_mut(used) else {
                    return used;
                };
                *slot = IoSlice::new(&self.own[from..shared.at]);
                from = shared.at;
                used += 1;
            }
            let Some(slot) = out.get_mut(used) else {
                return used;
            };
            *slot = IoSlice::new(&shared.bytes);
            used += 1;
        }
        if from < self.own.len()
            && let Some(slot) = out.get_mut(used)
        {
            *slot = IoSlice::new(&self.own[from..]);
            used += 1;
        }
        used
    }

    /// Forgets the first `count` bytes: they were sent.
    ///
    /// # Panics
    /// If fewer were waiting.
    pub fn advance(&mut self, mut count: usize) {
        while let Some(shared) = self.shared.front_mut() {
            let before = (shared.at - self.sent).min(count);
            self.sent += before;
            count -= before;
            if self.sent < shared.at || count == 0 {
                return;
            }
            let taken = shared.bytes.len().min(count);
            bytes::Buf::advance(&mut shared.bytes, taken);
            self.shared_bytes -= taken;
            count -= taken;
            if !shared.bytes.is_empty() {
                return;
            }
            self.shared.pop_front();
        }
        self.sent += count;
        assert!(self.sent <= self.own.len(), "sent more than was waiting");
        if self.sent == self.own.len() {
            self.clear();
        } else if self.sent >= COMPACT_BYTES_MIN && self.sent * 2 >= self.own.len() {
            self.own.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Forgets everything and keeps a bounded buffer.
    pub fn clear(&mut self) {
        self.own.clear();
        self.own.shrink_to(KEPT_BYTES_MAX);
        self.sent = 0;
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// Moves everything that waits in `other` to the end of this one.
    pub fn append(&mut self, other: &mut Reply) {
        if self.is_empty() {
            self.clear();
            std::mem::swap(&mut self.own, &mut other.own);
            std::mem::swap(&mut self.sent, &mut other.sent);
            std::mem::swap(&mut self.shared, &mut other.shared);
            std::mem::swap(&mut self.shared_bytes, &mut other.shared_bytes);
            return;
        }
        let base = self.own.len();
        for shared in other.shared.drain(..) {
            let at = base + shared.at - other.sent;
            self.shared.push_back(Shared { at, ..shared });
        }
        self.shared_bytes += other.shared_bytes;
        self.own.extend_from_slice(&other.own[other.sent..]);
        other.clear();
    }

    /// Takes everything that waits and leaves an empty buffer of the same version.
    #[must_use]
    pub fn take(&mut self) -> Reply {
        std::mem::replace(self, Self::new(self.resp))
    }

    /// The place to go back to with [`Reply::truncate_to`].
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark {
            own: self.own.len(),
            shared: self.shared.len(),
        }
    }

    /// Undoes what was written since `mark`; nothing may have been sent in between.
    pub fn truncate_to(&mut self, mark: Mark) {
        self.own.truncate(mark.own);
        for shared in self.shared.drain(mark.shared..) {
            self.shared_bytes -= shared.bytes.len();
        }
    }

    /// Copy of everything that waits, as one run: for tests, scripts and transcripts.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        let mut from = self.sent;
        for shared in &self.shared {
            bytes.extend_from_slice(&self.own[from..shared.at]);
            bytes.extend_from_slice(&shared.bytes);
            from = shared.at;
        }
        bytes.extend_from_slice(&self.own[from..]);
        bytes
    }
}

/// Writers.
impl Reply {
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

    /// An error line, given without its `-`. Line ends inside become blanks.
    pub fn error(&mut self, line: &[u8]) {
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

    /// An integer of any size, in digits; a string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        match self.resp {
            Resp::V2 => self.bulk(digits.as_bytes()),
            Resp::V3 => {
                self.own.push(b'(');
                self.own.extend_from_slice(digits.as_bytes());
                self.own.extend_from_slice(b"\r\n");
            }
        }
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

    #[inline]
    fn head(&mut self, marker: u8, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.own.push(marker);
        self.own.extend_from_slice(digits.format(value).as_bytes());
        self.own.extend_from_slice(b"\r\n");
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
