//! Hashes and the deadlines of their fields.
//!
//! Keys that begin with `h` hold small hashes only, whose order must agree; those with `H` hold
//! any, and what they hold is compared in any order.

use super::Entry;
use super::strings::{milliseconds, moment_milliseconds, moment_seconds, seconds};
use crate::command::{Command, Compare};
use crate::fit::is_fit;
use crate::vocabulary::{Gen, ODD_FLOATS};

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (24, set),
    (3, set_if_absent),
    (8, |g| one_field(g, &["HGET", "HEXISTS", "HSTRLEN"])),
    (4, get_many),
    (10, all),
    (5, |g| Command::new("HLEN").arg(g.hash_key())),
    (8, delete),
    (6, add),
    (6, add_float),
    (6, scan),
    (6, random),
    (14, expire),
    (8, time_left),
    (4, persist),
    (5, get_and_delete),
    (8, get_and_expire),
    (10, set_and_expire),
    (4, look),
    (2, |g| transaction(g, COMMANDS)),
];

/// A transaction of a family's commands. What they answer is compared by its types only, as some
/// of it comes in any order; what they do is seen later.
pub fn transaction(g: &mut Gen, commands: &[Entry]) -> Command {
    let waiting = std::mem::take(&mut g.queued);
    let mut queued = Vec::new();
    while queued.len() < 6 && g.rng.percent(85) {
        let entry = g.rng.weighted(commands.iter().map(|(weight, _)| *weight));
        let mut command = commands[entry].1(g);
        if command.damageable && g.rng.percent(3) {
            g.damage(&mut command);
        }
        if is_fit(&command) && !command.args[0].eq_ignore_ascii_case(b"MULTI") {
            queued.push(command);
        }
    }
    let end = *g.rng.pick(&["EXEC", "EXEC", "EXEC", "DISCARD"]);
    queued.push(Command::new(end).compared(Compare::Shape).undamaged());
    g.queued = waiting;
    g.queued.extend(queued);
    Command::new("MULTI").undamaged()
}

/// Whether a key may hold small values only.
pub fn is_small(key: &[u8]) -> bool {
    matches!(key, [b'h' | b't', b'0'..=b'9'])
}

/// A value that suits the key.
fn value(g: &mut Gen, key: &[u8]) -> Vec<u8> {
    if is_small(key) {
        g.short_value()
    } else {
        g.value()
    }
}

fn field(g: &mut Gen) -> Vec<u8> {
    g.hash_field()
}

fn set(g: &mut Gen) -> Command {
    let key = g.hash_key();
    let mut command = Command::new(*g.rng.pick(&["HSET", "HSET", "HSET", "HMSET"])).arg(&key);
    if !is_small(&key) && g.rng.percent(3) {
        let from = g.rng.below(600);
        for index in from..from + 50 + g.rng.below(600) {
            command = command.arg(format!("n{index}")).arg(g.short_value());
        }
        return command;
    }
    for _ in 0..=g.rng.below(4) {
        command = command.arg(field(g)).arg(value(g, &key));
    }
    command
}

fn set_if_absent(g: &mut Gen) -> Command {
    let key = g.hash_key();
    Command::new("HSETNX")
        .arg(&key)
        .arg(field(g))
        .arg(value(g, &key))
}

fn one_field(g: &mut Gen, names: &[&str]) -> Command {
    Command::new(*g.rng.pick(names))
        .arg(g.hash_key())
        .arg(field(g))
}

fn get_many(g: &mut Gen) -> Command {
    let mut command = Command::new("HMGET").arg(g.hash_key());
    for _ in 0..=g.rng.below(5) {
        command = command.arg(field(g));
    }
    command
}

/// In which way the reply about a whole hash compares.
fn order(key: &[u8], large: Compare) -> Compare {
    if is_small(key) { Compare::Exact } else { large }
}

fn all(g: &mut Gen) -> Command {
    let key = g.hash_key();
    let (name, large) = *g.rng.pick(&[
        ("HGETALL", Compare::Pairs),
        ("HGETALL", Compare::Pairs),
        ("HKEYS", Compare::AnyOrder),
        ("HVALS", Compare::AnyOrder),
    ]);
    Command::new(name)
        .arg(&key)
        .compared(order(&key, large))
        .undamaged()
}

fn delete(g: &mut Gen) -> Command {
    let mut command = Command::new("HDEL").arg(g.hash_key());
    for _ in 0..=g.rng.below(3) {
        command = command.arg(field(g));
    }
    command
}

fn add(g: &mut Gen) -> Command {
    Command::new("HINCRBY")
        .arg(g.hash_key())
        .arg(field(g))
        .arg(g.int(-1000, 1000))
}

/// Where order counts, sums stay short: one of four hundred digits would make the hash a table.
fn add_float(g: &mut Gen) -> Command {
    let key = g.hash_key();
    let odd = *g.rng.pick(ODD_FLOATS);
    let is_too_long = is_small(&key) && odd.ends_with("e400");
    let amount = match g.rng.below(3) {
        0 if !is_too_long => odd.to_owned(),
        1 => format!("{}.{}", g.rng.between(-50, 50), g.rng.below(1000)),
        _ => format!("{}e{}", g.rng.between(-50, 50), g.rng.between(-6, 8)),
    };
    Command::new("HINCRBYFLOAT")
        .arg(key)
        .arg(field(g))
        .arg(amount)
}

