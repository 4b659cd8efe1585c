//! What commands do to their keys, in the words of COMMAND INFO.
//!
//! The first word is how the key is opened (RO, RW, OW for overwriting, RM for removing), the
//! others what happens to its content. A command whose keys differ has one entry for its first
//! key (or the one that it names apart) and one for the others.

use crate::protocol::Args;

use super::super::spec::{Command, Flags};

const MOVED: &str = "RW access delete";

/// Commands all of whose keys are treated alike, where that does not follow from the flags.
const ALIKE: &[(&str, &[&str])] = &[
    (
        "RO",
        &[
            "exists",
            "hexists",
            "hlen",
            "hstrlen",
            "llen",
            "memory|usage",
            "object|encoding",
            "object|freq",
            "object|idletime",
            "object|refcount",
            "scard",
            "sismember",
            "strlen",
            "touch",
            "type",
            "watch",
            "xlen",
            "zcard",
        ],
    ),
    ("OW insert", &["msetnx", "setnx"]),
    (
        "OW update",
        &["mset", "psetex", "restore", "restore-asking", "setex"],
    ),
    ("RM delete", &["del", "unlink"]),
    (
        MOVED,
        &[
            "blmpop", "blpop", "brpop", "bzmpop", "bzpopmax", "bzpopmin", "getdel", "hgetdel",
            "lmpop", "lpop", "migrate", "rpop", "spop", "zmpop", "zpopmax", "zpopmin",
        ],
    ),
    (
        "RW delete",
        &[
            "hdel",
            "lrem",
            "ltrim",
            "srem",
            "xautoclaim",
            "xdel",
            "xdelex",
            "xgroup|delconsumer",
            "xgroup|destroy",
            "xtrim",
            "zrem",
            "zremrangebylex",
            "zremrangebyrank",
            "zremrangebyscore",
        ],
    ),
    (
        "RW insert",
        &[
            "append",
            "hsetnx",
            "linsert",
            "lpush",
            "lpushx",
            "pfadd",
            "rpush",
            "rpushx",
            "sadd",
            "weir.push",
            "xgroup|create",
            "xgroup|createconsumer",
        ],
    ),
    (
        "RW update",
        &[
            "expire",
            "expireat",
            "geoadd",
            "hexpire",
            "hexpireat",
            "hmset",
            "hpersist",
            "hpexpire",
            "hpexpireat",
            "hset",
            "hsetex",
            "lset",
            "persist",
            "pexpire",
            "pexpireat",
            "setrange",
            "xack",
            "xadd",
            "xcfgset",
            "xclaim",
            "xgroup|setid",
            "xidmprecord",
            "xnack",
            "xsetid",
            "zadd",
        ],
    ),
    ("RW access update", &["eval", "evalsha"]),
    ("RW update delete", &["xackdel"]),
    ("RW access", &["pfcount"]),
    ("RO access", &["xreadgroup"]),
    // As GETKEYSANDFLAGS finds out, it depends on the options.
    ("RW access update variable_flags", &["bitfield", "set"]),
];

/// Commands whose first key is treated unlike the others: names, first, others.
const UNLIKE: &[(&[&str], &str, &str)] = &[
    (
        &["blmove", "brpoplpush", "lmove", "rpoplpush", "smove"],
        MOVED,
        "RW insert",
    ),
    (&["rename"], MOVED, "OW update"),
    (&["renamenx"], MOVED, "OW insert"),
    (&["copy", "sort"], "RO access", "OW update"),
    (
        &[
            "bitop",
            "geosearchstore",
            "sdiffstore",
            "sinterstore",
            "sunionstore",
            "zdiffstore",
            "zinterstore",
            "zrangestore",
            "zunionstore",
        ],
        "OW update",
        "RO access",
    ),
    (&["pfmerge"], "RW access insert", "RO access"),
];

/// What happens to a command's first key and to the others, and whether that differs.
pub(in crate::command) fn of(name: &str, command: &Command) -> (&'static str, &'static str) {
    if let Some((_, first, others)) = UNLIKE.iter().find(|(names, ..)| names.contains(&name)) {
        return (first, others);
    }
    if let Some((alike, _)) = ALIKE.iter().find(|(_, names)| names.contains(&name)) {
        return (alike, alike);
    }
    if command.flags.any(Flags::WRITE) {
        ("RW access update", "RW access update")
    } else {
        ("RO access", "RO access")
    }
}

/// The same for one request: with SET and BITFIELD it depends on the options.
pub(in crate::command) fn of_request(
    name: &str,
    command: &Command,
    request: Args<'_>,
) -> (&'static str, &'static str) {
    let is = |argument: &[u8], word: &str| argument.eq_ignore_ascii_case(word.as_bytes());
    let first = match name {
        "set" if request.from(3).any(|option| is(option, "get")) => "RW access update",
        "set" => "OW update",
        "bitfield" if changes_bits(request) => "RW access update",
        "bitfield" => "RO access",
        _ => return of(name, command),
    };
    (first, first)
}

/// Whether a BITFIELD does more than to read.
fn changes_bits(request: Args<'_>) -> bool {
    let mut at = 2;
    while let Some(word) = request.get(at) {
        let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
        let left = request.len() - at - 1;
        at += match () {
            () if is("get") && left >= 2 => 3,
            () if is("overflow") && left >= 1 => 2,
            () => return true,
        };
    }
    false
}
