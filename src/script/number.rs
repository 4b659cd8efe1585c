//! Numbers as C prints and reads them, which is what the libraries of scripts promise.

use std::io::Write;

use crate::protocol::number::parse_f64;

/// Appends a number as C's `%.{digits}g` prints it.
pub(super) fn write_general(out: &mut Vec<u8>, value: f64, digits: usize) {
    if value.is_nan() {
        out.extend_from_slice(if value.is_sign_negative() {
            b"-nan"
        } else {
            b"nan"
        });
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
        return;
    }
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    out.extend_from_slice(sign.as_bytes());
    let all: Vec<u8> = mantissa.bytes().filter(|&byte| byte != b'.').collect();
    let kept = all
        .iter()
        .rposition(|&byte| byte != b'0')
        .map_or(1, |at| at + 1);
    let kept = &all[..kept];
    let point = usize::try_from(exponent + 1);
    if exponent < -4 || usize::try_from(exponent).is_ok_and(|exponent| exponent >= digits) {
        out.push(kept[0]);
        if kept.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&kept[1..]);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a vector cannot fail.
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
        return;
    }
    match point {
        Ok(point) if point > 0 => {
            for at in 0..point.max(kept.len()) {
                if at == point {
                    out.push(b'.');
                }
                out.push(kept.get(at).copied().unwrap_or(b'0'));
            }
        }
        _ => {
            out.extend_from_slice(b"0.");
            for _ in 0..(-1 - exponent) {
                out.push(b'0');
            }
            out.extend_from_slice(kept);
        }
    }
}

/// Reads the longest number that a text begins with, as C's `strtod` does: its value, and its
/// length in bytes.
pub(super) fn read_prefix(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let negative = text.first() == Some(&b'-');
    let body = &text[sign..];
    let (magnitude, len) = if starts_with(body, b"infinity") {
        (f64::INFINITY, 8)
    } else if starts_with(body, b"inf") {
        (f64::INFINITY, 3)
    } else if starts_with(body, b"nan") {
        (f64::NAN, 3)
    } else {
        let len = match hexadecimal_len(body) {
            Some(len) => len,
            None => decimal_len(body)?,
        };
        (magnitude_of(&body[..len]), len)
    };
    let value = if negative { -magnitude } else { magnitude };
    Some((value, sign + len))
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word)
}

/// The value of the digits, which are well formed.
fn magnitude_of(digits: &[u8]) -> f64 {
    parse_f64(digits).unwrap_or_else(|| {
        // Past either end of the range, which `strtod` answers with the nearest end.
        let text = std::str::from_utf8(digits).unwrap_or("0");
        text.parse().unwrap_or(0.0)
    })
}

fn digits_len(text: &[u8], is_digit: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_digit(byte)).count()
}

fn decimal_len(text: &[u8]) -> Option<usize> {
    mantissa_len(text, u8::is_ascii_digit).map(|len| len + exponent_len(&text[len..], b'e'))
}

fn hexadecimal_len(text: &[u8]) -> Option<usize> {
    if !starts_with(text, b"0x") {
        return None;
    }
    let len = 2 + mantissa_len(&text[2..], u8::is_ascii_hexdigit)?;
    Some(len + exponent_len(&text[len..], b'p'))
}

/// The length of digits with at most one point among them.
fn mantissa_len(text: &[u8], is_digit: impl Fn(&u8) -> bool) -> Option<usize> {
    let whole = digits_len(text, &is_digit);
    if text.get(whole) != Some(&b'.') {
        return (whole > 0).then_some(whole);
    }
    let fraction = digits_len(&text[whole + 1..], &is_digit);
    (whole + fraction > 0).then_some(whole + 1 + fraction)
}

fn exponent_len(text: &[u8], letter: u8) -> usize {
    if !text
        .first()
        .is_some_and(|byte| byte.eq_ignore_ascii_case(&letter))
    {
        return 0;
    }
    let sign = usize::from(matches!(text.get(1), Some(b'-' | b'+')));
    match digits_len(&text[1 + sign..], u8::is_ascii_digit) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

/// A number cut to an integer as x86 cuts it: what has no such integer gives the smallest.
pub(super) fn to_integer(value: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[allow(clippy::cast_possible_truncation, reason = "within the range")]
    if (-LIMIT..LIMIT).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// The same for an unsigned integer of 64 bits, with negatives wrapped around.
pub(super) fn to_unsigned(value: f64) -> u64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value >= LIMIT {
        to_integer(value - LIMIT).cast_unsigned() ^ (1 << 63)
    } else {
        to_integer(value).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_c_does() {
        let check = |value: f64, digits, expected: &str| {
            let mut out = Vec::new();
            write_general(&mut out, value, digits);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(0.0, 14, "0");
        check(-0.0, 14, "-0");
        check(1.0, 14, "1");
        check(100.0, 14, "100");
        check(0.1, 14, "0.1");
        check(1.0 / 3.0, 14, "0.33333333333333");
        check(1e15, 14, "1e+15");
        check(1e13, 14, "10000000000000");
        check(123_456_789_012_345_678.0, 14, "1.2345678901235e+17");
        check(-1e-7, 14, "-1e-07");
        check(0.0001, 14, "0.0001");
        check(1e300, 14, "1e+300");
        check(1234.5678, 3, "1.23e+03");
        check(0.1, 17, "0.10000000000000001");
        check(f64::INFINITY, 14, "inf");
        check(f64::NEG_INFINITY, 14, "-inf");
        check(9.9999, 2, "10");
    }

    #[test]
    fn reads_the_longest_number() {
        let check = |text: &str, expected: Option<(f64, usize)>| {
            assert_eq!(read_prefix(text.as_bytes()), expected, "{text}");
        };
        check("1", Some((1.0, 1)));
        check("1.", Some((1.0, 2)));
        check(".5x", Some((0.5, 2)));
        check("1e5,", Some((1e5, 3)));
        check("1e", Some((1.0, 1)));
        check("1e+", Some((1.0, 1)));
        check("-0x1F]", Some((-31.0, 5)));
        check("0x", Some((0.0, 1)));
        check("0x1p4", Some((16.0, 5)));
        check("infinity", Some((f64::INFINITY, 8)));
        check("-Infx", Some((f64::NEG_INFINITY, 4)));
        check("1e999", Some((f64::INFINITY, 5)));
        check("1e-999", Some((0.0, 6)));
        check("-", None);
        check("", None);
        check(".", None);
        check("x", None);
    }

    #[test]
    fn cuts_as_x86_does() {
        assert_eq!(to_integer(3.99), 3);
        assert_eq!(to_integer(-3.99), -3);
        assert_eq!(to_integer(1e30), i64::MIN);
        assert_eq!(to_integer(f64::NAN), i64::MIN);
        assert_eq!(to_unsigned(-1.0), u64::MAX);
        assert_eq!(to_unsigned(1e30), 0);
        assert_eq!(to_unsigned(9_223_372_036_854_775_808.0), 1 << 63);
    }
}
