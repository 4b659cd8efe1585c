//! Commands on keys of any type: existence, names, expiry, scans, databases.

use super::Entry;
use super::strings::{milliseconds, moment_milliseconds, moment_seconds, seconds};
use crate::command::{Command, Compare};
use crate::vocabulary::Gen;

/// Databases in use; few, so that they meet, and some that do not exist.
const DATABASES: &[&str] = &[
    "0", "0", "0", "1", "1", "2", "15", "16", "-1", "abc", "", "65536",
];

/// Seconds by which two clocks read one after the other may differ on a busy machine.
const SLACK_SECONDS: i64 = 3;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (8, |g| some_keys(g, &["DEL", "DEL", "UNLINK"], 3)),
    (5, |g| some_keys(g, &["EXISTS", "TOUCH"], 4)),
    (5, |g| Command::new("TYPE").arg(g.key())),
    (3, keys_matching),
    (5, scan),
    (2, |_| Command::new("RANDOMKEY").compared(Compare::Kind)),
    (5, |g| {
        let name = *g.rng.pick(&["RENAME", "RENAMENX"]);
        Command::new(name).arg(g.key()).arg(g.key())
    }),
    (5, copy),
    (4, |g| Command::new("MOVE").arg(g.key()).arg(database(g))),
    (2, |g| {
        Command::new("SWAPDB").arg(database(g)).arg(database(g))
    }),
    (2, |g| Command::new("SELECT").arg(database(g))),
    (12, expire),
    (8, time_left),
    (3, |g| Command::new("PERSIST").arg(g.key())),
    (4, object),
    (1, |g| {
        Command::new("WAIT").arg(g.int(0, 0)).arg("1").undamaged()
    }),
    (3, |_| Command::new("DBSIZE")),
    (1, flush),
    (2, |g| {
        let command = Command::new("MEMORY")
            .arg("USAGE")
            .arg(g.key())
            .compared(Compare::Kind);
        if g.rng.percent(30) {
            command.arg("SAMPLES").arg(g.int(0, 5))
        } else {
            command
        }
    }),
];

fn database(g: &mut Gen) -> Vec<u8> {
    g.rng.pick(DATABASES).as_bytes().to_vec()
}

fn some_keys(g: &mut Gen, names: &[&str], most: usize) -> Command {
    let mut command = Command::new(*g.rng.pick(names));
    for _ in 0..=g.rng.below(most) {
        command = command.arg(g.key());
    }
    command
}

/// A glob, sound or not.
pub fn pattern(g: &mut Gen) -> Vec<u8> {
    const PATTERNS: &[&str] = &[
        "*", "l*", "s?", "z*", "?[0-2]", "[ls]1", "[^l]*", "l[3-1]", "\\l1", "gl\\*b*", "[", "l[",
        "[]*", "*[0-9", "", "**1", "*1*", "a*b", "[l-", "?", "*\\", "[\\s]?", "gl[*]b*", "*n*k*",
        "l1", "[^]", "[^a-z]*",
    ];
    g.rng.pick(PATTERNS).as_bytes().to_vec()
}

fn keys_matching(g: &mut Gen) -> Command {
    Command::new("KEYS")
        .arg(pattern(g))
        .compared(Compare::AnyOrder)
}

fn scan(g: &mut Gen) -> Command {
    let mut command = Command::new("SCAN").arg("0").compared(Compare::ScanPage);
    if g.rng.percent(12) {
        // After one that is out of range the oracle's SORT takes no number for one.
        let bad = *g.rng.pick(&["abc", "", "-", "1x"]);
        command.args[1] = bad.as_bytes().to_vec();
        command = command.undamaged();
    }
    let mut options: Vec<Vec<Vec<u8>>> = vec![vec![g.word("COUNT"), b"1000".to_vec()]];
    if g.rng.percent(50) {
        options.push(vec![g.word("MATCH"), pattern(g)]);
    }
    if g.rng.percent(40) {
        let name = g.word_of(&["LIST", "string", "set", "zset", "hash", "stream", "nosuch"]);
        options.push(vec![g.word("TYPE"), name]);
    }
    if g.rng.percent(6) {
        options.push(vec![g.word("COUNT"), g.int(1000, 2000)]);
    }
    // The last COUNT wins, and a small one would end the page early at a place of its own.
    while !options.is_empty() {
        command = command.args(options.remove(g.rng.below(options.len())));
    }
    let small = |pair: &[Vec<u8>]| {
        pair[0].eq_ignore_ascii_case(b"COUNT")
            && std::str::from_utf8(&pair[1]).is_ok_and(|text| matches!(text.parse(), Ok(1..1000)))
    };
    if command.args.windows(2).any(small) {
        command.compare = Compare::Kind;
    }
    command.undamaged()
}

fn copy(g: &mut Gen) -> Command {
    let mut command = Command::new("COPY").arg(g.key()).arg(g.key());
    if g.rng.percent(35) {
        command = command.arg(g.word("DB")).arg(database(g));
    }
    if g.rng.percent(45) {
        command = command.arg(g.word("REPLACE"));
    }
    command
}

fn expire(g: &mut Gen) -> Command {
    let (name, amount) = match g.rng.below(5) {
        0 => ("EXPIRE", seconds(g)),
        1 => ("PEXPIRE", milliseconds(g)),
        2 => ("EXPIREAT", moment_seconds(g)),
        3 => ("PEXPIREAT", moment_milliseconds(g)),
        _ => ("EXPIRE", g.int(-3, 0)),
    };
    let mut command = Command::new(name).arg(g.key()).arg(amount);
    if g.rng.percent(50) {
        command = command.arg(g.word_of(&["NX", "XX", "GT", "LT"]));
    }
    if g.rng.percent(12) {
        command = command.arg(g.word_of(&["NX", "XX", "GT", "LT", "ZZ"]));
    }
    command
}

fn time_left(g: &mut Gen) -> Command {
    let (name, slack) = match g.rng.below(4) {
        0 => ("TTL", SLACK_SECONDS),
        1 => ("PTTL", SLACK_SECONDS * 1000),
        2 => ("EXPIRETIME", SLACK_SECONDS),
        _ => ("PEXPIRETIME", SLACK_SECONDS * 1000),
    };
    Command::new(name)
        .arg(g.key())
        .compared(Compare::Within(slack))
}

fn object(g: &mut Gen) -> Command {
    match g.rng.below(6) {
        0..=2 => Command::new("OBJECT")
            .arg(g.word("ENCODING"))
            .arg(g.key())
            .compared(Compare::Encoding),
        3 => Command::new("OBJECT")
            .arg("IDLETIME")
            .arg(g.key())
            .compared(Compare::Kind),
        4 => Command::new("OBJECT")
            .arg("REFCOUNT")
            .arg(g.key())
            .compared(Compare::Kind),
        _ => Command::new("OBJECT").arg("FREQ").arg(g.key()),
    }
}

fn flush(g: &mut Gen) -> Command {
    let command = Command::new(*g.rng.pick(&["FLUSHDB", "FLUSHALL"]));
    match g.rng.below(5) {
        0 => command.arg(g.word("ASYNC")),
        1 => command.arg(g.word("SYNC")),
        2 => command.arg("maybe"),
        _ => command,
    }
}
