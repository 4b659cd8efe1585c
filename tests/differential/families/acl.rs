//! Users and their rules: what they are told as, and what they allow of the other families'
//! commands, by dry runs.

use super::{
    Entry, bits, groups, hashes, keys, lists, scripts, sets, sorted_sets, sorts, streams, strings,
};
use crate::command::{Command, Compare};
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (20, |g| setuser(g, true)),
    (12, |g| setuser(g, false)),
    (30, dryrun),
    (6, |g| Command::words("ACL GETUSER").arg(user(g))),
    (2, |_| Command::words("ACL LIST").undamaged()),
    (1, |_| Command::words("ACL USERS").undamaged()),
    (1, |g| Command::words("ACL DELUSER").arg(user(g))),
    (1, |_| Command::words("ACL WHOAMI")),
    (1, |_| Command::words("ACL CAT").undamaged()),
    (1, |_| Command::words("ACL GENPASS").compared(Compare::Kind)),
    (1, |g| {
        let bits = *g.rng.pick(&["0", "-1", "4097", "x", ""]);
        Command::words("ACL GENPASS").arg(bits).undamaged()
    }),
    (1, |_| Command::words("ACL LOAD").undamaged()),
    (1, |_| Command::words("ACL DELUSER default").undamaged()),
];

/// Names; nobody is `u1` to `u3`, so that they may be changed.
const USERS: &[&str] = &["u1", "u1", "u2", "u2", "u3", "no body", "default", ""];

fn user(g: &mut Gen) -> &'static str {
    g.rng.pick::<&str>(USERS)
}

fn changeable(g: &mut Gen) -> &'static str {
    g.rng.pick::<&str>(&USERS[..6])
}

fn setuser(g: &mut Gen, anew: bool) -> Command {
    let mut command = Command::words("ACL SETUSER").arg(changeable(g)).undamaged();
    if anew {
        command = command.arg("reset");
    }
    for _ in 0..g.rng.below(7) {
        command = command.arg(rule(g));
    }
    if g.rng.percent(25) {
        let mut selector = Vec::from(*b"(");
        for _ in 0..g.rng.below(4) {
            selector.extend_from_slice(permission(g).as_bytes());
            selector.push(b' ');
        }
        selector.push(b')');
        command = command.arg(selector);
    }
    command
}

fn rule(g: &mut Gen) -> String {
    const WORDS: &[&str] = &[
        "on",
        "off",
        "ON",
        "nopass",
        "resetpass",
        ">secret",
        "<secret",
        ">other",
        "sanitize-payload",
        "skip-sanitize-payload",
        "clearselectors",
        "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
        "!2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
        "#2BB80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
        "#12",
        "(",
        "(+get",
        "~l1)",
        "()",
        "nosuch",
        "",
    ];
    if g.rng.percent(25) {
        return (*g.rng.pick(WORDS)).to_owned();
    }
    permission(g)
}

/// Whole permissions, sound and not.
const OTHERS: &[&str] = &[
    "allkeys",
    "resetkeys",
    "allchannels",
    "resetchannels",
    "allcommands",
    "nocommands",
    "+@all",
    "-@all",
    "~*",
    "&*",
    "%R~*",
    "%W~*",
    "%RW~*",
    "%~*",
    "%RR~*",
    "%R",
    "+@nosuch",
    "+nosuch",
    "-nosuch|x",
    "+",
    "-",
    "+@",
    "+get|",
    "+config|nosuch",
    "+config|get|x",
    "-get|x",
];

/// Patterns of keys and channels.
const GLOBS: &[&str] = &[
    "*", "l*", "s*", "x*", "h*", "z*", "t*", "H*", "T*", "?1", "l1", "",
];

/// Categories.
const CATEGORIES: &[&str] = &[
    "read",
    "write",
    "list",
    "STRING",
    "hash",
    "set",
    "sortedset",
    "stream",
    "keyspace",
    "fast",
    "slow",
    "blocking",
    "scripting",
    "connection",
    "admin",
    "dangerous",
];

