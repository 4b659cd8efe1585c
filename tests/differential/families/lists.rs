//! Lists, and the blocking commands where they cannot block for long.

use super::Entry;
use crate::command::Command;
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (22, push),
    (4, push_existing),
    (12, pop),
    (6, |g| Command::new("LLEN").arg(g.list_key())),
    (10, range),
    (6, |g| {
        Command::new("LINDEX").arg(g.list_key()).arg(g.index())
    }),
    (5, |g| {
        Command::new("LSET")
            .arg(g.list_key())
            .arg(g.index())
            .arg(g.value())
    }),
    (5, insert),
    (5, |g| {
        Command::new("LREM")
            .arg(g.list_key())
            .arg(g.int(-3, 3))
            .arg(g.value())
    }),
    (3, |g| {
        Command::new("LTRIM")
            .arg(g.list_key())
            .arg(g.index())
            .arg(g.index())
    }),
    (9, position),
    (8, relocate),
    (6, pop_many),
    (6, pop_without_waiting),
];

fn push(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["LPUSH", "RPUSH"]);
    let most = if g.rng.percent(4) { 150 } else { 4 };
    Command::new(name).arg(g.list_key()).args(g.values(most))
}

fn push_existing(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["LPUSHX", "RPUSHX"]);
    Command::new(name).arg(g.list_key()).args(g.values(3))
}

fn pop(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["LPOP", "RPOP"]);
    let command = Command::new(name).arg(g.list_key());
    if g.rng.percent(45) {
        command.arg(g.int(0, 6))
    } else {
        command
    }
}

fn range(g: &mut Gen) -> Command {
    let command = Command::new("LRANGE").arg(g.list_key());
    if g.rng.percent(40) {
        return command.arg("0").arg("-1");
    }
    command.arg(g.index()).arg(g.index())
}

fn insert(g: &mut Gen) -> Command {
    let place = g.word_of(&["BEFORE", "AFTER"]);
    Command::new("LINSERT")
        .arg(g.list_key())
        .arg(place)
        .arg(g.value())
        .arg(g.value())
}

fn position(g: &mut Gen) -> Command {
    let mut command = Command::new("LPOS").arg(g.list_key()).arg(g.value());
    let mut options: Vec<(&str, Vec<u8>)> = Vec::new();
    if g.rng.percent(45) {
        options.push(("RANK", g.int(-4, 4)));
    }
    if g.rng.percent(45) {
        options.push(("COUNT", g.int(0, 4)));
    }
    if g.rng.percent(35) {
        options.push(("MAXLEN", g.int(0, 8)));
    }
    while !options.is_empty() {
        let (word, number) = options.swap_remove(g.rng.below(options.len()));
        command = command.arg(g.word(word)).arg(number);
    }
    command
}

fn relocate(g: &mut Gen) -> Command {
    if g.rng.percent(30) {
        return Command::new("RPOPLPUSH")
            .arg(g.list_key())
            .arg(g.list_key());
    }
    let (from, to) = (g.word_of(&["LEFT", "RIGHT"]), g.word_of(&["LEFT", "RIGHT"]));
    Command::new("LMOVE")
        .arg(g.list_key())
        .arg(g.list_key())
        .arg(from)
        .arg(to)
}

fn pop_many(g: &mut Gen) -> Command {
    let count = 1 + g.rng.below(3);
    let named = if g.rng.percent(90) {
        count.to_string().into_bytes()
    } else {
        g.int(-1, 3)
    };
    let mut command = Command::new("LMPOP").arg(named);
    for _ in 0..count {
        command = command.arg(g.list_key());
    }
    command = command.arg(g.word_of(&["LEFT", "RIGHT"]));
    if g.rng.percent(50) {
        command = command.arg(g.word("COUNT")).arg(g.int(1, 5));
    }
    command
}

/// Blocking commands with a timeout of a millisecond: nobody can push meanwhile, so the reply is
/// what lies there, or nothing.
fn pop_without_waiting(g: &mut Gen) -> Command {
    const BAD: &[&str] = &[
        "-1",
        "abc",
        "",
        "1e400",
        "nan",
        "inf",
        "-0.5",
        "9223372036854776",
    ];
    let timeout = if g.rng.percent(15) {
        *g.rng.pick(BAD)
    } else {
        "0.001"
    };
    let command = match g.rng.below(5) {
        0 | 1 => {
            let name = *g.rng.pick(&["BLPOP", "BRPOP"]);
            let mut command = Command::new(name);
            for _ in 0..=g.rng.below(3) {
                command = command.arg(g.list_key());
            }
            command.arg(timeout)
        }
        2 => Command::new("BRPOPLPUSH")
            .arg(g.list_key())
            .arg(g.list_key())
            .arg(timeout),
        3 => {
            let (from, to) = (
                g.word_of(&["LEFT", "RIGHT"]),
                g.word_of(&["LEFT", "RIGHT", "UP"]),
            );
            Command::new("BLMOVE")
                .arg(g.list_key())
                .arg(g.list_key())
                .arg(from)
                .arg(to)
                .arg(timeout)
        }
        _ => {
            let popped = pop_many(g);
            Command::new("BLMPOP").arg(timeout).args(&popped.args[1..])
        }
    };
    command.undamaged()
}
