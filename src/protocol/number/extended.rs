//! Decimal addition as INCRBYFLOAT and HINCRBYFLOAT do it.
//!
//! Redis reads both numbers into the 80-bit extended floats of x86, adds them, and prints 17 digits
//! after the point without trailing zeros. Clients see the rounding of each step, so the same steps
//! are taken here in integer arithmetic: round to a significand of 64 bits, add, round again, print
//! exactly. The results are the same bytes on every processor.
//!
//! Ordinary numbers stay within `u128` (about 100 ns per addition); others take the long way
//! through [`Natural`], whose cost grows with the square of the length, which is bounded by
//! [`TEXT_BYTES_MAX`].

use super::natural::Natural;

/// Longest text that is taken for a number; Redis has the same bound.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;
/// Digits after the point.
const FRACTION_DIGITS: usize = 17;
const FRACTION_SCALE: u128 = 10u128.pow(17);
/// Decimal exponents past these bounds over- or underflow in every format here.
const DECIMAL_EXPONENT_MAX: i64 = 5000;

/// A binary floating-point format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Bits of the significand.
    bits: u32,
    /// Exponent of the smallest positive value's one bit.
    exponent_min: i32,
    /// Every finite value is below two to this power.
    exponent_max: i32,
}

/// `f64`.
const DOUBLE: Format = Format {
    bits: 53,
    exponent_min: -1074,
    exponent_max: 1024,
};

/// The x87 register format.
pub(crate) const EXTENDED: Format = Format {
    bits: 64,
    exponent_min: -16445,
    exponent_max: 16384,
};

/// `significand * 2^exponent`. The significand is normalized: its top bit within the format is set,
/// unless the exponent is at its minimum or the value is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Binary {
    pub(crate) negative: bool,
    pub(crate) significand: u64,
    pub(crate) exponent: i32,
}

/// What a text says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Number {
    Finite(Binary),
    Infinite,
}

/// Why two decimals could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecimalError {
    /// One of them is not a number, or out of range.
    NotAFloat,
    /// The sum is infinite or not a number.
    NotFinite,
}

/// Adds two decimals as INCRBYFLOAT does and returns the text of the sum.
pub fn add_decimal(current: &[u8], increment: &[u8]) -> Result<Vec<u8>, DecimalError> {
    let current = parse(current).ok_or(DecimalError::NotAFloat)?;
    let increment = parse(increment).ok_or(DecimalError::NotAFloat)?;
    match (current, increment) {
        (Number::Finite(current), Number::Finite(increment)) => add(current, increment)
            .map(print)
            .ok_or(DecimalError::NotFinite),
        _ => Err(DecimalError::NotFinite),
    }
}

/// Reads a hexadecimal float after its `0x`, rounded to `f64`.
pub(crate) fn parse_hexadecimal_f64(text: &[u8]) -> Option<f64> {
    let binary = hexadecimal(text, DOUBLE)?;
    let hidden = 1 << (DOUBLE.bits - 1);
    if binary.significand < hidden {
        return Some(f64::from_bits(binary.significand));
    }
    let biased = u64::try_from(binary.exponent - DOUBLE.exponent_min + 1).ok()?;
    Some(f64::from_bits(
        biased << (DOUBLE.bits - 1) | (binary.significand - hidden),
    ))
}

fn parse(text: &[u8]) -> Option<Number> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (negative, magnitude) = super::split_sign(text);
    if magnitude.eq_ignore_ascii_case(b"inf") || magnitude.eq_ignore_ascii_case(b"infinity") {
        return Some(Number::Infinite);
    }
    let binary = match magnitude {
        [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest, EXTENDED)?,
        rest => decimal(rest)?,
    };
    Some(Number::Finite(Binary { negative, ..binary }))
}

/// Significant digits of a number and where its point is.
struct Digits<'a> {
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// Splits `12.5e3` at its point and its exponent letter, and checks nothing but the exponent and
/// that there is a digit.
fn split(text: &[u8], letter: u8) -> Option<Digits<'_>> {
    let (mantissa, exponent) = match text
        .iter()
        .position(|byte| byte.to_ascii_lowercase() == letter)
    {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (integer, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    (!integer.is_empty() || !fraction.is_empty()).then_some(Digits {
        integer,
        fraction,
        exponent,
    })
}

/// Saturates: past 10^18 no text within the length bound can bring the value back in range.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = super::split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent = digits.iter().fold(0i64, |sum, digit| {
        (sum * 10 + i64::from(digit - b'0')).min(1_000_000_000_000_000)
    });
    Some(if negative { -exponent } else { exponent })
}

