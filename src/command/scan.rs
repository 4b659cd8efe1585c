//! What SCAN and its kin for hashes, sets and sorted sets read of their arguments.

use crate::glob;
use crate::protocol::number::parse_i64;
use crate::protocol::{Args, Reply};

use super::error::Error;
use super::outcome::Result;

/// A cursor as clients send it. As in C, blanks and a sign may stand before the digits.
pub fn parse_cursor(argument: &[u8]) -> Result<u64> {
    let invalid = Error::line("ERR invalid cursor");
    if let Some(cursor) = parse_i64(argument) {
        return u64::try_from(cursor).map_err(|_| invalid);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let digits_at = argument.iter().position(|byte| !is_blank(byte));
    let text = &argument[digits_at.unwrap_or(argument.len())..];
    let (is_negative, digits) = match text {
        [sign @ (b'-' | b'+'), digits @ ..] => (*sign == b'-', digits),
        digits => (false, digits),
    };
    let number = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u64>().ok());
    let number = number.ok_or(invalid)?;
    Ok(if is_negative {
        number.wrapping_neg()
    } else {
        number
    })
}

/// The options of HSCAN, SSCAN and ZSCAN.
#[derive(Debug)]
pub struct Page<'a> {
    pattern: Option<&'a [u8]>,
    /// How many members to visit.
    pub count: usize,
    /// NOVALUES: fields only.
    pub no_values: bool,
}

impl<'a> Page<'a> {
    /// Reads the options behind key and cursor; only hashes have values to leave out.
    pub fn parse(args: Args<'a>, has_values: bool) -> Result<Self> {
        let mut page = Self {
            pattern: None,
            count: 10,
            no_values: false,
        };
        let mut options = args.from(3);
        while let Some(option) = options.next() {
            if option.eq_ignore_ascii_case(b"count") {
                let count = parse_i64(options.next().ok_or(Error::Syntax)?);
                let count = count.ok_or(Error::NotInteger)?;
                if count < 1 {
                    return Err(Error::Syntax);
                }
                page.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if option.eq_ignore_ascii_case(b"match") {
                page.pattern = Some(options.next().ok_or(Error::Syntax)?);
            } else if option.eq_ignore_ascii_case(b"novalues") {
                if !has_values {
                    return Err(Error::line("ERR NOVALUES option can only be used in HSCAN"));
                }
                page.no_values = true;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(page)
    }

    /// Whether a member is asked for.
    pub fn takes(&self, member: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| pattern == b"*" || glob::matches(pattern, member, false))
    }
}

/// Writes what a scan of nothing answers.
pub fn answer_nothing(reply: &mut Reply) {
    reply.array(2);
    reply.bulk_str("0");
    reply.empty_array();
}

/// Writes the answer of a scan: `visit` writes members into the reply that it is given and returns
/// the next cursor and how many replies it wrote.
pub fn answer_page(reply: &mut Reply, visit: impl FnOnce(&mut Reply) -> (u64, usize)) {
    let mut page = Reply::new(reply.resp());
    let later = page.array_later();
    let (cursor, len) = visit(&mut page);
    page.close_array(later, len);
    reply.array(2);
    reply.bulk_str(itoa::Buffer::new().format(cursor));
    reply.append(&mut page);
}

#[cfg(test)]
mod tests {
    use super::parse_cursor;

    #[test]
    fn cursors_are_read_as_c_reads_them() {
        for (text, cursor) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("-01", Some(u64::MAX)),
            ("-0", Some(0)),
            (" +7", Some(7)),
            ("007", Some(7)),
            ("", None),
            ("1 ", None),
            ("+", None),
            ("abc", None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()).ok(), cursor, "{text:?}");
        }
    }
}
