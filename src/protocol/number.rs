//! Numbers as Redis reads and prints them.
//!
//! Integers are taken in their one canonical form; floating-point numbers as C's `strtod` takes
//! them, without surrounding blanks. Called for headers of requests and for arguments; an integer
//! of a few digits costs 1 to 3 ns, a decimal about 15.

mod extended;
mod natural;
mod shortest;

#[cfg(test)]
mod tests;

pub use extended::{DecimalError, add_decimal};
pub use shortest::Double;

/// Reads a signed integer in its one canonical form: no plus, no leading zeros, no blanks, no `-0`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let magnitude = parse_u64(digits)?;
    if negative {
        if magnitude == 0 || magnitude > i64::MIN.unsigned_abs() {
            return None;
        }
        Some(0i64.wrapping_sub_unsigned(magnitude))
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Reads an unsigned integer in its one canonical form: digits only, no leading zeros.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    /// Any number of this many digits fits.
    const SAFE_DIGITS: usize = 19;
    match text {
        [b'0'] => return Some(0),
        [] | [b'0', ..] => return None,
        _ => {}
    }
    let (safe, rest) = text.split_at(text.len().min(SAFE_DIGITS));
    let mut value = 0u64;
    for &byte in safe {
        value = value * 10 + digit(byte)?;
    }
    for &byte in rest {
        value = value.checked_mul(10)?.checked_add(digit(byte)?)?;
    }
    Some(value)
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// Reads a floating-point number: the whole text, decimal or hexadecimal (`0x1.8p3`), `inf` or
/// `infinity` in any case. Refuses NaN, blanks, and numbers that over- or underflow.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (negative, magnitude) = split_sign(text);
    let value = match magnitude {
        [b'0', b'x' | b'X', hexadecimal @ ..] => extended::parse_hexadecimal_f64(hexadecimal)?,
        [b'0'..=b'9' | b'.', ..] => {
            if let Some(integer) = short_integer(magnitude) {
                return Some(if negative { -integer } else { integer });
            }
            let value: f64 = std::str::from_utf8(magnitude).ok()?.parse().ok()?;
            if value.is_infinite() || value == 0.0 && !is_zero(magnitude) {
                return None;
            }
            value
        }
        _ if magnitude.eq_ignore_ascii_case(b"inf")
            || magnitude.eq_ignore_ascii_case(b"infinity") =>
        {
            f64::INFINITY
        }
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// A number of nothing but digits, few enough for a float to hold them all; 0 where there are none.
#[inline]
pub fn short_integer(digits: &[u8]) -> Option<f64> {
    /// Any number of this many digits is below 2^53.
    const EXACT_DIGITS: usize = 15;
    if digits.len() > EXACT_DIGITS {
        return None;
    }
    let mut value = 0u64;
    for &byte in digits {
        value = value * 10 + digit(byte)?;
    }
    #[allow(clippy::cast_precision_loss, reason = "below 2^53")]
    let value = value as f64;
    Some(value)
}

/// Takes an optional sign off; true for a minus.
fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [sign @ (b'-' | b'+'), rest @ ..] => (*sign == b'-', rest),
        rest => (false, rest),
    }
}

/// Whether a decimal is zero by its digits, and not by underflow.
fn is_zero(decimal: &[u8]) -> bool {
    decimal
        .iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .all(|byte| matches!(byte, b'0' | b'.'))
}
