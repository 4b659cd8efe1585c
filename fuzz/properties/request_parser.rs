//! Requests mean the same however the bytes are cut, nothing panics, and what `redis-protocol`
//! takes for an array of bulk strings we take for the same arguments.
//!
//! The input begins with where to cut, the rest is what the client sends.

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;
use weir::protocol::{Limits, Parsed, Parser};

use super::Input;

/// What a stream of bytes comes to.
#[derive(PartialEq, Eq, Debug, Default)]
struct Outcome {
    requests: Vec<Vec<Vec<u8>>>,
    /// The error's line, after which nothing is read.
    error: Option<Vec<u8>>,
    consumed: usize,
}

/// Feeds `wire` in pieces; each piece lies at another place in memory, as in a growing buffer.
fn read(wire: &[u8], cuts: impl IntoIterator<Item = usize>) -> Outcome {
    let limits = Limits {
        bulk_bytes_max: 1 << 16,
        arguments_max: 1 << 12,
        inline_bytes_max: 1 << 10,
        unauthenticated: false,
    };
    let mut parser = Parser::default();
    let mut outcome = Outcome::default();
    for end in cuts.into_iter().chain([wire.len()]) {
        let arrived = wire[..end].to_vec();
        loop {
            let rest = &arrived[outcome.consumed..];
            match parser.parse(rest, &limits) {
                Parsed::Incomplete => {
                    assert!(parser.wants() > 0, "incomplete, yet nothing is missing");
                    break;
                }
                Parsed::Empty { consumed } => outcome.consumed += consumed,
                Parsed::Request { consumed } => {
                    let args = parser.args(rest).iter().map(<[u8]>::to_vec).collect();
                    outcome.requests.push(args);
                    outcome.consumed += consumed;
                }
                Parsed::Error(error) => {
                    outcome.error = Some(error.line().clone());
                    return outcome;
                }
            }
        }
    }
    outcome
}

/// The first request as `redis-protocol` reads it, where it is written as clients write it: numbers
/// such as `+1` and `01` are for it alone.
fn oracle(wire: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    if wire.first() != Some(&b'*') {
        return None;
    }
    let Ok(Some((OwnedFrame::Array(frames), consumed))) = decode(wire) else {
        return None;
    };
    let args: Option<Vec<_>> = frames
        .into_iter()
        .map(|frame| match frame {
            OwnedFrame::BulkString(bytes) => Some(bytes),
            _ => None,
        })
        .collect();
    // An empty array is no request.
    args.filter(|args| !args.is_empty() && encoded(args) == wire[..consumed])
        .map(|args| (args, consumed))
}

fn encoded(args: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        wire.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        wire.extend_from_slice(arg);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// A chunk of places, two bytes each, then what is sent.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (places, wire) = (input.chunk(), input.rest());
    let whole = read(wire, []);
    assert_eq!(whole, read(wire, 0..wire.len()), "byte by byte");
    let mut cuts: Vec<usize> = places
        .chunks(2)
        .map(|place| {
            place
                .iter()
                .fold(0, |sum, &byte| sum * 256 + usize::from(byte))
        })
        .map(|place| place % (wire.len() + 1))
        .collect();
    cuts.sort_unstable();
    assert_eq!(whole, read(wire, cuts), "cut at some places");
    if let Some((args, consumed)) = oracle(wire)
        && args.len() <= 1 << 12
        && consumed <= 1 << 10
    {
        assert_eq!(whole.requests.first(), Some(&args));
        assert!(whole.consumed >= consumed);
    }
}
