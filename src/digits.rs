//! Numbers as decimal digits, eight at a time in a register: no loop over them, no look-up, and
//! stores of a fixed size, which need no call to `memcpy`. An id of a stream or a length of a queue
//! costs half of what it costs digit by digit.

/// Digits that are made at once.
const EIGHT: usize = 8;
/// One more than the greatest number of eight digits.
const EIGHT_END: u64 = 100_000_000;

/// Most bytes that [`put`] writes from where it begins, all that it may overwrite included.
pub const ROOM: usize = 20;

/// Writes the digits of `number` into `text` from `at` on, and returns where they end. Bytes behind
/// that may be overwritten: up to [`ROOM`] from `at` on must be there.
///
/// # Panics
/// When they are not.
#[inline]
pub fn put(text: &mut [u8], at: usize, number: u64) -> usize {
    let (head, tail) = (number / EIGHT_END, number % EIGHT_END);
    if head == 0 {
        return put_first(text, at, tail);
    }
    let end = if head < EIGHT_END {
        put_first(text, at, head)
    } else {
        let end = put_first(text, at, head / EIGHT_END);
        put_eight(text, end, spread(head % EIGHT_END));
        end + EIGHT
    };
    put_eight(text, end, spread(tail));
    end + EIGHT
}

/// Writes up to eight digits, without leading zeros.
#[inline]
fn put_first(text: &mut [u8], at: usize, number: u64) -> usize {
    let digits = spread(number);
    // A last digit stays in any case.
    let zeros = (digits | 1 << (u64::BITS - 1)).trailing_zeros() / u8::BITS;
    put_eight(text, at, digits >> (zeros * u8::BITS));
    at + EIGHT - zeros as usize
}

#[inline]
fn put_eight(text: &mut [u8], at: usize, digits: u64) {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; EIGHT]);
    text[at..at + EIGHT].copy_from_slice(&(digits | ZEROS).to_le_bytes());
}

/// The eight digits of a number below 10^8, one in each byte, the first one in the lowest: halves
/// are divided into hundreds and those into tens, all at once. Quotients are products with a
/// rounded reciprocal, exact for numbers as small as these; what a division takes off one half is
/// put into the other by the same product.
#[inline]
fn spread(number: u64) -> u64 {
    let high = (number * 109_951_163) >> 40;
    let fours = (number << 32) - high * ((10_000 << 32) - 1);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = (fours << 16) - hundreds * ((100 << 16) - 1);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    (twos << 8) - tens * ((10 << 8) - 1)
}

#[cfg(test)]
mod tests {
    use super::{ROOM, put};

    fn check(number: u64) {
        let mut text = [b'x'; ROOM];
        let end = put(&mut text, 0, number);
        assert_eq!(text[..end], *number.to_string().as_bytes());
    }

    #[test]
    fn numbers_of_all_lengths_are_written() {
        check(u64::MAX);
        let mut edge = 1u64;
        loop {
            for near in [edge - 1, edge, edge + 1, edge * 5, edge / 3 * 7] {
                check(near);
            }
            match edge.checked_mul(10).filter(|edge| *edge < u64::MAX / 10) {
                Some(next) => edge = next,
                None => return,
            }
        }
    }

    #[test]
    fn every_four_digits_are_written_in_both_halves() {
        for four in 0..10_000 {
            check(four);
            check(four * 10_000 + 9_999 - four);
        }
    }
}