/// Reads an unsigned decimal; `None` if it is none, or if it over- or underflows.
pub(crate) fn decimal(text: &[u8]) -> Option<Binary> {
    let parts = split(text, b'e')?;
    let all = || parts.integer.iter().chain(parts.fraction);
    if !all().all(u8::is_ascii_digit) {
        return None;
    }
    let mut digits: Vec<u8> = all().skip_while(|&&digit| digit == b'0').copied().collect();
    let mut exponent = parts.exponent - i64::try_from(parts.fraction.len()).ok()?;
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent += 1;
    }
    if digits.is_empty() {
        return Some(Binary {
            negative: false,
            significand: 0,
            exponent: EXTENDED.exponent_min,
        });
    }
    let magnitude = exponent + i64::try_from(digits.len()).ok()?;
    if magnitude.abs() > DECIMAL_EXPONENT_MAX {
        return None;
    }
    let power = usize::try_from(exponent.unsigned_abs()).ok()?;
    if digits.len() <= 19 && power <= 19 {
        let number = super::parse_u64(&digits)?;
        let ten_to = 10u128.pow(u32::try_from(power).ok()?);
        if exponent >= 0 {
            return round(u128::from(number) * ten_to, false, 0, EXTENDED);
        }
        // Shifted to 128 bits, so that the quotient has at least 64 and the remainder is exact;
        // one more bit would be needed to round, so both halves of the quotient are kept.
        let shift = u128::from(number).leading_zeros();
        let scaled = u128::from(number) << shift;
        let quotient = scaled / ten_to;
        if quotient >> 65 != 0 {
            let sticky = scaled % ten_to != 0;
            return round(quotient, sticky, -i32::try_from(shift).ok()?, EXTENDED);
        }
    }
    let mut numerator = Natural::from_decimal(&digits);
    let mut denominator = Natural::from(1);
    let scaled = if exponent < 0 {
        &mut denominator
    } else {
        &mut numerator
    };
    scaled.multiply_by_ten_to(power);
    ratio(numerator, denominator)
}

/// Rounds a quotient: 66 of its bits by long division, the rest as a sticky bit.
fn ratio(mut numerator: Natural, mut denominator: Natural) -> Option<Binary> {
    const QUOTIENT_BITS: i64 = 66;
    let numerator_bits = i64::try_from(numerator.bits()).ok()?;
    let denominator_bits = i64::try_from(denominator.bits()).ok()?;
    // The quotient of these two has 66 or 67 bits.
    let shift = QUOTIENT_BITS - (numerator_bits - denominator_bits);
    let by = usize::try_from(shift.unsigned_abs()).ok()?;
    if shift >= 0 {
        numerator.shift_left(by);
    } else {
        denominator.shift_left(by);
    }
    let (quotient, exact) = numerator.divide_small(denominator, QUOTIENT_BITS.unsigned_abs() + 1);
    round(quotient, !exact, i32::try_from(-shift).ok()?, EXTENDED)
}

