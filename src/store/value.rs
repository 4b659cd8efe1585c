//! What a key can hold.

use std::mem;

use bytes::Bytes;

use super::hash::Hash;
use super::ledger::Tally;
use super::queue::Queue;
use super::reclaim::{self, Shed};
use super::set::Set;
use super::sorted_set::SortedSet;
use super::stream::Stream;

/// Bytes past which a string is kept by reference, so that replies share it instead of copying.
/// A copy of 16 KiB costs about a microsecond, as much as the system call that sends it.
pub const SHARED_BYTES_MIN: usize = 16 << 10;

/// A value of any type.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    Text(Text),
    /// A list, which is what queues are to a client.
    Queue(Box<Queue>),
    /// A hash.
    Hash(Hash),
    /// A set.
    Set(Set),
    /// A stream.
    Stream(Box<Stream>),
    /// A sorted set.
    SortedSet(Box<SortedSet>),
}

/// The type of a value, as TYPE names it and as waiters ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A string.
    Text,
    /// A list.
    Queue,
    /// A stream.
    Stream,
    /// A hash.
    Hash,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
}

impl Kind {
    /// The name that TYPE answers and SCAN's TYPE option takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Queue => "list",
            Self::Stream => "stream",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::SortedSet => "zset",
        }
    }
}

impl Value {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Queue(_) => Kind::Queue,
            Self::Hash(_) => Kind::Hash,
            Self::Set(_) => Kind::Set,
            Self::Stream(_) => Kind::Stream,
            Self::SortedSet(_) => Kind::SortedSet,
        }
    }

    /// Bytes that it owns outside its entry.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.heap_bytes(),
            Self::Queue(queue) => size_of::<Queue>() + queue.heap_bytes(),
            Self::Hash(hash) => hash.heap_bytes(),
            Self::Set(set) => set.heap_bytes(),
            Self::Stream(stream) => {
                let bytes = usize::try_from(stream.heap_bytes()).unwrap_or(usize::MAX);
                bytes.saturating_add(size_of::<Stream>())
            }
            Self::SortedSet(set) => size_of::<SortedSet>() + set.heap_bytes(),
        }
    }

    /// Frees it, elsewhere if it is heavy: hundreds of megabytes take milliseconds to unmap.
    pub fn free(self) {
        match self {
            Self::Text(text) => {
                let bytes = text.heap_bytes();
                reclaim::free(text, bytes);
            }
            Self::Hash(hash) => drop(hash),
            Self::Set(set) => drop(set),
            // They hand themselves over.
            Self::Queue(queue) => drop(queue),
            Self::Stream(stream) => drop(stream),
            Self::SortedSet(set) => drop(set),
        }
    }

    /// Messages of a queue, or entries of a stream, that are lost when it goes, with their bytes.
    /// Members of a sorted set are no messages.
    pub fn held(&self) -> Tally {
        match self {
            Self::Queue(queue) => queue.held(),
            Self::Stream(stream) => stream.held(),
            Self::Text(_) | Self::Hash(_) | Self::Set(_) | Self::SortedSet(_) => Tally::default(),
        }
    }
}

/// Longest string that OBJECT ENCODING calls `embstr`. Redis keeps such strings beside their key.
const EMBEDDED_BYTES_MAX: usize = 44;
/// Room of a short string that was changed in place: more than an embedded one ever has.
const GROWN_BYTES_MIN: usize = 48;

impl Shed for Text {
    /// One allocation goes at once.
    fn shed(&mut self) -> bool {
        false
    }
}

/// A string value, in three words.
///
/// Strings that read as canonical 64-bit integers are kept as such when they are set: counters
/// neither allocate nor parse. Long ones are shared with the replies that carry them. Whether a
/// short one was ever changed in place, which OBJECT ENCODING shows, is told by its capacity: one
/// that was set has none to spare, so at most [`EMBEDDED_BYTES_MAX`].
#[derive(Debug)]
pub enum Text {
    /// A canonical decimal integer.
    Integer(i64),
    /// Bytes owned by the entry, room to grow included.
    Own(Vec<u8>),
    /// At least [`SHARED_BYTES_MIN`] bytes, shared with replies on their way out. Boxed, because
    /// it would be the only thing to make every entry larger.
    Shared(Box<Bytes>),
}

const _: () = assert!(size_of::<Text>() == 3 * size_of::<usize>());

impl Clone for Text {
    /// A copy in the same way of keeping it; a shared one costs no copying.
    fn clone(&self) -> Self {
        match self {
            Self::Integer(integer) => Self::Integer(*integer),
            Self::Own(own) if is_grown(own) => {
                let mut copy = Vec::with_capacity(own.len().max(GROWN_BYTES_MIN));
                copy.extend_from_slice(own);
                Self::Own(copy)
            }
            Self::Own(own) => Self::Own(own.as_slice().to_vec()),
            Self::Shared(shared) => Self::Shared(shared.clone()),
        }
    }
}

