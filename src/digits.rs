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
    if number < EIGHT_END {
        return put_first(text, at, number);
    }
    let end = match number / EIGHT_END {
        head if head < EIGHT_END => put_first(text, at, head),
        head => {
            let end = put_first(text, at, head / EIGHT_END);
            put_eight(text, end, spread(head % EIGHT_END));
            end + EIGHT
        }
    };
    put_eight(text, end, spread(number % EIGHT_END));
    end + EIGHT
}

/// Writes up to eight digits, without leading zeros.
#[inline]
fn put_first(text: &mut [u8], at: usize, number: u64) -> usize {
    let digits = spread(number);
    // A last digit stays in any case.
    let zeros = digits.trailing_zeros().min(u64::BITS - 1) / u8::BITS;
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
/// rounded reciprocal, exact for numbers as small as these.
#[inline]
fn spread(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
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
