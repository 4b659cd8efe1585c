//! What a script returns becomes exactly one well-formed reply, whatever it is, and a reply that
//! went through a script is the reply itself.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::iter;

use weir::protocol::Resp;

use super::Input;
use super::commands::{request, shown};
use super::reply::Reply;
use super::server::Server;

/// Requests of one input at most.
const REQUESTS_MAX: usize = 16;
/// Deeper than any reply; past it, `nil`.
const DEPTH_MAX: usize = 6;

/// Commands that read, or take, in either protocol.
const ASKED: [&str; 30] = [
    "bitfield_ro",
    "exists",
    "get",
    "getrange",
    "hget",
    "hgetall",
    "hincrbyfloat",
    "incr",
    "lcs",
    "llen",
    "lmpop",
    "lpos",
    "lrange",
    "mget",
    "sismember",
    "smembers",
    "ttl",
    "type",
    "xclaim",
    "xinfo",
    "xlen",
    "xpending",
    "xrange",
    "xread",
    "xreadgroup",
    "zpopmin",
    "zrange",
    "zrank",
    "zscore",
    "zunion",
];

/// A value of Lua's first, then commands, by themselves on one server and from a script on another
/// that holds the same. The first byte says in which protocol.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let resp = [Resp::V2, Resp::V3][usize::from(input.byte() % 2)];
    let mut servers = [Server::new(1), Server::new(1)];
    for server in &mut servers {
        fill(server);
    }
    let mut source = String::from("return ");
    write_value(&mut input, &mut source, 0);
    for server in &mut servers {
        let reply = server.run(&[b"EVAL", source.as_bytes(), b"0"], resp);
        assert!(reply.is_some(), "{source}");
    }
    for _ in 0..REQUESTS_MAX {
        let Some(request) = request(&mut input) else {
            return;
        };
        let args: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        let name = String::from_utf8_lossy(args[0]).to_lowercase();
        // In RESP2 a script gets a set in order, a client does not.
        let is_asked = ASKED.contains(&&*name) && (resp == Resp::V3 || name != "smembers");
        if is_asked && !compare(&mut servers, &args, resp) {
            return;
        }
    }
}

/// Runs a command on both servers; false if it waits, which ends the comparison.
fn compare(servers: &mut [Server; 2], args: &[&[u8]], resp: Resp) -> bool {
    let [direct, scripted] = servers;
    let script: &[u8] = match resp {
        Resp::V2 => b"return redis.call(unpack(ARGV))",
        Resp::V3 => b"redis.setresp(3) return redis.call(unpack(ARGV))",
    };
    let mut evaluation: Vec<&[u8]> = vec![b"EVAL", script, b"0"];
    evaluation.extend(args);
    let found = scripted.run(&evaluation, resp).unwrap_or_default();
    let Some(expected) = direct.run(args, resp) else {
        return false;
    };
    // An error says where in the script it was raised.
    if expected.starts_with(b"-") {
        assert!(found.starts_with(b"-"), "{}", shown(args));
        return true;
    }
    let seen = |wire: &[u8]| Seen::of(&Reply::parse(wire), resp);
    assert_eq!(seen(&expected), seen(&found), "{}", shown(args));
    true
}

/// A reply as far as a script can keep it. Numbers are of 53 bits, and all nulls are one; in RESP3 a
/// null is nil, which ends a list and leaves nothing of a pair. Maps and sets have no order.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Seen {
    Null,
    Text(u8, Vec<u8>),
    List(Vec<Seen>),
    Pairs(u8, BTreeMap<Seen, Seen>),
}

impl Seen {
    fn of(reply: &Reply, resp: Resp) -> Self {
        let each = |members: &[Reply]| -> Vec<Self> {
            members.iter().map(|one| Self::of(one, resp)).collect()
        };
        match reply {
            Reply::Line(b'_', _) | Reply::Bulk(_, None) | Reply::Many(_, None) => Self::Null,
            Reply::Line(kind @ (b':' | b','), line) => {
                let text = String::from_utf8_lossy(line);
                let number: f64 = text.parse().expect("a number");
                Self::Text(*kind, number.to_string().into_bytes())
            }
            Reply::Line(kind, line) => Self::Text(*kind, line.clone()),
            Reply::Bulk(kind, Some(text)) => Self::Text(*kind, text.clone()),
            Reply::Many(b'%', Some(members)) => {
                let mut items = each(members).into_iter();
                let pairs = iter::from_fn(|| items.next().zip(items.next()));
                let is_kept = |(key, value): &(Self, Self)| ![key, value].contains(&&Self::Null);
                Self::Pairs(b'%', pairs.filter(is_kept).collect())
            }
            Reply::Many(b'~', Some(members)) => {
                let items = each(members).into_iter();
                Self::Pairs(b'~', items.map(|item| (item, Self::Null)).collect())
            }
            Reply::Many(_, Some(members)) => {
                let mut items = each(members);
                if resp == Resp::V3
                    && let Some(end) = items.iter().position(|item| *item == Self::Null)
                {
                    items.truncate(end);
                }
                Self::List(items)
            }
        }
    }
}

fn fill(server: &mut Server) {
    for command in [
        "SET a 12",
        "RPUSH b x y z",
        "ZADD c 1 p 2.5 q",
        "XADD d 1-1 f v",
        "XADD d 2-1 f w",
        "XGROUP CREATE d a 0",
        "HSET e 0 1 a 2.5",
        "SADD 1 a b c 0",
    ] {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        server.run(&args, Resp::V2);
    }
}

/// Writes a value as Lua reads it.
fn write_value(input: &mut Input<'_>, source: &mut String, depth: usize) {
    let byte = input.byte();
    if depth == DEPTH_MAX {
        source.push_str("nil");
        return;
    }
    match byte % 16 {
        0 => source.push_str("nil"),
        1 => source.push_str("true"),
        2 => source.push_str("false"),
        3 => source.push_str(&i32::from(input.byte()).to_string()),
        4 => source.push_str(
            ["0/0", "1/0", "-1/0", "1e300", "-0", "2^53", "3.99"][usize::from(byte / 16) % 7],
        ),
        5 | 6 => write_text(input.chunk(), source),
        7 => write_table(input, source, depth, Some("ok")),
        8 => write_table(input, source, depth, Some("err")),
        9 => write_table(input, source, depth, Some("double")),
        10 => write_table(input, source, depth, Some("map")),
        11 => write_table(input, source, depth, Some("set")),
        12 => write_table(input, source, depth, Some("big_number")),
        13 => write_table(input, source, depth, Some("verbatim_string")),
        _ => write_table(input, source, depth, None),
    }
}

fn write_text(text: &[u8], source: &mut String) {
    source.push('"');
    for byte in text {
        // Writing to a string cannot fail.
        let _ = write!(source, "\\{byte:03}");
    }
    source.push('"');
}

/// A table with one field, or of several values in order.
fn write_table(input: &mut Input<'_>, source: &mut String, depth: usize, field: Option<&str>) {
    source.push('{');
    if let Some(field) = field {
        source.push_str(field);
        source.push('=');
        write_value(input, source, depth + 1);
    } else {
        for _ in 0..input.byte() % 5 {
            write_value(input, source, depth + 1);
            source.push(',');
        }
    }
    source.push('}');
}
