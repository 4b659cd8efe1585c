//! ZSCAN.

use crate::command::call::Call;
use crate::command::outcome::{Outcome, Result};
use crate::command::scan::{Page, answer_nothing, parse_cursor};
use crate::protocol::number::Double;
use crate::protocol::{Args, Reply};

/// ZSCAN key cursor [MATCH pattern] [COUNT count]
pub fn zscan(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let cursor = parse_cursor(args.at(2))?;
    let key = call.key(args.at(1));
    let now_ms = call.now_ms();
    let found = call.held.shard_of(&key).sorted_set(&key, now_ms);
    let found = found.inspect_err(call.stats.hit())?;
    let is_found = found.is_some();
    let reply = &mut *call.reply;
    if let Some(set) = found {
        let wanted = Page::parse(args, false)?;
        let mut page = Reply::new(reply.resp());
        let (later, mut len) = (page.array_later(), 0);
        let is_small = set.is_small();
        let next = set.scan(cursor, wanted.count, |member, score| {
            if wanted.takes(member) {
                page.bulk(member);
                if is_small {
                    page.bulk(Double::new(score).as_bytes());
                } else {
                    page.bulk_str(&in_seventeen_digits(score));
                }
                len += 2;
            }
        });
        page.close_array(later, len);
        reply.array(2);
        reply.bulk_str(itoa::Buffer::new().format(next));
        reply.append(&mut page);
    } else {
        answer_nothing(reply);
    }
    call.looked_up(&key, is_found);
    Ok(Outcome::Done)
}

/// A score as Redis shows those of large sets in a scan, and only there: `%.17g` in C.
fn in_seventeen_digits(score: f64) -> String {
    const DIGITS: i32 = 17;
    if score.is_infinite() {
        return if score > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{score:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| -> String {
        let text = text.trim_end_matches('0');
        text.trim_end_matches('.').to_owned()
    };
    if (-4..DIGITS).contains(&exponent) {
        let places = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        let fixed = format!("{score:.places$}");
        return if places > 0 { trimmed(&fixed) } else { fixed };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::in_seventeen_digits;

    #[test]
    fn scores_have_seventeen_digits() {
        for (score, text) in [
            (0.1, "0.10000000000000001"),
            (3.0, "3"),
            (-0.0, "-0"),
            (1e-9, "1.0000000000000001e-09"),
            (1e21, "1e+21"),
            (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
            (17_179_869_184.0, "17179869184"),
            (3.000_000_000_000_000_4, "3.0000000000000004"),
            (f64::NEG_INFINITY, "-inf"),
            (5e-324, "4.9406564584124654e-324"),
        ] {
            assert_eq!(in_seventeen_digits(score), text);
        }
    }
}
