//! Strings: plain values, counters, ranges and LCS.

use super::Entry;
use crate::command::Command;
use crate::vocabulary::{Gen, ODD_FLOATS};

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (20, set),
    (10, |g| Command::new("GET").arg(g.string_key())),
    (3, |g| Command::new("GETDEL").arg(g.string_key())),
    (6, get_and_expire),
    (4, |g| {
        Command::new("GETSET").arg(g.string_key()).arg(g.value())
    }),
    (3, |g| {
        Command::new("SETNX").arg(g.string_key()).arg(g.value())
    }),
    (3, |g| {
        Command::new("SETEX")
            .arg(g.string_key())
            .arg(seconds(g))
            .arg(g.value())
    }),
    (3, |g| {
        Command::new("PSETEX")
            .arg(g.string_key())
            .arg(milliseconds(g))
            .arg(g.value())
    }),
    (4, |g| set_many(g, "MSET")),
    (3, |g| set_many(g, "MSETNX")),
    (4, get_many),
    (5, |g| {
        Command::new("APPEND").arg(g.string_key()).arg(g.value())
    }),
    (4, |g| Command::new("STRLEN").arg(g.string_key())),
    (5, range),
    (5, set_range),
    (5, |g| {
        Command::new(*g.rng.pick(&["INCR", "DECR"])).arg(g.string_key())
    }),
    (6, |g| {
        let name = *g.rng.pick(&["INCRBY", "DECRBY"]);
        Command::new(name)
            .arg(g.string_key())
            .arg(g.int(-1000, 1000))
    }),
    (6, add_float),
    (5, common_subsequence),
];

/// Far-off deadlines only: what expires while the test runs could differ by chance.
pub fn seconds(g: &mut Gen) -> Vec<u8> {
    g.int(2_000, 9_000_000)
}

/// As `seconds`, in milliseconds.
pub fn milliseconds(g: &mut Gen) -> Vec<u8> {
    g.int(2_000_000, 9_000_000_000)
}

/// A moment in seconds of Unix time: the far future, seldom the past (the key goes at once).
pub fn moment_seconds(g: &mut Gen) -> Vec<u8> {
    if g.rng.percent(85) {
        g.int(4_000_000_000, 4_000_000_020)
    } else {
        g.int(1, 1_500_000_000)
    }
}

/// As `moment_seconds`, in milliseconds.
pub fn moment_milliseconds(g: &mut Gen) -> Vec<u8> {
    if g.rng.percent(85) {
        g.int(4_000_000_000_000, 4_000_000_000_020)
    } else {
        g.int(1, 1_500_000_000_000)
    }
}

fn deadline(g: &mut Gen) -> [Vec<u8>; 2] {
    match g.rng.below(4) {
        0 => [g.word("EX"), seconds(g)],
        1 => [g.word("PX"), milliseconds(g)],
        2 => [g.word("EXAT"), moment_seconds(g)],
        _ => [g.word("PXAT"), moment_milliseconds(g)],
    }
}

fn set(g: &mut Gen) -> Command {
    let mut command = Command::new("SET").arg(g.string_key()).arg(g.value());
    if g.rng.percent(40) {
        return command;
    }
    let mut options: Vec<Vec<Vec<u8>>> = Vec::new();
    if g.rng.percent(40) {
        options.push(deadline(g).to_vec());
    }
    if g.rng.percent(20) {
        options.push(vec![g.word("KEEPTTL")]);
    }
    if g.rng.percent(30) {
        options.push(vec![g.word("NX")]);
    }
    if g.rng.percent(30) {
        options.push(vec![g.word("XX")]);
    }
    if g.rng.percent(30) {
        options.push(vec![g.word("GET")]);
    }
    while !options.is_empty() {
        command = command.args(options.swap_remove(g.rng.below(options.len())));
    }
    command
}

fn get_and_expire(g: &mut Gen) -> Command {
    let command = Command::new("GETEX").arg(g.string_key());
    match g.rng.below(6) {
        0 => command,
        1 => command.arg(g.word("PERSIST")),
        2 => command.args(deadline(g)).arg(g.word("PERSIST")),
        _ => command.args(deadline(g)),
    }
}

fn set_many(g: &mut Gen, name: &str) -> Command {
    let mut command = Command::new(name);
    for _ in 0..=g.rng.below(3) {
        command = command.arg(g.string_key()).arg(g.value());
    }
    command
}

fn get_many(g: &mut Gen) -> Command {
    let mut command = Command::new("MGET");
    for _ in 0..=g.rng.below(5) {
        command = command.arg(g.string_key());
    }
    command
}

fn range(g: &mut Gen) -> Command {
    let name = if g.rng.percent(85) {
        "GETRANGE"
    } else {
        "SUBSTR"
    };
    Command::new(name)
        .arg(g.string_key())
        .arg(g.index())
        .arg(g.index())
}

fn set_range(g: &mut Gen) -> Command {
    const FAR: &[&str] = &[
        "536870912",
        "9223372036854775807",
        "-1",
        "4294967295",
        "1000",
    ];
    let offset = if g.rng.percent(90) {
        g.int(0, 40)
    } else {
        g.rng.pick(FAR).as_bytes().to_vec()
    };
    Command::new("SETRANGE")
        .arg(g.string_key())
        .arg(offset)
        .arg(g.value())
}

fn add_float(g: &mut Gen) -> Command {
    let amount = match g.rng.below(3) {
        0 => (*g.rng.pick(ODD_FLOATS)).to_owned(),
        1 => format!("{}.{}", g.rng.between(-50, 50), g.rng.below(1000)),
        _ => format!("{}e{}", g.rng.between(-50, 50), g.rng.between(-6, 8)),
    };
    Command::new("INCRBYFLOAT").arg(g.string_key()).arg(amount)
}

fn common_subsequence(g: &mut Gen) -> Command {
    let mut command = Command::new("LCS").arg(g.string_key()).arg(g.string_key());
    for (word, chance) in [("LEN", 25), ("IDX", 55), ("WITHMATCHLEN", 40)] {
        if g.rng.percent(chance) {
            command = command.arg(g.word(word));
        }
    }
    if g.rng.percent(30) {
        command = command.arg(g.word("MINMATCHLEN")).arg(g.int(-1, 6));
    }
    command
}