/// Reads an unsigned hexadecimal float after its `0x`.
fn hexadecimal(text: &[u8], format: Format) -> Option<Binary> {
    let parts = split(text, b'p')?;
    let mut exponent = parts.exponent;
    let mut significand = 0u128;
    let mut sticky = false;
    for (index, &byte) in parts.integer.iter().chain(parts.fraction).enumerate() {
        let digit = char::from(byte).to_digit(16)?;
        let in_fraction = index >= parts.integer.len();
        if significand >> 124 == 0 {
            significand = significand << 4 | u128::from(digit);
            exponent -= if in_fraction { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            exponent += if in_fraction { 0 } else { 4 };
        }
    }
    if significand == 0 {
        return Some(Binary {
            negative: false,
            significand: 0,
            exponent: format.exponent_min,
        });
    }
    let exponent = i32::try_from(exponent).ok()?;
    if exponent.abs() > 1 << 20 {
        return None;
    }
    round(significand, sticky, exponent, format)
}

/// Rounds `(significand + a fraction if sticky) * 2^exponent` to the nearest value of the format,
/// ties to even. `None` on overflow, and if the result is zero.
///
/// A sticky significand must be longer than the format's, or rounding could not tell the half.
fn round(significand: u128, sticky: bool, exponent: i32, format: Format) -> Option<Binary> {
    let bits = 128 - significand.leading_zeros();
    let excess = i32::try_from(bits).ok()? - i32::try_from(format.bits).ok()?;
    let drop = excess.max(format.exponent_min - exponent);
    let mut exponent = exponent + drop;
    let mut kept = if drop <= 0 {
        significand << drop.unsigned_abs()
    } else if drop > 128 {
        0
    } else {
        let drop = drop.unsigned_abs();
        let kept = significand.checked_shr(drop).unwrap_or(0);
        let half = 1u128 << (drop - 1);
        let rest = significand & (half | (half - 1));
        let up = rest > half || rest == half && (sticky || kept & 1 == 1);
        kept + u128::from(up)
    };
    if kept >> format.bits != 0 {
        kept >>= 1;
        exponent += 1;
    }
    let top = exponent + i32::try_from(128 - kept.leading_zeros()).ok()?;
    if kept == 0 || top > format.exponent_max {
        return None;
    }
    Some(Binary {
        negative: false,
        significand: u64::try_from(kept).ok()?,
        exponent,
    })
}

/// `None` on overflow.
fn add(a: Binary, b: Binary) -> Option<Binary> {
    /// Room below the larger operand; whatever of the smaller one lies lower is a sticky bit.
    const ROOM_BITS: u32 = 63;
    if a.significand == 0 {
        return Some(b);
    }
    if b.significand == 0 {
        return Some(a);
    }
    let key = |value: Binary| (value.exponent, value.significand);
    let (large, small) = if key(a) >= key(b) { (a, b) } else { (b, a) };
    let distance = large.exponent.abs_diff(small.exponent);
    let high = u128::from(large.significand) << ROOM_BITS;
    let spread = u128::from(small.significand) << ROOM_BITS;
    let low = spread.checked_shr(distance).unwrap_or(0);
    let sticky = low.checked_shl(distance).unwrap_or(0) != spread;
    let sum = if large.negative == small.negative {
        high + low
    } else {
        high - low - u128::from(sticky)
    };
    if sum == 0 {
        return Some(Binary {
            negative: false,
            significand: 0,
            exponent: EXTENDED.exponent_min,
        });
    }
    let rounded = round(
        sum,
        sticky,
        large.exponent - i32::try_from(ROOM_BITS).ok()?,
        EXTENDED,
    )?;
    Some(Binary {
        negative: large.negative,
        ..rounded
    })
}

fn print(value: Binary) -> Vec<u8> {
    let mut text = Vec::with_capacity(40);
    if value.exponent >= 0 {
        let mut integer = Natural::from(value.significand);
        integer.shift_left(value.exponent.unsigned_abs() as usize);
        sign(&mut text, value);
        integer.print(&mut text);
        return text;
    }
    let shift = value.exponent.unsigned_abs();
    let scaled = u128::from(value.significand) * FRACTION_SCALE;
    let kept = scaled.checked_shr(shift).unwrap_or(0);
    let rest = scaled - kept.checked_shl(shift).unwrap_or(0);
    let half = 1u128.checked_shl(shift - 1).unwrap_or(u128::MAX);
    let kept = kept + u128::from(rest > half || rest == half && kept & 1 == 1);
    if kept == 0 {
        return b"0".to_vec();
    }
    sign(&mut text, value);
    let mut digits = itoa::Buffer::new();
    text.extend_from_slice(digits.format(kept / FRACTION_SCALE).as_bytes());
    let fraction = digits.format(kept % FRACTION_SCALE).as_bytes();
    text.push(b'.');
    text.resize(text.len() + FRACTION_DIGITS - fraction.len(), b'0');
    text.extend_from_slice(fraction);
    while text.last() == Some(&b'0') {
        text.pop();
    }
    if text.last() == Some(&b'.') {
        text.pop();
    }
    text
}

fn sign(text: &mut Vec<u8>, value: Binary) {
    if value.negative {
        text.push(b'-');
    }
}
