//! What a message carries: which run it belongs to, who sent it, its number there, and when it was
//! due. So a consumer can tell what it got without asking the producer.

/// Length of a stamp, and so the least size of a message.
pub const STAMP_BYTES: usize = 28;
const PADDING: u8 = b'.';

/// The beginning of a message: 28 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Tells a message from what an earlier run left behind.
    pub run: u16,
    /// Who sent it, and where to: numbers count up, and order is kept, within a source.
    pub source: u16,
    /// Its number within the source, from 0.
    pub sequence: u32,
    /// The moment from which it is timed, in microseconds.
    pub due_us: u64,
}

impl Stamp {
    /// Appends a message of `size` bytes (at least [`STAMP_BYTES`]).
    pub fn write(self, size: usize, output: &mut Vec<u8>) {
        let begun = output.len();
        put_hex(u64::from(self.run), 4, output);
        put_hex(u64::from(self.source), 4, output);
        put_hex(u64::from(self.sequence), 8, output);
        put_hex(self.due_us, 12, output);
        output.resize(begun + size.max(STAMP_BYTES), PADDING);
    }

    /// Reads the stamp of a message; `None` if it has none, or is not padded as it should be.
    pub fn read(message: &[u8]) -> Option<Self> {
        let (digits, padding) = message.split_at_checked(STAMP_BYTES)?;
        if padding.iter().any(|byte| *byte != PADDING) {
            return None;
        }
        Some(Self {
            run: hex(&digits[..4])?.try_into().ok()?,
            source: hex(&digits[4..8])?.try_into().ok()?,
            sequence: hex(&digits[8..16])?.try_into().ok()?,
            due_us: hex(&digits[16..])?,
        })
    }
}

/// The last `digits` hexadecimal digits of a number.
fn put_hex(number: u64, digits: u32, output: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in (0..digits).rev() {
        let digit = (number >> (4 * place)) & 15;
        output.push(DIGITS[usize::try_from(digit).unwrap_or(0)]);
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_come_back() {
        let stamp = Stamp {
            run: 0xbeef,
            source: 7,
            sequence: u32::MAX,
            due_us: 0xffff_ffff_ffff,
        };
        for size in [0, STAMP_BYTES, 64, 1000] {
            let mut message = Vec::new();
            stamp.write(size, &mut message);
            assert_eq!(message.len(), size.max(STAMP_BYTES));
            assert_eq!(Stamp::read(&message), Some(stamp));
        }
    }

    #[test]
    fn what_was_cut_or_changed_is_no_stamp() {
        let mut message = Vec::new();
        let stamp = Stamp {
            run: 1,
            source: 2,
            sequence: 3,
            due_us: 4,
        };
        stamp.write(64, &mut message);
        assert_eq!(Stamp::read(&message[..STAMP_BYTES - 1]), None);
        message[40] = b'x';
        assert_eq!(Stamp::read(&message), None);
        message[40] = PADDING;
        message[3] = b'g';
        assert_eq!(Stamp::read(&message), None);
    }
}
