//! Little-endian base-128 numbers: seven bits a byte, the top bit says that more follow.
//!
//! Segments are made of these and of raw bytes. One byte holds what is below 128, so the lengths
//! of ordinary fields and the steps between ordinary ids cost one byte each.

/// Bytes that `number` takes.
#[inline]
pub(super) fn width(number: u64) -> usize {
    if number < 0x80 {
        return 1;
    }
    let bits = 64 - number.leading_zeros();
    bits.div_ceil(7) as usize
}

/// Bytes that a part of `len` bytes takes with its length before it.
#[inline]
pub(super) fn framed(len: usize) -> usize {
    len + width(len as u64)
}

/// Appends `number`.
#[inline]
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

/// Appends a part of bytes with its length before it.
#[inline]
pub(super) fn put_bytes(bytes: &mut Vec<u8>, part: &[u8]) {
    put(bytes, part.len() as u64);
    bytes.extend_from_slice(part);
}

/// Reads the number at `*at` and moves `*at` past it.
///
/// # Panics
/// When the bytes end first: segments hold only what [`put`] wrote.
#[inline]
pub(super) fn take(bytes: &[u8], at: &mut usize) -> u64 {
    let first = bytes[*at];
    *at += 1;
    if first < 0x80 {
        return u64::from(first);
    }
    let mut number = u64::from(first & 0x7f);
    let mut shift = 7;
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

/// Reads a length at `*at` and moves `*at` past it.
#[inline]
pub(super) fn take_len(bytes: &[u8], at: &mut usize) -> usize {
    // A length was a usize when it was written.
    usize::try_from(take(bytes, at)).unwrap_or(usize::MAX)
}

/// Reads a length and that many bytes.
#[inline]
pub(super) fn take_bytes<'a>(bytes: &'a [u8], at: &mut usize) -> &'a [u8] {
    let len = take_len(bytes, at);
    let start = *at;
    *at = start + len;
    &bytes[start..*at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut bytes = Vec::new();
        let numbers: Vec<u64> = (0..64)
            .flat_map(|bit| [(1u64 << bit) - 1, 1u64 << bit, (1u64 << bit) + 1])
            .chain([u64::MAX])
            .collect();
        for &number in &numbers {
            let before = bytes.len();
            put(&mut bytes, number);
            assert_eq!(bytes.len() - before, width(number));
        }
        let mut at = 0;
        for &number in &numbers {
            assert_eq!(take(&bytes, &mut at), number);
        }
        assert_eq!(at, bytes.len());
    }
}
