//! What a key can hold.

use bytes::Bytes;

use super::queue::Queue;

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
        }
    }

    /// Bytes that it owns outside its entry.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.heap_bytes(),
            Self::Queue(queue) => size_of::<Queue>() + queue.heap_bytes(),
        }
    }

    /// Whether freeing it can take so long that it is better done elsewhere than under a lock.
    pub fn is_heavy(&self) -> bool {
        self.heap_bytes() > 1 << 20
    }
}

/// A string value.
///
/// Strings that read as canonical 64-bit integers are kept as such: counters neither allocate nor
/// parse. Long ones are shared with the replies that carry them.
#[derive(Clone, Debug)]
pub enum Text {
    /// A canonical decimal integer.
    Integer(i64),
    /// Bytes owned by the entry, room to grow included.
    Own(Vec<u8>),
    /// At least [`SHARED_BYTES_MIN`] bytes, shared with replies on their way out.
    Shared(Bytes),
}

impl Text {
    /// Keeps `bytes` in whichever way fits them.
    pub fn new(bytes: &[u8]) -> Self {
        if bytes.len() >= SHARED_BYTES_MIN {
            return Self::Shared(Bytes::copy_from_slice(bytes));
        }
        match Self::canonical_integer(bytes) {
            Some(integer) => Self::Integer(integer),
            None => Self::Own(bytes.to_vec()),
        }
    }

    /// Puts `bytes` in its place, reusing the allocation where there is one.
    pub fn replace(&mut self, bytes: &[u8]) {
        match self {
            Self::Own(own)
                if bytes.len() > 20
                    && bytes.len() < SHARED_BYTES_MIN
                    && own.capacity() <= bytes.len() * 2 + 64 =>
            {
                own.clear();
                own.extend_from_slice(bytes);
            }
            _ => *self = Self::new(bytes),
        }
    }

    /// The integer that `bytes` spell, if they spell it the one way that printing it gives back.
    fn canonical_integer(bytes: &[u8]) -> Option<i64> {
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
            Self::Integer(integer) => f(itoa::Buffer::new().format(*integer).as_bytes()),
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
        if !matches!(self, Self::Own(_)) {
            *self = Self::Own(self.to_vec());
        }
        match self {
            Self::Own(own) => own,
            Self::Integer(_) | Self::Shared(_) => unreachable!("it was made its own just above"),
        }
    }

    /// Bytes that it owns outside its entry.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Integer(_) => 0,
            Self::Own(own) => own.capacity(),
            Self::Shared(shared) => shared.len(),
        }
    }
}

#[cfg(test)]
mod tests {
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
            text.replace(bytes);
            assert_eq!(text.to_vec(), bytes);
            assert_eq!(text.len(), bytes.len());
            assert_eq!(text.clone().make_own(), bytes);
        }
    }
}
