//! Numbers as Redis reads them.

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
    match text {
        [b'0'] => Some(0),
        [] | [b'0', ..] => None,
        _ => {
            let mut value = 0u64;
            for &byte in text {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
            }
            Some(value)
        }
    }
}

/// Reads a floating-point number: the whole text, no blanks, not NaN.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().filter(|value: &f64| !value.is_nan())
}

/// The text of a floating-point number, on the stack.
pub struct Double {
    bytes: [u8; 32],
    len: usize,
}

impl Double {
    /// Formats `value` as Redis prints scores.
    pub fn new(value: f64) -> Self {
        let mut text = Self {
            bytes: [0; 32],
            len: 0,
        };
        let mut digits = ryu::Buffer::new();
        let formatted = digits.format(value);
        text.len = formatted.len();
        text.bytes[..text.len].copy_from_slice(formatted.as_bytes());
        text
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Why two decimals could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecimalError {
    /// One of them is not a number.
    NotAFloat,
    /// The sum is infinite or not a number.
    NotFinite,
}

/// Adds two decimals as INCRBYFLOAT does.
pub fn add_decimal(current: &[u8], increment: &[u8]) -> Result<Vec<u8>, DecimalError> {
    let current = parse_f64(current).ok_or(DecimalError::NotAFloat)?;
    let increment = parse_f64(increment).ok_or(DecimalError::NotAFloat)?;
    let sum = current + increment;
    if !sum.is_finite() {
        return Err(DecimalError::NotFinite);
    }
    Ok(Double::new(sum).as_bytes().to_vec())
}
