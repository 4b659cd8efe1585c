//! Requests seen before their turn, in the bytes that have arrived.

use super::request::short_header;

/// The request that `bytes` begin with, up to its second argument: what names its command. `None`
/// where that is not told at a glance.
pub fn command(bytes: &[u8]) -> Option<&[u8]> {
    let (_, first) = short_header(bytes, 0)?;
    let (length, start) = short_header(bytes, first)?;
    bytes.get(..start + length + 2)
}

/// The arguments at `index` of the requests that `rest` begins with: as long as they are whole, have
/// short headers, and begin with `head`, which is the count of arguments and the first `known` of
/// them, fewer than come to `index`. None where `head` is empty.
///
/// Says nothing of whether they will be executed. Costs a few nanoseconds an argument.
pub fn arguments<'a>(
    head: &'a [u8],
    known: usize,
    rest: &'a [u8],
    index: usize,
) -> impl Iterator<Item = &'a [u8]> {
    let count = short_header(head, 0).map_or(0, |(count, _)| count);
    let mut rest = rest;
    std::iter::from_fn(move || {
        if count <= index || !rest.starts_with(head) {
            return None;
        }
        let (mut position, mut found) = (head.len(), None);
        for at in known..count {
            let (length, start) = short_header(rest, position)?;
            let argument = rest.get(start..start + length)?;
            if at == index {
                found = Some(argument);
            }
            position = start + length + 2;
        }
        rest = rest.get(position..)?;
        found
    })
}

/// The last `N` arguments of the request that `rest` begins with, and the bytes that it takes, if it
/// is whole, has short headers, and begins with `head`: the count of arguments, `N` and two, and the
/// first two of them. `None` says nothing but that the parser must look at it.
#[inline]
pub fn next<'a, const N: usize>(head: &[u8], rest: &'a [u8]) -> Option<([&'a [u8]; N], usize)> {
    if head.is_empty() || !rest.starts_with(head) {
        return None;
    }
    debug_assert_eq!(short_header(head, 0).map(|(count, _)| count), Some(N + 2));
    let (mut position, mut arguments) = (head.len(), [&[][..]; N]);
    for argument in &mut arguments {
        let (length, start) = short_header(rest, position)?;
        // The parser says what is wrong with another marker.
        if rest[position] != b'$' {
            return None;
        }
        *argument = rest.get(start..start + length)?;
        position = start + length + 2;
    }
    // The last line end may not have come yet.
    (position <= rest.len()).then_some((arguments, position))
}

#[cfg(test)]
mod tests {
    use super::{arguments, command, next};

    const HEAD: &[u8] = b"*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n";

    fn request(field: &str, value: &str) -> Vec<u8> {
        let (field_len, value_len) = (field.len(), value.len());
        let tail = format!("${field_len}\r\n{field}\r\n${value_len}\r\n{value}\r\n");
        [HEAD, tail.as_bytes()].concat()
    }

    #[test]
    fn those_that_repeat_command_and_key_are_seen_until_another_comes() {
        let other = b"*4\r\n$4\r\nHSET\r\n$1\r\ni\r\n$1\r\na\r\n$1\r\nb\r\n";
        let requests = [
            request("one", "1"),
            request("", ""),
            request("three", "333"),
            other.to_vec(),
            request("five", "5"),
        ]
        .concat();
        let fields: Vec<_> = arguments(HEAD, 2, &requests, 2).collect();
        assert_eq!(fields, [&b"one"[..], b"", b"three"]);
        let values: Vec<_> = arguments(HEAD, 2, &requests, 3).collect();
        assert_eq!(values, [&b"1"[..], b"", b"333"]);
        assert_eq!(arguments(HEAD, 2, &requests, 4).count(), 0);
        let head = command(&requests).unwrap();
        assert_eq!(head, b"*4\r\n$4\r\nHSET\r\n");
        let keys: Vec<_> = arguments(head, 1, &requests, 1).collect();
        assert_eq!(keys, [&b"h"[..], b"h", b"h", b"i", b"h"]);
        assert_eq!(command(b"PING\r\n"), None);
        assert_eq!(arguments(b"", 2, &requests, 2).count(), 0);
    }

    #[test]
    fn what_is_cut_anywhere_shows_only_whole_requests() {
        let (one, two) = (request("one", "1"), request("two", "22"));
        let both = [&one[..], &two].concat();
        for len in 0..=both.len() {
            let seen: Vec<_> = arguments(HEAD, 2, &both[..len], 2).collect();
            let whole = usize::from(len >= one.len()) + usize::from(len >= both.len());
            assert_eq!(seen, [&b"one"[..], b"two"][..whole], "{len}");
        }
    }

    #[test]
    fn the_next_request_is_taken_where_it_is_whole_and_alike() {
        let wire = [request("field", "value"), request("other", "v")].concat();
        let first = request("field", "value").len();
        let taken = next::<2>(HEAD, &wire);
        assert_eq!(taken, Some(([&b"field"[..], b"value"], first)));
        for end in 0..first {
            assert_eq!(next::<2>(HEAD, &wire[..end]), None, "{end} bytes");
        }
        assert_eq!(next::<0>(b"", &wire), None);
        let pair = b"*2\r\n$4\r\nRPOP\r\n$1\r\nq\r\n";
        assert_eq!(
            next::<0>(pair, &[pair, &wire[..]].concat()),
            Some(([], pair.len()))
        );
        let mut marked = wire.clone();
        marked[HEAD.len()] = b'+';
        assert_eq!(next::<2>(HEAD, &marked), None);
        let long = request("field", &"v".repeat(1000));
        assert_eq!(next::<2>(HEAD, &long), None, "a header of four digits");
    }
}
