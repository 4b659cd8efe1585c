//! A member of a large set or sorted set: a short one lies in place.
//!
//! A look-up in a large collection waits for memory and for little else: the bytes that it
//! compares come with the bucket or the slot that it found, instead of from one place further.
//! Three words; members of up to [`INLINE_BYTES_MAX`] bytes need no allocation.

/// Longest member that lies in place.
const INLINE_BYTES_MAX: usize = 22;

/// A name in a collection.
#[derive(Clone, Debug)]
pub(super) struct Member(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Short {
        len: u8,
        bytes: [u8; INLINE_BYTES_MAX],
    },
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<Member>() == 24);

impl Member {
    /// A copy of `name`.
    #[inline]
    pub fn new(name: &[u8]) -> Self {
        if name.len() > INLINE_BYTES_MAX {
            return Self(Kept::Long(name.into()));
        }
        let mut bytes = [0; INLINE_BYTES_MAX];
        bytes[..name.len()].copy_from_slice(name);
        let len = name.len().to_le_bytes()[0];
        Self(Kept::Short { len, bytes })
    }

    /// Its bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Kept::Short { len, bytes } => &bytes[..usize::from(*len)],
            Kept::Long(bytes) => bytes,
        }
    }

    /// Bytes that it owns.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Kept::Short { .. } => 0,
            Kept::Long(bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INLINE_BYTES_MAX, Member};

    #[test]
    fn names_of_all_lengths_come_back() {
        for len in 0..=2 * INLINE_BYTES_MAX {
            let name = vec![b'n'; len];
            let member = Member::new(&name);
            assert_eq!(member.bytes(), name);
            let owned = if len <= INLINE_BYTES_MAX { 0 } else { len };
            assert_eq!(member.heap_bytes(), owned);
        }
    }
}
