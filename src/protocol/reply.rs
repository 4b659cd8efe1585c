//! The output buffer of a connection.
//!
//! Replies are written once, in the connection's RESP version, into one run of bytes. Values past
//! [`SHARED_BYTES_MIN`] are not copied: they are held by reference at their place in the stream and
//! leave through a vectored write. Called by handlers (writers) and by the connection (`slices`,
//! `advance`). Writers cost a few nanoseconds and allocate only when the buffer grows.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use bytes::{Buf, Bytes};

mod write;

/// Values from this size on are passed by reference. Copying 8 KiB costs four to five times as much
/// as a reference (`benches/protocol.rs`), of which the two more slices of the vectored write take
/// a part back.
pub const SHARED_BYTES_MIN: usize = 8 << 10;
/// Buffer that a connection keeps in any case when it has nothing to send.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// Buffer that a connection keeps if the last batch filled a quarter of it or more.
const KEPT_BUSY_BYTES_MAX: usize = 1 << 20;
/// Sent bytes are dropped from the front of the buffer once they are this many and the larger half.
const COMPACT_BYTES_MIN: usize = 64 << 10;
/// Unless what would move is more: a connection with so much to send writes no more replies, so the
/// buffer does not grow meanwhile, and moving megabytes is felt by others.
const MOVED_BYTES_MAX: usize = 256 << 10;

/// What is set aside of a large reply is at least this.
const PIECE_BYTES_MIN: usize = 64 << 10;

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

/// A place in a reply to go back to; worthless once bytes were sent or an aggregate that was opened
/// before it was closed.
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

    /// An empty buffer with room for so many bytes.
    pub fn with_room(resp: Resp, bytes: usize) -> Self {
        Self {
            resp,
            own: Vec::with_capacity(bytes),
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
            if self.sent < shared.at {
                break;
            }
            let taken = shared.bytes.len().min(count);
            shared.bytes.advance(taken);
            self.shared_bytes -= taken;
            count -= taken;
            if !shared.bytes.is_empty() {
                break;
            }
            self.shared.pop_front();
        }
        self.sent += count;
        assert!(self.sent <= self.own.len(), "sent more than was waiting");
        if self.is_empty() {
            self.clear();
        } else if self.sent >= COMPACT_BYTES_MIN
            && self.sent * 2 >= self.own.len()
            && self.own.len() - self.sent <= MOVED_BYTES_MAX
        {
            self.own.drain(..self.sent);
            for shared in &mut self.shared {
                shared.at -= self.sent;
            }
            self.sent = 0;
        }
    }

    /// Forgets everything. Keeps the buffer if it is small, or medium and was well used, so that a
    /// busy connection does not allocate for each batch.
    pub fn clear(&mut self) {
        let capacity = self.own.capacity();
        let wasted = capacity > KEPT_BUSY_BYTES_MAX || self.own.len() < capacity / 4;
        self.own.clear();
        if capacity > KEPT_BYTES_MAX && wasted {
            self.own.shrink_to(KEPT_BYTES_MAX);
        }
        self.sent = 0;
        if !self.shared.is_empty() {
            self.shared.clear();
        }
        self.shared_bytes = 0;
    }

    /// Has what comes next written into the empty buffer that `lend` gives, unless there is a
    /// buffer already, in which something waits.
    #[inline]
    pub fn borrow_buffer(&mut self, lend: impl FnOnce() -> Vec<u8>) {
        if self.own.capacity() == 0 {
            self.own = lend();
            debug_assert!(self.own.is_empty());
        }
    }

    /// Gives the buffer back, unless something waits in it: who has nothing to send owns nothing.
    #[inline]
    pub fn return_buffer(&mut self) -> Option<Vec<u8>> {
        self.is_empty().then(|| {
            debug_assert!(self.own.is_empty() && self.shared.is_empty());
            mem::take(&mut self.own)
        })
    }

    /// Moves everything that waits in `other` to the end of this one.
    pub fn append(&mut self, other: &mut Reply) {
        if self.is_empty() && other.own.len() >= SHARED_BYTES_MIN {
            self.clear();
            mem::swap(&mut self.own, &mut other.own);
            mem::swap(&mut self.sent, &mut other.sent);
            mem::swap(&mut self.shared, &mut other.shared);
            mem::swap(&mut self.shared_bytes, &mut other.shared_bytes);
            return;
        }
        let base = self.own.len();
        if !other.shared.is_empty() {
            for shared in other.shared.drain(..) {
                let at = base + shared.at - other.sent;
                self.shared.push_back(Shared { at, ..shared });
            }
        }
        self.shared_bytes += other.shared_bytes;
        self.own.extend_from_slice(&other.own[other.sent..]);
        other.clear();
    }

    /// Sets aside what was written so far if it is much: it becomes a piece that is not moved when
    /// more is written, and that goes as soon as it is sent. For a reply that grows step by step to
    /// megabytes. Earlier marks are worthless then.
    pub fn set_aside(&mut self) {
        let len = self.own.len();
        if len - self.sent < PIECE_BYTES_MIN {
            return;
        }
        // The next piece will be much like this one.
        let next = Vec::with_capacity(len + len / 8);
        let own = Bytes::from(mem::replace(&mut self.own, next));
        let mut from = mem::take(&mut self.sent);
        self.shared_bytes += len - from;
        let aside_len = self.shared.partition_point(|shared| shared.at == 0);
        for Shared { at, bytes } in self.shared.split_off(aside_len) {
            if from < at {
                self.set_aside_piece(own.slice(from..at));
                from = at;
            }
            self.set_aside_piece(bytes);
        }
        if from < len {
            self.set_aside_piece(own.slice(from..));
        }
    }

    fn set_aside_piece(&mut self, bytes: Bytes) {
        self.shared.push_back(Shared { at: 0, bytes });
    }

    /// Takes everything that waits and leaves an empty buffer of the same version.
    #[must_use]
    pub fn take(&mut self) -> Reply {
        mem::replace(self, Self::new(self.resp))
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

    /// Everything that waits, as one run: without a copy unless values are held by reference.
    pub fn as_run(&self) -> Cow<'_, [u8]> {
        if self.shared.is_empty() {
            Cow::Borrowed(&self.own[self.sent..])
        } else {
            Cow::Owned(self.to_bytes())
        }
    }

    /// Copy of everything that waits, as one run: for tests and transcripts.
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

#[cfg(test)]
mod tests;