/// Commands that rules name.
const NAMED: &[&str] = &[
    "get",
    "SET",
    "lpush",
    "rpop",
    "lmove",
    "config",
    "config|get",
    "Config|Set",
    "object",
    "object|encoding",
    "xgroup",
    "xgroup|create",
    "eval",
    "select",
    "ping",
    "sort",
    "copy",
    "zadd",
    "hset",
    "bitfield",
];

/// First arguments that rules name.
const PARTS: &[&str] = &[
    "select|0", "get|l1", "GET|L2", "set|l1", "lpush|l1", "del|x1",
];

/// A rule that may stand in a selector.
fn permission(g: &mut Gen) -> String {
    match g.rng.below(10) {
        0 | 1 => {
            let sign = *g.rng.pick(&["~", "~", "%R~", "%W~", "%RW~", "%rw~", "&"]);
            format!("{sign}{}", g.rng.pick(GLOBS))
        }
        2 | 3 => {
            let sign = *g.rng.pick(&["+@", "+@", "-@"]);
            format!("{sign}{}", g.rng.pick(CATEGORIES))
        }
        4..=6 => {
            let sign = *g.rng.pick(&["+", "+", "-"]);
            format!("{sign}{}", g.rng.pick(NAMED))
        }
        7 => {
            format!("+{}", g.rng.pick(PARTS))
        }
        _ => (*g.rng.pick(OTHERS)).to_owned(),
    }
}

/// Requests of no family, or with more keys than theirs.
const OTHER_REQUESTS: &[&str] = &[
    "BLPOP l1 l2 0",
    "BLMOVE l1 s1 LEFT RIGHT 0",
    "BLMPOP 0 2 l1 h1 LEFT",
    "BZPOPMIN z1 z2 0",
    "SELECT 0",
    "SELECT 1",
    "CONFIG GET port",
    "CONFIG SET port 1",
    "CONFIG",
    "NOSUCH a",
    "AUTH x",
    "HELLO 3",
];

/// Whether a user might run a command of another family.
fn dryrun(g: &mut Gen) -> Command {
    const FAMILIES: &[&[Entry]] = &[
        lists::COMMANDS,
        strings::COMMANDS,
        bits::COMMANDS,
        hashes::COMMANDS,
        sets::COMMANDS,
        sorted_sets::COMMANDS,
        sorts::COMMANDS,
        keys::COMMANDS,
        streams::COMMANDS,
        groups::COMMANDS,
        scripts::COMMANDS,
    ];
    let commands = *g.rng.pick(FAMILIES);
    let entry = g.rng.weighted(commands.iter().map(|(weight, _)| *weight));
    let inner = match g.rng.below(10) {
        0 => {
            let name = *g.rng.pick(&[
                "PUBLISH",
                "SUBSCRIBE",
                "PSUBSCRIBE",
                "SPUBLISH",
                "UNSUBSCRIBE",
            ]);
            Command::new(name)
                .arg(*g.rng.pick(&["l1", "l*", "s1"]))
                .arg("x2")
        }
        1 => Command::words(g.rng.pick::<&str>(OTHER_REQUESTS)),
        _ => {
            let inner = commands[entry].1(g);
            g.queued.clear();
            if finds_no_key(&inner) {
                Command::new("PING")
            } else {
                inner
            }
        }
    };
    let dry = Command::words("ACL DRYRUN").arg(user(g));
    dry.args(&inner.args).undamaged()
}

/// Whether redis-server 8.2.3 finds no key in a request that names one, and so allows any: where
/// one of a command's ranges of keys is empty, it forgets those of the others.
fn finds_no_key(command: &Command) -> bool {
    let name = command.args[0].to_ascii_uppercase();
    let count = command
        .args
        .get(2)
        .and_then(|count| std::str::from_utf8(count).ok());
    let count: Option<usize> = count.and_then(|count| count.trim().parse().ok());
    match name.as_slice() {
        b"PFMERGE" => command.args.len() < 3,
        b"ZUNIONSTORE" | b"ZINTERSTORE" | b"ZDIFFSTORE" => {
            count.is_none_or(|count| count == 0 || count > command.args.len() - 3)
        }
        _ => false,
    }
}