/// Whether bytes of an entry are longer than embedded ones, or were changed in place.
fn is_grown(own: &Vec<u8>) -> bool {
    own.capacity() > EMBEDDED_BYTES_MAX
}

/// Gives the digits of an integer to `f`. Out of line, so that what it prints them in costs nobody
/// else anything.
#[inline(never)]
fn with_digits<R>(integer: i64, f: impl FnOnce(&[u8]) -> R) -> R {
    f(itoa::Buffer::new().format(integer).as_bytes())
}

impl Text {
    /// Keeps `bytes` in whichever way fits them.
    #[inline]
    pub fn new(bytes: &[u8]) -> Self {
        Self::kept(bytes, Bytes::copy_from_slice)
    }

    /// The same; `keep` makes what is held of long ones.
    #[inline]
    pub fn kept(bytes: &[u8], keep: impl FnOnce(&[u8]) -> Bytes) -> Self {
        match Self::canonical_integer(bytes) {
            Some(integer) => Self::Integer(integer),
            None => Self::verbatim_kept(bytes, keep),
        }
    }

    /// Something from the memory of its bytes, for having it come to the caches.
    #[inline]
    pub(super) fn ask(&self) -> u64 {
        match self {
            Self::Integer(_) => 0,
            Self::Own(own) => own.first().map_or(0, |&byte| byte.into()),
            Self::Shared(shared) => shared.first().map_or(0, |&byte| byte.into()),
        }
    }

    /// Keeps `bytes` as bytes, even if they spell an integer.
    pub fn verbatim(bytes: &[u8]) -> Self {
        Self::verbatim_kept(bytes, Bytes::copy_from_slice)
    }

    #[inline]
    fn verbatim_kept(bytes: &[u8], keep: impl FnOnce(&[u8]) -> Bytes) -> Self {
        if bytes.len() >= SHARED_BYTES_MIN {
            Self::Shared(Box::new(keep(bytes)))
        } else {
            Self::Own(bytes.to_vec())
        }
    }

    /// Bytes as if changed in place.
    pub fn changed(mut own: Vec<u8>) -> Self {
        own.reserve_exact(GROWN_BYTES_MIN.saturating_sub(own.len()));
        Self::Own(own)
    }

    /// `offset` zeros and then `bytes`, as if changed in place. Zeros that come fresh from the
    /// system take no memory before they are written.
    pub fn padded(offset: usize, bytes: &[u8]) -> Self {
        let len = offset + bytes.len();
        let mut own = vec![0; len.max(GROWN_BYTES_MIN)];
        own[offset..len].copy_from_slice(bytes);
        own.truncate(len);
        Self::Own(own)
    }

    /// Puts `bytes` in its place, reusing the allocation where there is one that fits; `keep` makes
    /// what is held of long ones.
    #[inline]
    pub fn replace(&mut self, bytes: &[u8], keep: impl FnOnce(&[u8]) -> Bytes) {
        let len = bytes.len();
        match self {
            Self::Own(own)
                if fits(own.capacity(), len) && Self::canonical_integer(bytes).is_none() =>
            {
                own.clear();
                own.extend_from_slice(bytes);
            }
            _ => *self = Self::kept(bytes, keep),
        }
    }

    /// Adds `bytes` at the end and returns the length. Amortized O(1) per byte.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let own = self.make_own();
        own.extend_from_slice(bytes);
        own.len()
    }

    /// Writes `bytes` over what stands at `offset`, with zeros before them where the string is
    /// shorter, and returns the length.
    pub fn write_at(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let end = offset + bytes.len();
        let own = self.make_own();
        if end > own.len() {
            own.resize(end, 0);
        }
        own[offset..end].copy_from_slice(bytes);
        own.len()
    }

    /// The integer that it spells, if it spells one canonically.
    #[inline]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Own(own) => Self::canonical_integer(own),
            Self::Shared(_) => None,
        }
    }

    /// Its bytes by reference, if it is long enough for that to pay; changing it later costs one
    /// copy if a reply still holds it then.
    #[inline]
    pub fn shared(&mut self) -> Option<&Bytes> {
        if let Self::Own(own) = self
            && own.len() >= SHARED_BYTES_MIN
        {
            let own = mem::take(own);
            self.share(own);
        }
        match self {
            Self::Shared(shared) => Some(shared),
            Self::Integer(_) | Self::Own(_) => None,
        }
    }

    #[cold]
    #[inline(never)]
    fn share(&mut self, own: Vec<u8>) {
        *self = Self::Shared(Box::new(Bytes::from(own)));
    }

    /// What OBJECT ENCODING calls the way in which it is kept.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Integer(_) => "int",
            Self::Own(own) if !is_grown(own) => "embstr",
            Self::Own(_) | Self::Shared(_) => "raw",
        }
    }

    /// The integer that `bytes` spell, if they spell it the one way that printing it gives back.
    pub(super) fn canonical_integer(bytes: &[u8]) -> Option<i64> {
        if bytes.len() > 20 || bytes.is_empty() {
            return None;
        }
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let (&first, rest) = digits.split_first()?;
        let negative = digits.len() < bytes.len();
        if !first.is_ascii_digit() || (first == b'0' && (negative || !rest.is_empty())) {
            return None;
        }
        let mut value: i64 = 0;
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            let digit = i64::from(digit - b'0');
            value = value.checked_mul(10)?;
            value = if negative {
                value.checked_sub(digit)?
            } else {
                value.checked_add(digit)?
            };
        }
        Some(value)
    }

    /// Gives its bytes to `f`; an integer is printed on the stack.
    #[inline]
    pub fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Integer(integer) => with_digits(*integer, f),
            Self::Own(own) => f(own),
            Self::Shared(shared) => f(shared),
        }
    }

    /// An owned copy of its bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.with_bytes(<[u8]>::len)
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes for changing in place, whatever way it was kept before.
    pub fn make_own(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Own(_) => {}
            Self::Integer(_) => *self = Self::Own(self.to_vec()),
            // Takes the allocation over unless a reply still holds it.
            Self::Shared(shared) => *self = Self::Own(Vec::from(mem::take(&mut **shared))),
        }
        match self {
            Self::Own(own) => {
                if !is_grown(own) {
                    own.reserve_exact(GROWN_BYTES_MIN - own.len());
                }
                own
            }
            Self::Integer(_) | Self::Shared(_) => unreachable!("it was made its own just above"),
        }
    }

    /// Bytes that it owns outside its entry.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Integer(_) => 0,
            Self::Own(own) => own.capacity(),
            Self::Shared(shared) => size_of::<Bytes>() + shared.len(),
        }
    }
}

