//! The buffer that a large request came in: an argument that is nearly all of it can become a value
//! without being copied.

use bytes::Bytes;

/// How much of its whole, in eighths, a part must be to be had by reference: the rest is memory
/// that it holds in vain.
const PART_EIGHTHS_MIN: usize = 7;

/// Bytes from which on a part of a whole of so many is had by reference.
pub(super) fn part_bytes_min(whole_bytes: usize) -> usize {
    whole_bytes / 8 * PART_EIGHTHS_MIN
}

/// A buffer of requests, frozen while they are executed.
#[derive(Debug)]
pub struct Carrier {
    bytes: Bytes,
    part_bytes_min: usize,
}

impl Carrier {
    /// Freezes a buffer. O(1), without a copy.
    pub fn new(buffer: Vec<u8>) -> Self {
        Self {
            part_bytes_min: part_bytes_min(buffer.capacity()),
            bytes: Bytes::from(buffer),
        }
    }

    /// What is in the buffer.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An argument by reference, if it lies in this buffer and is nearly all of it. O(1).
    pub fn share(&self, argument: &[u8]) -> Option<Bytes> {
        let (own, part) = (self.bytes.as_ptr_range(), argument.as_ptr_range());
        let is_inside = own.start <= part.start && part.end <= own.end;
        (is_inside && argument.len() >= self.part_bytes_min).then(|| self.bytes.slice_ref(argument))
    }

    /// The buffer back, as it was; a copy if a part of it is shared.
    pub fn into_buffer(self) -> Vec<u8> {
        Vec::from(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Carrier;

    #[test]
    fn what_is_nearly_all_of_it_is_shared() {
        let buffer = vec![b'x'; 64 << 10];
        let address = buffer.as_ptr().addr();
        let carrier = Carrier::new(buffer);
        let part = &carrier.bytes()[40..(64 << 10) - 2];
        let shared = carrier.share(part).unwrap();
        assert_eq!(shared, part);
        assert_eq!(shared.as_ptr().addr(), address + 40);
        drop(carrier);
        assert!(shared.iter().all(|&byte| byte == b'x'));
    }

    #[test]
    fn what_would_hold_much_in_vain_is_not_shared() {
        let mut buffer = Vec::with_capacity(64 << 10);
        buffer.resize(50 << 10, b'x');
        let carrier = Carrier::new(buffer);
        assert_eq!(carrier.share(carrier.bytes()), None);
        assert_eq!(carrier.share(&carrier.bytes()[..100]), None);
    }

    #[test]
    fn what_lies_elsewhere_is_not_shared() {
        let carrier = Carrier::new(vec![b'x'; 1000]);
        assert_eq!(carrier.share(&[b'x'; 1000]), None);
    }

    #[test]
    fn the_buffer_comes_back() {
        let mut buffer = Vec::with_capacity(4096);
        buffer.extend_from_slice(b"*1\r\n$4\r\nPI");
        let address = buffer.as_ptr().addr();
        let buffer = Carrier::new(buffer).into_buffer();
        assert_eq!(buffer, b"*1\r\n$4\r\nPI");
        assert_eq!((buffer.as_ptr().addr(), buffer.capacity()), (address, 4096));
    }
}