/// A scan wide enough to end in one step.
fn scan(g: &mut Gen) -> Command {
    let key = g.hash_key();
    let cursor = if g.rng.percent(8) {
        *g.rng.pick(&[
            "abc",
            "",
            "-1",
            " 0",
            "+0",
            "-0",
            "00",
            "18446744073709551616",
        ])
    } else {
        "0"
    };
    let mut command = Command::new("HSCAN")
        .arg(&key)
        .arg(cursor)
        .compared(order(&key, Compare::ScanPage))
        .undamaged();
    let mut options = vec![vec![g.word("COUNT"), b"1000000".to_vec()]];
    if g.rng.percent(40) {
        let pattern = *g.rng.pick(&["*", "f*", "f[0-4]", "*1", "", "?", "[^f]*"]);
        options.push(vec![g.word("MATCH"), pattern.as_bytes().to_vec()]);
    }
    if g.rng.percent(40) {
        options.push(vec![g.word("NOVALUES")]);
    }
    if g.rng.percent(6) {
        options.push(vec![g.word_of(&["TYPE", "MATCH", "FOO"])]);
    }
    while !options.is_empty() {
        command = command.args(options.remove(g.rng.below(options.len())));
    }
    command
}

fn random(g: &mut Gen) -> Command {
    let key = g.hash_key();
    let command = Command::new("HRANDFIELD").arg(&key).undamaged();
    let has_values = g.rng.percent(50);
    let (count, compare) = match g.rng.below(5) {
        0 => return command.compared(Compare::Kind),
        1 => (g.int(-6, 6), Compare::Length),
        2 => (
            g.rng
                .pick(&["-9223372036854775808", "4611686018427387904", "x", "0"])
                .as_bytes()
                .to_vec(),
            Compare::Kind,
        ),
        // More than there are: all of them.
        _ => {
            let large = if has_values {
                Compare::Pairs
            } else {
                Compare::AnyOrder
            };
            (b"100000".to_vec(), order(&key, large))
        }
    };
    // A huge count of a hash that repeats would never end.
    let is_endless = count.len() > 5 && count.starts_with(b"-") && compare == Compare::Length;
    let count = if is_endless { b"-3".to_vec() } else { count };
    let command = command.arg(count).compared(compare);
    match (has_values, g.rng.percent(4)) {
        (true, _) => command.arg(g.word("WITHVALUES")),
        (false, true) => command.arg("WITHSCORES"),
        (false, false) => command,
    }
}

/// FIELDS with a number, right as a rule, and fields.
fn fields(g: &mut Gen) -> Vec<Vec<u8>> {
    let count = 1 + g.rng.below(3);
    let named = if g.rng.percent(95) {
        count.to_string().into_bytes()
    } else {
        g.int(-1, 4)
    };
    let mut words = vec![g.word("FIELDS"), named];
    words.extend((0..count).map(|_| field(g)));
    words
}

fn expire(g: &mut Gen) -> Command {
    let (name, amount) = match g.rng.below(6) {
        0 => ("HEXPIRE", seconds(g)),
        1 => ("HPEXPIRE", milliseconds(g)),
        2 => ("HEXPIREAT", moment_seconds(g)),
        3 | 4 => ("HPEXPIREAT", moment_milliseconds(g)),
        _ => ("HEXPIRE", g.int(-1, 0)),
    };
    let mut command = Command::new(name).arg(g.hash_key()).arg(amount);
    if g.rng.percent(50) {
        command = command.arg(g.word_of(&["NX", "XX", "GT", "LT"]));
    }
    command.args(fields(g))
}

fn time_left(g: &mut Gen) -> Command {
    let (name, slack) = *g.rng.pick(&[
        ("HTTL", 3),
        ("HPTTL", 3000),
        ("HEXPIRETIME", 3),
        ("HPEXPIRETIME", 3000),
    ]);
    Command::new(name)
        .arg(g.hash_key())
        .args(fields(g))
        .compared(Compare::Within(slack))
}

fn persist(g: &mut Gen) -> Command {
    Command::new("HPERSIST").arg(g.hash_key()).args(fields(g))
}

fn get_and_delete(g: &mut Gen) -> Command {
    Command::new("HGETDEL").arg(g.hash_key()).args(fields(g))
}

fn deadline(g: &mut Gen) -> [Vec<u8>; 2] {
    match g.rng.below(5) {
        0 => [g.word("EX"), seconds(g)],
        1 => [g.word("PX"), milliseconds(g)],
        2 => [g.word("EXAT"), moment_seconds(g)],
        _ => [g.word("PXAT"), moment_milliseconds(g)],
    }
}

fn get_and_expire(g: &mut Gen) -> Command {
    let command = Command::new("HGETEX").arg(g.hash_key());
    let command = match g.rng.below(6) {
        0 => command,
        1 | 2 => command.arg(g.word("PERSIST")),
        _ => command.args(deadline(g)),
    };
    command.args(fields(g))
}

fn set_and_expire(g: &mut Gen) -> Command {
    let key = g.hash_key();
    let mut command = Command::new("HSETEX").arg(&key);
    let mut options: Vec<Vec<Vec<u8>>> = Vec::new();
    if g.rng.percent(60) {
        options.push(deadline(g).to_vec());
    }
    if g.rng.percent(15) {
        options.push(vec![g.word("KEEPTTL")]);
    }
    if g.rng.percent(35) {
        options.push(vec![g.word_of(&["FNX", "FXX"])]);
    }
    if g.rng.percent(4) {
        options.push(vec![g.word_of(&["FNX", "FXX", "NX", "PERSIST"])]);
    }
    while !options.is_empty() {
        command = command.args(options.swap_remove(g.rng.below(options.len())));
    }
    let count = 1 + g.rng.below(3);
    command = command.arg(g.word("FIELDS"));
    command = if g.rng.percent(95) {
        command.arg(count.to_string())
    } else {
        command.arg(g.int(-1, 4))
    };
    for _ in 0..count {
        command = command.arg(field(g)).arg(value(g, &key));
    }
    command
}

fn look(g: &mut Gen) -> Command {
    let key = g.hash_key();
    super::look_at(g, &key)
}
