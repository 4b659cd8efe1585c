//! How many bytes a macro node of Redis would take for the same entries.
//!
//! `MAXLEN ~` trims whole nodes, so where nodes end is visible to clients: a stream answers XLEN
//! as Redis does only if its segments end where Redis's nodes would. Redis closes a node once its
//! packed list and the next entry's raw bytes together reach `stream-node-max-bytes`; this file
//! knows what the packed list costs. One pass over the values, about a nanosecond each.

/// Bytes around the elements of a packed list: its header and its end mark.
const FRAME_BYTES: u64 = 7;

/// What a whole node costs before its first entry: frame, number of fields, names, end of names.
/// The two counters are left to [`counter_bytes`] because they change.
pub(super) fn shape_bytes<'a>(names: impl ExactSizeIterator<Item = &'a [u8]>) -> u64 {
    let count = signed(names.len() as u64);
    FRAME_BYTES + integer_bytes(count) + names.map(element_bytes).sum::<u64>() + integer_bytes(0)
}

/// What one of a node's two entry counters costs at this value.
pub(super) fn counter_bytes(count: u32) -> u64 {
    integer_bytes(i64::from(count))
}

/// What an entry's own elements cost: flags, two id steps, and how many elements it has.
///
/// The id steps are relative to the node's first id; `fields` is the number of fields.
pub(super) fn entry_bytes(ms_step: u64, seq_step: u64, fields: usize, shared: bool) -> u64 {
    let fields = fields as u64;
    let (flags, own, elements) = if shared {
        (2, 0, fields + 3)
    } else {
        (0, integer_bytes(signed(fields)), fields * 2 + 4)
    };
    integer_bytes(flags)
        + integer_bytes(ms_step.cast_signed())
        + integer_bytes(seq_step.cast_signed())
        + own
        + integer_bytes(signed(elements))
}

/// What one field or value costs: as an integer where it reads as one, as bytes otherwise.
#[inline]
pub(super) fn element_bytes(element: &[u8]) -> u64 {
    if let Some(number) = canonical_integer(element) {
        return integer_bytes(number);
    }
    let len = element.len() as u64;
    let header = match len {
        0..64 => 1,
        64..4096 => 2,
        _ => 5,
    };
    with_back_length(header + len)
}

/// What an integer element costs.
#[inline]
fn integer_bytes(number: i64) -> u64 {
    let own = match number {
        0..=127 => 1,
        -4096..=4095 => 2,
        -32_768..=32_767 => 3,
        -8_388_608..=8_388_607 => 4,
        -2_147_483_648..=2_147_483_647 => 5,
        _ => 9,
    };
    own + 1
}

/// Every element is followed by its own length, in base 128, for walking backwards.
#[inline]
fn with_back_length(own: u64) -> u64 {
    own + match own {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number that prints exactly as `text`, if there is one.
#[inline]
fn canonical_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 19 => {}
        _ => return None,
    }
    let mut magnitude = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_told_from_text() {
        for number in [0, 1, -1, 127, i64::MAX, i64::MIN, 1_700_000_000_000] {
            let text = number.to_string();
            assert_eq!(canonical_integer(text.as_bytes()), Some(number));
        }
        for text in ["", "-", "-0", "01", "+1", "1 ", "1x", "9223372036854775808"] {
            assert_eq!(canonical_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn elements_cost_what_a_packed_list_takes() {
        assert_eq!(element_bytes(b"7"), 2);
        assert_eq!(element_bytes(b"4095"), 3);
        assert_eq!(element_bytes(b"field"), 7);
        assert_eq!(element_bytes(&[b'x'; 63]), 65);
        assert_eq!(element_bytes(&[b'x'; 64]), 67);
        assert_eq!(element_bytes(&[b'x'; 125]), 128);
        assert_eq!(element_bytes(&[b'x'; 126]), 130);
        assert_eq!(element_bytes(&[b'x'; 4096]), 4103);
    }
}
