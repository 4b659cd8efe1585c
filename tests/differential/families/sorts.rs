//! SORT and `SORT_RO` over lists, sets and sorted sets.

use super::Entry;
use crate::command::Command;
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (10, plain),
    (8, by_pattern),
    (8, unsorted),
    // Elements that find a string for themselves.
    (6, |g| {
        let name = *g.rng.pick(&["RPUSH", "LPUSH"]);
        let command = Command::new(name).arg(g.list_key());
        let count = 1 + g.rng.below(5);
        command.args((0..count).map(|_| number(g)))
    }),
    (3, |g| {
        let command = Command::new("ZADD").arg(g.sorted_key());
        command.arg(number(g)).arg(number(g))
    }),
    (2, |g| {
        Command::new("SET").arg(g.string_key()).arg(number(g))
    }),
    (2, |g| Command::new("DEL").arg(g.key())),
    (1, |_| Command::words("LTRIM q0 -3 -1").undamaged()),
];

fn number(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(12) {
        0 => format!("{}.5", g.rng.between(-9, 9)),
        1 => g.rng.between(-2_000_000_000, 2_000_000_000).to_string(),
        2 => ["1e3", "", "+2", "inf", "-0", "1e400"][g.rng.below(6)].to_owned(),
        _ => g.rng.between(0, 6).to_string(),
    }
    .into_bytes()
}

fn source(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(10) {
        0..5 => g.list_key(),
        5..8 => g.sorted_key(),
        _ => g.set_key(),
    }
}

fn name(g: &mut Gen) -> Command {
    Command::new(*g.rng.pick(&["SORT", "SORT", "SORT", "SORT_RO"]))
}

fn direction(g: &mut Gen, command: Command) -> Command {
    match g.rng.below(4) {
        0 => command.arg(g.word("ASC")),
        1 => command.arg(g.word("DESC")),
        _ => command,
    }
}

fn limit(g: &mut Gen, command: Command) -> Command {
    if g.rng.percent(40) {
        let command = command.arg(g.word("LIMIT"));
        return command.arg(g.int(-2, 6)).arg(g.int(-1, 7));
    }
    command
}

/// What to get, and where to store it.
fn outcome(g: &mut Gen, mut command: Command) -> Command {
    const PATTERNS: &[&str] = &[
        "#", "s*", "*", "l*", "H*->f1", "h*->f2", "none", "s*->", "", "s*->x", "*1", "#x",
    ];
    while g.rng.percent(30) {
        command = command.arg(g.word("GET")).arg(*g.rng.pick(PATTERNS));
    }
    if g.rng.percent(30) {
        command = command.arg(g.word("STORE")).arg(source(g));
    }
    command
}

fn plain(g: &mut Gen) -> Command {
    let command = name(g).arg(source(g));
    let mut command = direction(g, command);
    if g.rng.percent(60) {
        command = command.arg(g.word("ALPHA"));
    }
    let command = limit(g, command);
    outcome(g, command)
}

/// Numbers of other keys. By texts of other keys many elements are alike, and which comes first is
/// left to chance, but for a list that is sorted whole: `q` keys hold nothing else.
fn by_pattern(g: &mut Gen) -> Command {
    let pattern = *g.rng.pick(&["s*", "s*", "w*", "*", "h*->f1", "H*->f2"]);
    if g.rng.percent(50) {
        let command = name(g).arg(source(g)).arg(g.word("BY")).arg(pattern);
        let command = direction(g, command);
        let command = limit(g, command);
        return outcome(g, command);
    }
    let list = format!("q{}", g.rng.below(2));
    if g.rng.percent(30) {
        let command = Command::new("RPUSH")
            .arg(list)
            .arg(number(g))
            .arg(number(g));
        return command.undamaged();
    }
    let command = name(g).arg(list).arg(g.word("BY")).arg(pattern);
    let command = command.arg(g.word("ALPHA"));
    let command = direction(g, command);
    outcome(g, command).undamaged()
}

fn unsorted(g: &mut Gen) -> Command {
    if g.rng.percent(15) {
        // A set has an order only if it is stored.
        let command = Command::new("SORT")
            .arg(g.set_key())
            .arg("BY")
            .arg("nosort");
        let command = direction(g, command);
        return command.arg("STORE").arg(g.list_key()).undamaged();
    }
    // Keys that hold nothing but lists, or nothing but sorted sets.
    let key = if g.rng.percent(60) {
        format!("q{}", g.rng.below(2)).into_bytes()
    } else {
        g.even_key()
    };
    let command = name(g).arg(key).arg(g.word("BY")).arg("nosort");
    let command = direction(g, command);
    let command = limit(g, command);
    outcome(g, command).undamaged()
}