/// Whether a string of `len` bytes may be put into an allocation: it must not grow, waste more
/// than half, or be taken for changed in place.
#[inline]
fn fits(capacity: usize, len: usize) -> bool {
    capacity == len
        || (len > EMBEDDED_BYTES_MAX
            && len < SHARED_BYTES_MIN
            && capacity >= len
            && capacity <= len * 2)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{SHARED_BYTES_MIN, Text};

    #[test]
    fn keeps_only_canonical_integers_as_integers() {
        for integer in [
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "42",
        ] {
            assert!(
                matches!(Text::new(integer.as_bytes()), Text::Integer(_)),
                "{integer}"
            );
        }
        for text in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "+1",
            " 1",
            "1 ",
            "9223372036854775808",
            "1.0",
        ] {
            assert!(matches!(Text::new(text.as_bytes()), Text::Own(_)), "{text}");
        }
    }

    #[test]
    fn gives_back_what_it_was_given() {
        let long = vec![b'x'; SHARED_BYTES_MIN];
        let mut text = Text::new(b"17");
        for bytes in [
            &b"hello"[..],
            b"-9223372036854775808",
            &long,
            b"",
            &[7; 90],
            &[8; 40],
        ] {
            text.replace(bytes, Bytes::copy_from_slice);
            assert_eq!(text.to_vec(), bytes);
            assert_eq!(text.len(), bytes.len());
            assert_eq!(text.clone().make_own(), bytes);
        }
    }

    #[test]
    fn remembers_that_it_was_changed_in_place() {
        let mut text = Text::new(b"12");
        assert_eq!(text.encoding(), "int");
        assert_eq!(text.append(b""), 2);
        assert_eq!((text.encoding(), text.integer()), ("raw", Some(12)));
        assert_eq!(text.clone().encoding(), "raw");
        text.replace(b"short", Bytes::copy_from_slice);
        assert_eq!(text.encoding(), "embstr");
        assert_eq!(text.clone().encoding(), "embstr");
        assert_eq!(text.write_at(7, b"x"), 8);
        assert_eq!(text.to_vec(), b"short\0\0x");
        assert_eq!(text.encoding(), "raw");
        for (len, encoding) in [(44, "embstr"), (45, "raw"), (44, "embstr"), (0, "embstr")] {
            text.replace(&vec![b'v'; len], Bytes::copy_from_slice);
            assert_eq!((text.len(), text.encoding()), (len, encoding));
        }
        assert_eq!(Text::verbatim(b"3").encoding(), "embstr");
        assert_eq!(Text::padded(2, b"a").encoding(), "raw");
        assert_eq!(Text::padded(2, b"a").to_vec(), b"\0\0a");
    }

    #[test]
    fn shares_what_is_long_and_takes_it_back() {
        let mut text = Text::verbatim(&[b'a'; 10]);
        assert_eq!(text.shared(), None);
        text.append(&[b'b'; SHARED_BYTES_MIN]);
        let held = text.shared().expect("it is long").clone();
        text.append(b"c");
        assert_eq!(held.len() + 1, text.len());
        assert!(held.ends_with(b"b"));
        drop(held);
        let at = text.shared().expect("it is long").as_ptr();
        assert_eq!(text.make_own().as_ptr(), at, "copied without need");
    }
}
