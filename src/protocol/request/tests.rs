use proptest::prelude::*;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use super::*;

type Request = Vec<Vec<u8>>;

/// What a stream of bytes comes to: its requests, and how it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Outcome {
    requests: Vec<Request>,
    error: Option<ProtocolError>,
    /// Bytes of the request that the stream broke off in.
    rest: usize,
}

/// Feeds `wire` in pieces that end at the given places, each time in another place in memory.
fn read(wire: &[u8], cuts: impl IntoIterator<Item = usize>, limits: &Limits) -> Outcome {
    let mut parser = Parser::default();
    let mut outcome = Outcome {
        requests: Vec::new(),
        error: None,
        rest: 0,
    };
    let (mut start, mut before) = (0, 0);
    for end in cuts.into_iter().chain([wire.len()]) {
        let moved = wire[..end].to_vec();
        loop {
            let buf = &moved[start..];
            // A connection may ask first whether it is worth to look, and need not.
            if end % 2 == 0 && parser.goes_on_past(buf.len()) {
                assert!(parser.wants() >= 1);
                break;
            }
            let before = &moved[mem::replace(&mut before, start)..start];
            match parser.parse_after(before, buf, limits) {
                Parsed::Incomplete => {
                    assert!(parser.wants() >= 1);
                    break;
                }
                Parsed::Empty { consumed } => start += consumed,
                Parsed::Request { consumed } => {
                    let args = parser.args(buf).iter().map(<[u8]>::to_vec).collect();
                    outcome.requests.push(args);
                    start += consumed;
                }
                Parsed::Error(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
            assert!(start <= moved.len());
        }
    }
    outcome.rest = wire.len() - start;
    outcome
}

fn whole(wire: &[u8]) -> Outcome {
    read(wire, [], &Limits::default())
}

fn array(arguments: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        wire.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        wire.extend_from_slice(argument);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// One line per request: the words, each in quotes; then the error, if any.
fn check(wire: &[u8], wanted: &str) {
    let outcome = whole(wire);
    let mut got: Vec<String> = Vec::new();
    for request in &outcome.requests {
        let owned: crate::protocol::OwnedArgs = request.iter().collect();
        got.push(format!("{owned:?}"));
    }
    if let Some(error) = outcome.error {
        got.push(error.line().escape_ascii().to_string());
    } else if outcome.rest > 0 {
        got.push("...".into());
    }
    assert_eq!(got.join(" "), wanted, "{}", wire.escape_ascii());
}

const COUNT: &str = "ERR Protocol error: invalid multibulk length";
const LENGTH: &str = "ERR Protocol error: invalid bulk length";
const QUOTES: &str = "ERR Protocol error: unbalanced quotes in request";

// The answers in the next four tests were asked of redis-server 8.2.3 over a socket.

#[test]
fn counts_are_read_as_redis_reads_them() {
    let ping = "[\"PING\"]";
    for odd in [
        "01",
        "+1",
        " 1",
        "1 ",
        "",
        "-0",
        "\r",
        "99999999999999999999",
        "2147483648",
    ] {
        check(format!("*{odd}\r\n$4\r\nPING\r\n").as_bytes(), COUNT);
    }
    for none in ["0", "-1", "-5", "-9223372036854775808"] {
        check(format!("*{none}\r\n*1\r\n$4\r\nPING\r\n").as_bytes(), ping);
    }
    check(b"*1\rX$4\rXPINGXX", ping);
    check(b"*1\n$4\nPING\n", "...");
    check(b"*1\0\r\n$4\r\nPING\r\n", "...");
    check(b"*1\r", "...");
    check(b"*2147483647\r\n", COUNT);
    check(b"*1000000000\r\n", "...");
}

#[test]
fn lengths_are_read_as_redis_reads_them() {
    for odd in [
        "04",
        "+4",
        " 4",
        "4 ",
        "4x",
        "",
        "-1",
        "-2",
        "-0",
        "536870913",
    ] {
        check(format!("*1\r\n${odd}\r\nPING\r\n").as_bytes(), LENGTH);
    }
    check(b"*1\r\n$18446744073709551615\r\n", LENGTH);
    check(b"*1\r\n$536870912\r\n", "...");
    check(b"*1\r\n$4\0\r\nPING\r\n", "...");
    check(b"*1\r\n$0\r\n\r\n", "[\"\"]");
    check(
        b"*1\r\n$4\r\nPINGx\n*1\r\n$1\r\na\r\n",
        "[\"PING\"] [\"a\"]",
    );
    check(
        b"*1\r\n:4\r\n",
        "ERR Protocol error: expected \\'$\\', got \\':\\'",
    );
    check(
        b"*1\r\n*1\r\n",
        "ERR Protocol error: expected \\'$\\', got \\'*\\'",
    );
    check(
        b"*1\r\n\xff4\r\n",
        "ERR Protocol error: expected \\'$\\', got \\'\\xff\\'",
    );
    check(
        b"*1\r\n\r\n",
        "ERR Protocol error: expected \\'$\\', got \\'\\r\\'",
    );
    check(b"*1\r\n\x004\r\n", "...");
    check(b"*1\r\n:4", "...");
}

#[test]
fn inline_lines_are_read_as_redis_reads_them() {
    check(
        b"PING\n  PING  \r\nPING\r\r\n",
        "[\"PING\"] [\"PING\"] [\"PING\"]",
    );
    check(b"\r\n\n   \r\n\rPING\r\n", "[\"PING\"]");
    check(
        b"ECHO a\tb\rc\x0bd\x0ce\r\n",
        r#"["ECHO", "a", "b", "c\x0bd\x0ce"]"#,
    );
    check(b"$4\r\nPING\r\n", r#"["$4"] ["PING"]"#);
    check(b"\xff\xa0\r\n", r#"["\xff\xa0"]"#);
    check(b"PING\0abc\r\nPING\r\n", "...");
    check(b"PING", "...");
}

#[test]
fn inline_quotes_are_read_as_redis_reads_them() {
    check(b"PING \"a b\"\r\n", r#"["PING", "a b"]"#);
    check(br#"ECHO "a\x41\n\r\t\b\a\z\"\\""#.iter().chain(b"\r\n").copied().collect::<Vec<_>>().as_slice(), r#"["ECHO", "aA\n\r\t\x08\x07z\"\\"]"#);
    check(b"ECHO 'a\\'b\\n'\r\n", r#"["ECHO", "a\'b\\n"]"#);
    check(
        b"ECHO a\"bc d\" a'bc d'\r\n",
        r#"["ECHO", "abc d", "abc d"]"#,
    );
    check(b"\"\" ''\r\n", r#"["", ""]"#);
    check(b"ECHO \"\\xzz\\x4\"\r\n", r#"["ECHO", "xzzx4"]"#);
    check(b"ECHO \"a\"\x0bb\r\n", r#"["ECHO", "a", "b"]"#);
    for open in [
        &b"ECHO \"abc\r\n"[..],
        b"ECHO 'abc\r\n",
        b"ECHO \"abc\"d\r\n",
        b"ECHO a\"b\"c\n",
        b"ECHO \"a\\\r\n",
        b"ECHO 'a\\\r\n",
        b"ECHO \"a\\x4\r\n",
        b"'a''b'\n",
    ] {
        check(open, QUOTES);
    }
}

#[test]
fn cuts_do_not_matter() {
    let long = vec![b'v'; 1200];
    let corpus: Vec<Vec<u8>> = vec![
        array(&[b"LPUSH", b"list", b"one", b""]),
        [
            array(&[b"GET", b"k"]),
            b"PING\r\n".to_vec(),
            array(&[b"SET", b"k", &long]),
        ]
        .concat(),
        b"*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n\n".to_vec(),
        b"ECHO \"a\\x41 b\" 'c' d\r\n*1\r\n$4\r\nPING\r\nQUIT\n".to_vec(),
        b"*2\r\n$3\r\nGET\r\n:1\r\nk\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\r\n*01\r\n".to_vec(),
        array(&[b"\r\n$1\r\n", b"*1\r\n", b"\0\0"]),
    ];
    for wire in corpus {
        let wanted = whole(&wire);
        for cut in 0..=wire.len() {
            assert_eq!(read(&wire, [cut], &Limits::default()), wanted);
        }
        assert_eq!(read(&wire, 0..wire.len(), &Limits::default()), wanted);
    }
}

#[test]
fn limits_hold() {
    let limits = Limits {
        bulk_bytes_max: 5,
        arguments_max: 3,
        inline_bytes_max: 8,
        unauthenticated: false,
    };
    let error = |wire: &[u8]| read(wire, [], &limits).error;
    assert_eq!(error(b"*3\r\n"), None);
    assert_eq!(error(b"*4\r\n"), Some(ProtocolError::InvalidCount));
    assert_eq!(error(b"*1\r\n$5\r\n"), None);
    assert_eq!(error(b"*1\r\n$6\r\n"), Some(ProtocolError::InvalidLength));
    assert_eq!(error(b"12345678"), None);
    assert_eq!(error(b"1234567\r\n"), None);
    for (wire, wanted) in [
        (&b"123456789\n"[..], ProtocolError::InlineTooBig),
        (b"*11111111\r\n", ProtocolError::CountTooBig),
        (b"*1\r\n$11111111\r\n", ProtocolError::LengthTooBig),
        (b"*1\r\n\0aaaaaaaa", ProtocolError::LengthTooBig),
    ] {
        assert_eq!(error(wire), Some(wanted));
        assert_eq!(read(wire, 0..wire.len(), &limits).error, Some(wanted));
    }
}

#[test]
fn a_client_must_authenticate_before_it_may_send_much() {
    let limits = Limits::unauthenticated();
    let error = |wire: &[u8]| read(wire, [], &limits).error;
    assert_eq!(error(b"*10\r\n$16384\r\n"), None);
    assert_eq!(error(b"*11\r\n"), Some(ProtocolError::UnauthenticatedCount));
    assert_eq!(error(b"*2147483648\r\n"), Some(ProtocolError::InvalidCount));
    let length = |length: &str| error(format!("*1\r\n${length}\r\n").as_bytes());
    assert_eq!(length("16385"), Some(ProtocolError::UnauthenticatedLength));
    assert_eq!(length("536870913"), Some(ProtocolError::InvalidLength));
    assert_eq!(length("-1"), Some(ProtocolError::InvalidLength));
}

#[test]
fn claims_reserve_nothing() {
    let mut parser = Parser::default();
    let limits = Limits::default();
    assert_eq!(
        parser.parse(b"*1000000000\r\n$536870912\r\nx", &limits),
        Parsed::Incomplete
    );
    assert_eq!(parser.spans.capacity(), 0);
    assert_eq!(parser.wants(), WANTS_BYTES_MIN);
    parser.reset();
    assert_eq!(
        parser.parse(b"*1\r\n$100\r\nx", &limits),
        Parsed::Incomplete
    );
    assert_eq!(parser.wants(), 101);
    assert!(parser.goes_on_past(50) && parser.wants() == 62);
    assert!(parser.goes_on_past(111) && !parser.goes_on_past(112));
}

#[test]
fn an_endless_line_is_refused_in_linear_time() {
    let wire = vec![b'a'; 1 << 20];
    let limits = Limits::default();
    let mut parser = Parser::default();
    for end in 1..=limits.inline_bytes_max {
        assert_eq!(parser.parse(&wire[..end], &limits), Parsed::Incomplete);
    }
    assert!(parser.steps <= 2 * limits.inline_bytes_max);
    let end = limits.inline_bytes_max + 1;
    let error = Parsed::Error(ProtocolError::InlineTooBig);
    assert_eq!(parser.parse(&wire[..end], &limits), error);
    assert_eq!(whole(&wire).error, Some(ProtocolError::InlineTooBig));
}

#[test]
fn a_million_arguments_byte_by_byte_cost_linear_time() {
    const ARGUMENTS: usize = 1_000_000;
    let mut wire = format!("*{ARGUMENTS}\r\n").into_bytes();
    wire.extend(b"$1\r\nx\r\n".repeat(ARGUMENTS));
    let limits = Limits::default();
    let mut parser = Parser::default();
    for end in 1..wire.len() {
        assert_eq!(parser.parse(&wire[..end], &limits), Parsed::Incomplete);
    }
    let consumed = wire.len();
    assert_eq!(parser.parse(&wire, &limits), Parsed::Request { consumed });
    assert_eq!(parser.args(&wire).len(), ARGUMENTS);
    assert!(parser.steps <= 3 * wire.len(), "{} steps", parser.steps);
    // The memory goes with the next request.
    let next = Parsed::Request { consumed: 6 };
    assert_eq!(parser.parse(b"PING\r\n", &limits), next);
    assert!(parser.spans.capacity() <= SPANS_KEPT_MAX);
}

#[test]
fn a_request_may_begin_like_the_one_before() {
    let mut wire = Vec::new();
    let pairs = [
        ("q", "1"),
        ("q", "1"),
        ("q", "22"),
        ("r", "22"),
        ("r", ""),
        ("rr", "3"),
    ];
    for (key, value) in pairs {
        wire.extend(array(&[b"LPUSH", key.as_bytes(), value.as_bytes()]));
        wire.extend(array(&[b"LPUSH", key.as_bytes()]));
        wire.extend(array(&[b"LLEN", key.as_bytes()]));
        wire.extend(array(&[b"LLEN", key.as_bytes()]));
        wire.extend_from_slice(b"PING\r\n");
        wire.extend(array(&[b"LPUSH", key.as_bytes(), value.as_bytes()]));
        wire.extend(array(&[b"LPUSH", key.as_bytes(), b"4", value.as_bytes()]));
        wire.extend(array(&[b"LPUSH", key.as_bytes(), b"4", value.as_bytes()]));
    }
    let all = whole(&wire);
    assert_eq!(all.requests.len(), 8 * pairs.len());
    for (at, (key, value)) in pairs.iter().enumerate() {
        let words = |request: usize| all.requests[8 * at + request].join(&b' ');
        let pushed = format!("LPUSH {key} {value}");
        assert_eq!(words(0), pushed.as_bytes());
        assert_eq!(words(1), format!("LPUSH {key}").as_bytes());
        assert_eq!(words(3), format!("LLEN {key}").as_bytes());
        assert_eq!(words(5), pushed.as_bytes());
        assert_eq!(words(7), format!("LPUSH {key} 4 {value}").as_bytes());
    }
    for cut in 0..wire.len() {
        assert_eq!(read(&wire, [cut], &Limits::default()), all, "cut at {cut}");
    }
}

#[test]
fn quoted_lines_give_their_memory_back() {
    let limits = Limits::default();
    let mut parser = Parser::default();
    let wire = format!("ECHO '{}'\r\n", "a".repeat(60_000));
    let consumed = wire.len();
    assert_eq!(
        parser.parse(wire.as_bytes(), &limits),
        Parsed::Request { consumed }
    );
    let next = Parsed::Request { consumed: 6 };
    assert_eq!(parser.parse(b"PING\r\n", &limits), next);
    assert_eq!(&parser.args(b"PING\r\n")[0], b"PING");
    assert!(parser.scratch.capacity() <= SCRATCH_KEPT_MAX);
}

#[test]
fn args_can_be_viewed_and_kept() {
    let wire = array(&[b"LPUSH", b"list", b"a", b"b"]);
    let mut parser = Parser::default();
    let parsed = parser.parse(&wire, &Limits::default());
    assert_eq!(
        parsed,
        Parsed::Request {
            consumed: wire.len()
        }
    );
    let args = parser.args(&wire);
    assert_eq!(
        (args.len(), args.at(1), &args[3]),
        (4, &b"list"[..], &b"b"[..])
    );
    assert_eq!((args.get(3), args.get(4)), (Some(&b"b"[..]), None));
    let values = args.from(2);
    assert_eq!(values.len(), 2);
    assert!(values.clone().eq([b"a", b"b"]));
    assert!(values.rev().eq([b"b", b"a"]));
    assert!(args.tail(2).iter().eq(args.from(2)));
    assert!(args.tail(9).is_empty() && args.from(9).next().is_none());
    assert!(args.head(2).iter().eq([&b"LPUSH"[..], b"list"]));
    let owned = args.tail(1).to_vec();
    assert!(owned.as_args().iter().eq(args.from(1)));
    let built: crate::protocol::OwnedArgs = ["list", "a", "b"].into_iter().collect();
    assert_eq!(built, owned);
}

fn oracle(wire: &[u8]) -> Option<(Request, usize)> {
    let (frame, consumed) = decode(wire).ok()??;
    let OwnedFrame::Array(items) = frame else {
        return None;
    };
    let words = items.into_iter().map(|item| match item {
        OwnedFrame::BulkString(bytes) => Some(bytes),
        _ => None,
    });
    Some((words.collect::<Option<Request>>()?, consumed))
}

proptest! {
    #[test]
    fn agrees_with_another_decoder(
        requests in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..130), 1..12), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let wire: Vec<u8> = requests
            .iter()
            .flat_map(|request| array(&request.iter().map(Vec::as_slice).collect::<Vec<_>>()))
            .collect();
        let mut wanted = Vec::new();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let (request, consumed) = oracle(rest).expect("well-formed");
            wanted.push(request);
            rest = &rest[consumed..];
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.sort_unstable();
        let outcome = read(&wire, cuts, &Limits::default());
        prop_assert_eq!(outcome.requests, wanted);
        prop_assert_eq!((outcome.error, outcome.rest), (None, 0));
    }

    #[test]
    fn junk_means_the_same_however_it_is_cut(
        junk in prop::collection::vec(
            prop::sample::select(b"*$0123-+\r\r\n\n :xq\"'\\\0".to_vec()), 0..40),
    ) {
        let limits = Limits { inline_bytes_max: 12, ..Limits::default() };
        let wanted = read(&junk, [], &limits);
        prop_assert_eq!(read(&junk, 0..junk.len(), &limits), wanted);
    }
}
