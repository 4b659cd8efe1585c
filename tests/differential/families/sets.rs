//! Sets.
//!
//! Keys that begin with `t` hold small sets only, whose order must agree; those with `T` hold any,
//! and what they hold is compared in any order. Nothing is popped at random: the servers would
//! differ from then on.

use super::Entry;
use super::hashes::{is_small, transaction};
use crate::command::{Command, Compare};
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (22, add),
    (10, remove),
    (6, |g| {
        Command::new("SISMEMBER")
            .arg(g.set_key())
            .arg(g.set_member())
    }),
    (4, are_members),
    (10, |g| {
        let key = g.set_key();
        Command::new("SMEMBERS")
            .arg(&key)
            .compared(order(&key))
            .undamaged()
    }),
    (5, |g| Command::new("SCARD").arg(g.set_key())),
    (6, relocate),
    (3, pop_all),
    (5, random),
    (5, scan),
    (12, combine),
    (12, combine_and_store),
    (5, count),
    (4, look),
    (2, |g| transaction(g, COMMANDS)),
];

/// In which way the reply about a whole set compares.
fn order(key: &[u8]) -> Compare {
    if is_small(key) {
        Compare::Exact
    } else {
        Compare::AnyOrder
    }
}

/// A member that suits the key.
fn member(g: &mut Gen, key: &[u8]) -> Vec<u8> {
    if is_small(key) || g.rng.percent(90) {
        g.set_member()
    } else {
        g.value()
    }
}

fn add(g: &mut Gen) -> Command {
    let key = g.set_key();
    let mut command = Command::new("SADD").arg(&key);
    if !is_small(&key) && g.rng.percent(5) {
        let from = g.rng.below(600);
        let to = from + 50 + g.rng.below(500);
        let prefix = *g.rng.pick(&["", "", "m", "-", "9000000000"]);
        return command.args((from..to).map(|index| format!("{prefix}{index}")));
    }
    for _ in 0..=g.rng.below(4) {
        command = command.arg(member(g, &key));
    }
    command
}

fn remove(g: &mut Gen) -> Command {
    let key = g.set_key();
    let mut command = Command::new("SREM").arg(&key);
    if !is_small(&key) && g.rng.percent(10) {
        return command.args((0..600).map(|index| index.to_string()));
    }
    for _ in 0..=g.rng.below(4) {
        command = command.arg(member(g, &key));
    }
    command
}

fn are_members(g: &mut Gen) -> Command {
    let mut command = Command::new("SMISMEMBER").arg(g.set_key());
    for _ in 0..=g.rng.below(4) {
        command = command.arg(g.set_member());
    }
    command
}

fn relocate(g: &mut Gen) -> Command {
    Command::new("SMOVE")
        .arg(g.set_key())
        .arg(g.set_key())
        .arg(g.set_member())
}

fn pop_all(g: &mut Gen) -> Command {
    let count = *g.rng.pick(&["100000", "100000", "100000", "0", "-1", "x"]);
    Command::new("SPOP")
        .arg(g.set_key())
        .arg(count)
        .compared(Compare::AnyOrder)
        .undamaged()
}

fn random(g: &mut Gen) -> Command {
    let key = g.set_key();
    let command = Command::new("SRANDMEMBER").arg(&key).undamaged();
    match g.rng.below(5) {
        0 => command.compared(Compare::Kind),
        1 | 2 => command
            .arg(g.rng.between(-6, 6).to_string())
            .compared(Compare::Length),
        3 => {
            let odd = *g.rng.pick(&["-9223372036854775808", "x", "0", "1.5"]);
            command.arg(odd)
        }
        _ => command.arg("100000").compared(order(&key)),
    }
}

/// A scan wide enough to end in one step.
fn scan(g: &mut Gen) -> Command {
    let key = g.set_key();
    let large = if is_small(&key) {
        Compare::Exact
    } else {
        Compare::ScanPage
    };
    let mut command = Command::new("SSCAN")
        .arg(&key)
        .arg("0")
        .compared(large)
        .undamaged();
    let mut options = vec![vec![g.word("COUNT"), b"1000000".to_vec()]];
    if g.rng.percent(40) {
        let pattern = *g.rng.pick(&["*", "m*", "m[0-4]", "*1", "", "?", "-*"]);
        options.push(vec![g.word("MATCH"), pattern.as_bytes().to_vec()]);
    }
    if g.rng.percent(6) {
        options.push(vec![g.word_of(&["TYPE", "NOVALUES", "FOO"])]);
    }
    while !options.is_empty() {
        command = command.args(options.remove(g.rng.below(options.len())));
    }
    command
}

fn operands(g: &mut Gen) -> Vec<Vec<u8>> {
    (0..=g.rng.below(4)).map(|_| g.set_key()).collect()
}

fn combine(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["SINTER", "SUNION", "SDIFF"]);
    Command::new(name)
        .args(operands(g))
        .compared(Compare::AnyOrder)
        .undamaged()
}

fn combine_and_store(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]);
    Command::new(name).arg(g.set_key()).args(operands(g))
}

fn count(g: &mut Gen) -> Command {
    let operands = operands(g);
    let named = if g.rng.percent(92) {
        operands.len().to_string().into_bytes()
    } else {
        g.int(-1, 3)
    };
    let mut command = Command::new("SINTERCARD").arg(named).args(operands);
    if g.rng.percent(50) {
        command = command.arg(g.word("LIMIT")).arg(g.int(-1, 4));
    }
    command
}

fn look(g: &mut Gen) -> Command {
    let key = g.set_key();
    super::look_at(g, &key)
}
