//! Any sequence of commands: each gets exactly one well-formed reply, two servers whose keys lie in
//! different shards agree, and so does a plain [`Model`] where it knows what must come. Debug builds
//! compare the account of all messages after each.

use weir::protocol::Resp;

use super::Input;
use super::model::Model;
use super::server::Server;

/// Commands whose replies depend on chance, time, shards or the process, end the client, change
/// what others see, or work without bound.
const LEFT_OUT: [&str; 37] = [
    "acl",
    "blmove",
    "blmpop",
    "blpop",
    "brpop",
    "brpoplpush",
    "bzmpop",
    "bzpopmax",
    "bzpopmin",
    "client",
    "cluster",
    "command",
    "config",
    "debug",
    "eval",
    "hello",
    "hrandfield",
    "info",
    "keys",
    "latency",
    "lolwut",
    "memory",
    "monitor",
    "psubscribe",
    "quit",
    "randomkey",
    "reset",
    "scan",
    "shutdown",
    "slowlog",
    "spop",
    "srandmember",
    "ssubscribe",
    "subscribe",
    "time",
    "zrandmember",
    "weir.backlog",
];

/// Requests of one input at most.
const REQUESTS_MAX: usize = 64;

/// Words that many commands understand.
pub const WORDS: &[&str] = &[
    "SET",
    "GET",
    "APPEND",
    "INCR",
    "SETRANGE",
    "GETRANGE",
    "SETBIT",
    "BITFIELD",
    "MSET",
    "GETEX",
    "LPUSH",
    "RPUSH",
    "LPOP",
    "RPOP",
    "LRANGE",
    "LMOVE",
    "LPOS",
    "LINSERT",
    "LREM",
    "LTRIM",
    "LSET",
    "LMPOP",
    "HSET",
    "HGET",
    "HDEL",
    "HINCRBY",
    "HEXPIRE",
    "HTTL",
    "SADD",
    "SREM",
    "SCARD",
    "SMOVE",
    "SISMEMBER",
    "ZADD",
    "ZINCRBY",
    "ZRANGE",
    "ZRANGESTORE",
    "ZPOPMIN",
    "ZUNION",
    "ZRANK",
    "XADD",
    "XRANGE",
    "XREAD",
    "XGROUP",
    "XREADGROUP",
    "XACK",
    "XCLAIM",
    "XAUTOCLAIM",
    "XPENDING",
    "XTRIM",
    "XDEL",
    "XLEN",
    "XINFO",
    "DEL",
    "EXISTS",
    "EXPIRE",
    "PEXPIRE",
    "PERSIST",
    "TTL",
    "TYPE",
    "RENAME",
    "COPY",
    "SORT",
    "OBJECT",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH",
    "PFADD",
    "PFCOUNT",
    "PFMERGE",
    "WEIR.PUSH",
    "WEIR.POLICY",
    "WEIR.LEDGER",
    "PUBLISH",
    "BITCOUNT",
    "BITPOS",
    "BITOP",
    "LCS",
    "STREAMS",
    "GROUP",
    "COUNT",
    "CREATE",
    "MKSTREAM",
    "MAXLEN",
    "MINID",
    "~",
    "=",
    "*",
    "$",
    ">",
    "-",
    "+",
    "(1",
    "[a",
    "0-0",
    "1-1",
    "1-*",
    "NX",
    "XX",
    "GT",
    "LT",
    "CH",
    "WITHSCORES",
    "LIMIT",
    "BY",
    "GET",
    "STORE",
    "ALPHA",
    "ASC",
    "DESC",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "AFTER",
    "FIELDS",
    "TTL",
    "SET",
    "MAX-LENGTH",
    "OVERFLOW",
    "drop-oldest",
    "drop-newest",
    "DEAD-LETTER",
    "MAX-AGE",
    "a",
    "b",
    "c",
    "d",
    "e",
    "0",
    "1",
    "2",
    "-1",
    "100",
    "1.5",
    "-inf",
    "inf",
    "nan",
    "u8",
    "i16",
    "9223372036854775807",
    "-9223372036854775808",
    "FULL",
    "CONSUMERS",
    "ENCODING",
    "WEIGHTS",
    "",
];

/// Large numbers make some commands allocate or loop as told: their bound is not the subject.
fn is_heavy(args: &[&[u8]]) -> bool {
    let is_number = |arg: &&[u8]| arg.len() > 5 && arg.iter().any(u8::is_ascii_digit);
    let grows = ["setbit", "setrange", "bitfield", "bitfield_ro"];
    let name = args[0].to_ascii_lowercase();
    grows.iter().any(|word| word.as_bytes() == name) && args.iter().any(is_number)
}

/// Requests of words, the byte before each says which; 255 brings a word of its own, 254 ends the
/// request.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let mut servers = [Server::new(1), Server::new(0x9e37_79b9)];
    let mut model = Model::default();
    for _ in 0..REQUESTS_MAX {
        let Some(request) = request(&mut input) else {
            return;
        };
        let args: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
        let name = String::from_utf8_lossy(args[0]).to_lowercase();
        if LEFT_OUT.contains(&name.as_str()) || is_heavy(&args) {
            continue;
        }
        let [one, other] = &mut servers;
        let (first, second) = (one.run(&args, Resp::V2), other.run(&args, Resp::V2));
        // The client waits now, or goes.
        let (Some(first), Some(second)) = (first, second) else {
            return;
        };
        let (first, second) = (first.escape_ascii(), second.escape_ascii());
        let (first, second) = (first.to_string(), second.to_string());
        if is_ordered(&name) {
            assert_eq!(first, second, "{}", shown(&args));
        }
        if let Some(expected) = model.run(&name, &args, &first) {
            let expected = expected.escape_ascii().to_string();
            assert_eq!(first, expected, "{}", shown(&args));
        }
    }
}

/// Whether a reply has one order only; sets and hashes have any, and what is copied from them too.
fn is_ordered(name: &str) -> bool {
    !matches!(
        name,
        "smembers"
            | "sunion"
            | "sinter"
            | "sdiff"
            | "hgetall"
            | "hkeys"
            | "hvals"
            | "hscan"
            | "sscan"
            | "zscan"
            | "sort"
            | "sort_ro"
            | "exec"
            | "weir.policy"
            | "weir.ledger"
    )
}

/// The next request; `None` when there are no bytes left.
pub fn request(input: &mut Input<'_>) -> Option<Vec<Vec<u8>>> {
    let mut args = Vec::new();
    while args.len() < 12 && !input.is_empty() {
        match input.byte() {
            254 => break,
            255 => args.push(input.chunk().to_vec()),
            at => args.push(WORDS[usize::from(at) % WORDS.len()].as_bytes().to_vec()),
        }
    }
    if args.is_empty() && !input.is_empty() {
        args.push(b"PING".to_vec());
    }
    (!args.is_empty()).then_some(args)
}

/// A request in one line.
pub fn shown(args: &[&[u8]]) -> String {
    let words: Vec<String> = args
        .iter()
        .map(|arg| format!("\"{}\"", arg.escape_ascii()))
        .collect();
    words.join(" ")
}
