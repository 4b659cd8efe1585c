//! What goes into a queue and what comes out: ends, borrowed and owned messages, counts.

use std::ops::Deref;

use bytes::Bytes;
use smallvec::SmallVec;

/// Bytes an owned [`Message`] holds without an allocation; most queue payloads are shorter.
const OWNED_INLINE_BYTES: usize = 64;

/// One end of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Redis's LEFT: index 0.
    Front,
    /// Redis's RIGHT: index -1.
    Back,
}

impl End {
    /// The other end.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Front => Self::Back,
            Self::Back => Self::Front,
        }
    }
}

/// A message inside the queue, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct MessageRef<'a>(Place<'a>);

/// Where a borrowed message lies. An enum and not a slice beside an option, so that the common
/// case is a slice and a flag in registers.
#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    Packed(&'a [u8]),
    Shared(&'a Bytes),
}

impl<'a> MessageRef<'a> {
    /// A message packed in a segment.
    #[inline]
    pub(super) fn packed(bytes: &'a [u8]) -> Self {
        Self(Place::Packed(bytes))
    }

    /// A message held by reference.
    #[inline]
    pub(super) fn by_reference(bytes: &'a Bytes) -> Self {
        Self(Place::Shared(bytes))
    }

    /// The payload.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        match self.0 {
            Place::Packed(bytes) => bytes,
            Place::Shared(bytes) => bytes,
        }
    }

    /// The payload as a reference that can be cloned instead of copied; only large messages have
    /// one.
    #[inline]
    pub fn shared(&self) -> Option<&'a Bytes> {
        match self.0 {
            Place::Packed(_) => None,
            Place::Shared(bytes) => Some(bytes),
        }
    }

    /// An owned copy: large messages by reference, small ones by value.
    pub fn to_message(&self) -> Message {
        match self.0 {
            Place::Packed(bytes) => Message(Owned::Copied(SmallVec::from_slice(bytes))),
            Place::Shared(bytes) => Message(Owned::Shared(bytes.clone())),
        }
    }
}

/// An owned message. Large ones share their bytes with whoever else holds them; short ones lie
/// inside the value, so that a pop and a push of them allocate nothing.
#[derive(Clone, Debug)]
pub struct Message(Owned);

#[derive(Clone, Debug)]
enum Owned {
    Copied(SmallVec<[u8; OWNED_INLINE_BYTES]>),
    Shared(Bytes),
}

impl Message {
    /// The payload by reference, if the message is held that way.
    pub fn shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Owned::Copied(_) => None,
            Owned::Shared(bytes) => Some(bytes),
        }
    }

    /// The payload as [`Bytes`]; copies a small message, shares a large one.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Owned::Copied(bytes) => Bytes::copy_from_slice(&bytes),
            Owned::Shared(bytes) => bytes,
        }
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Owned::Copied(bytes) => bytes,
            Owned::Shared(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self(Owned::Copied(SmallVec::from_slice(bytes)))
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self(Owned::Shared(bytes))
    }
}

impl PartialEq<[u8]> for Message {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

/// A message taken out of a queue.
#[derive(Clone, Debug)]
pub struct Popped {
    /// The payload.
    pub message: Message,
    /// The tick at which it was pushed.
    pub arrival: u64,
}
