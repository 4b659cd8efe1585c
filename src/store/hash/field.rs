//! A field of a large hash with its value and deadline, in one allocation behind a thin pointer:
//! a table of half the size stays in the caches, which HSET to many fields is bound by.

use std::fmt;

use thin_vec::ThinVec;

/// The first byte says by this bit that eight bytes of deadline follow the length of the name.
const HAS_DEADLINE: u8 = 1;
/// The first byte says by this bit that the length of the name stands in the next four bytes; else
/// it stands in the bits above.
const HAS_LONG_NAME: u8 = 2;
/// Longest name whose length stands in the first byte.
const SHORT_NAME_MAX: usize = 63;
const DEADLINE_BYTES: usize = 8;
/// What the allocation holds before the bytes: their length and its own.
const HEADER_BYTES: usize = 16;

/// Name, value and deadline. One word.
#[derive(Clone)]
pub(super) struct Field(ThinVec<u8>);

impl Field {
    pub fn new(name: &[u8], value: &[u8], deadline_ms: Option<u64>) -> Self {
        let has_deadline = u8::from(deadline_ms.is_some()) * HAS_DEADLINE;
        let is_short = name.len() <= SHORT_NAME_MAX;
        let head_bytes = if is_short { 1 } else { 5 };
        let deadline_bytes = usize::from(has_deadline) * DEADLINE_BYTES;
        // Exactly: nobody keeps an account of room to spare.
        let size = head_bytes + deadline_bytes + name.len() + value.len();
        let mut bytes = ThinVec::with_capacity(size);
        if is_short {
            bytes.push(name.len().to_le_bytes()[0] << 2 | has_deadline);
        } else {
            bytes.push(HAS_LONG_NAME | has_deadline);
            bytes.extend_from_slice(&name.len().to_le_bytes()[..4]);
        }
        if let Some(deadline_ms) = deadline_ms {
            bytes.extend_from_slice(&deadline_ms.to_le_bytes());
        }
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(value);
        Self(bytes)
    }

    /// Where the deadline begins if there is one, else the name; and the length of the name.
    #[inline]
    fn head(&self) -> (usize, usize) {
        let first = self.0[0];
        if first & HAS_LONG_NAME == 0 {
            return (1, usize::from(first >> 2));
        }
        let mut len = [0; 4];
        len.copy_from_slice(&self.0[1..5]);
        (5, u32::from_le_bytes(len) as usize)
    }

    /// Where the name begins and where it ends.
    #[inline]
    fn name_bounds(&self) -> (usize, usize) {
        let (mut at, len) = self.head();
        if self.0[0] & HAS_DEADLINE != 0 {
            at += DEADLINE_BYTES;
        }
        (at, at + len)
    }

    #[inline]
    pub fn name(&self) -> &[u8] {
        let (start, end) = self.name_bounds();
        &self.0[start..end]
    }

    #[inline]
    pub fn value(&self) -> &[u8] {
        &self.0[self.name_bounds().1..]
    }

    pub fn deadline_ms(&self) -> Option<u64> {
        if self.0[0] & HAS_DEADLINE == 0 {
            return None;
        }
        let at = self.head().0;
        let mut word = [0; DEADLINE_BYTES];
        word.copy_from_slice(&self.0[at..at + DEADLINE_BYTES]);
        Some(u64::from_le_bytes(word))
    }

    /// Puts another value in its place; the deadline stays.
    pub fn set_value(&mut self, value: &[u8]) {
        let start = self.name_bounds().1;
        if self.0.len() == start + value.len() {
            self.0[start..].copy_from_slice(value);
            return;
        }
        let mut bytes = ThinVec::with_capacity(start + value.len());
        bytes.extend_from_slice(&self.0[..start]);
        bytes.extend_from_slice(value);
        self.0 = bytes;
    }

    pub fn set_deadline(&mut self, deadline_ms: Option<u64>) {
        if self.deadline_ms() != deadline_ms {
            *self = Self::new(self.name(), self.value(), deadline_ms);
        }
    }

    /// Bytes that it owns.
    pub fn heap_bytes(&self) -> usize {
        HEADER_BYTES + self.0.len()
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, value) = (self.name().escape_ascii(), self.value().escape_ascii());
        write!(f, "{name}={value} until {:?}", self.deadline_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::Field;

    #[test]
    fn parts_come_back() {
        for name in [0, 1, 63, 64, 300, 70_000].map(|len| vec![b'n'; len]) {
            let mut field = Field::new(&name, b"value", None);
            for (value, deadline_ms) in [
                (&b"other"[..], None),
                (b"a longer one", Some(7)),
                (b"", Some(u64::MAX)),
                (b"last", None),
            ] {
                field.set_value(value);
                field.set_deadline(deadline_ms);
                assert_eq!(field.name(), name);
                assert_eq!(field.value(), value);
                assert_eq!(field.deadline_ms(), deadline_ms);
            }
        }
    }
}
