//! Sorted sets, and their blocking commands where they cannot block for long.

use super::Entry;
use crate::command::{Command, Compare};
use crate::vocabulary::{Gen, ODD_FLOATS};

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (26, add),
    (6, |g| {
        Command::new("ZINCRBY")
            .arg(g.sorted_key())
            .arg(score(g))
            .arg(member(g))
    }),
    (8, remove),
    (5, |g| {
        Command::new("ZSCORE").arg(g.sorted_key()).arg(member(g))
    }),
    (3, |g| {
        Command::new("ZMSCORE").arg(g.sorted_key()).args(members(g))
    }),
    (3, |g| Command::new("ZCARD").arg(g.sorted_key())),
    (7, rank),
    (22, range),
    (4, count),
    (6, store_range),
    (7, remove_range),
    (10, pop),
    (5, pop_many),
    (5, pop_without_waiting),
    (12, combine),
    (3, cardinality),
    (4, random),
    (6, scan),
    (4, |g| {
        Command::new("OBJECT")
            .arg("ENCODING")
            .arg(g.sorted_key())
            .compared(Compare::Encoding)
    }),
    (10, by_member),
];

/// A member: few, so that they meet, and now and then one too long for a small set.
pub fn member(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(40) {
        0..24 => format!("m{}", g.rng.below(12)).into_bytes(),
        24..32 => format!("m{}", g.rng.below(400)).into_bytes(),
        32..35 => g.rng.between(-5, 5).to_string().into_bytes(),
        35 => Vec::new(),
        36 => b"bin\x00\xff\r\nmember".to_vec(),
        37 => vec![b'x'; 20 + g.rng.below(46)],
        _ if g.rng.percent(20) => g.value(),
        _ => format!("v{}", g.rng.below(8)).into_bytes(),
    }
}

fn members(g: &mut Gen) -> Vec<Vec<u8>> {
    (0..=g.rng.below(4)).map(|_| member(g)).collect()
}

/// A score as an argument: many are equal, some are no numbers.
pub fn score(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(60) {
        0..28 => g.rng.between(-4, 6).to_string(),
        28..36 => format!("{}.{}", g.rng.between(-3, 3), g.rng.below(1000)),
        36..42 => (1_700_000_000_000 + g.rng.between(0, 500)).to_string(),
        42..48 => format!("1.{}e{}", g.rng.below(100), g.rng.between(-30, 30)),
        48..52 => ["inf", "-inf", "+inf", "-0", "0"][g.rng.below(5)].to_owned(),
        52..55 => g.rng.between(-70_000, 70_000).to_string(),
        55..58 => g.rng.between(-3_000_000_000, 3_000_000_000).to_string(),
        58 => f64::from_bits(g.rng.next() & !(0x7ff << 52) | 0x3ff << 52).to_string(),
        _ => return g.rng.pick(ODD_FLOATS).as_bytes().to_vec(),
    }
    .into_bytes()
}

/// A weight as an argument: a score, but for the infinite ones, with which Redis 8.2.3 stores sets
/// that it later walks without end (a ZREVRANGE after a ZINTERSTORE).
fn weight(g: &mut Gen) -> Vec<u8> {
    loop {
        let weight = score(g);
        let number = str::from_utf8(&weight)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        if number.is_none_or(|number| !number.is_infinite()) {
            return weight;
        }
    }
}

fn add(g: &mut Gen) -> Command {
    let mut command = Command::new("ZADD").arg(g.sorted_key());
    let incr = g.rng.percent(12);
    for word in ["NX", "XX", "GT", "LT", "CH"] {
        if g.rng.percent(9) {
            command = command.arg(g.word(word));
        }
    }
    if incr {
        command = command.arg(g.word("INCR"));
    }
    let pairs = match g.rng.below(50) {
        _ if incr && g.rng.percent(95) => 1,
        0 => 150,
        _ => 1 + g.rng.below(5),
    };
    for _ in 0..pairs {
        command = command.arg(score(g));
        command = command.arg(member(g));
    }
    command
}

fn remove(g: &mut Gen) -> Command {
    Command::new("ZREM").arg(g.sorted_key()).args(members(g))
}

fn rank(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["ZRANK", "ZREVRANK"]);
    let command = Command::new(name).arg(g.sorted_key()).arg(member(g));
    if g.rng.percent(40) {
        command.arg(g.word("WITHSCORE"))
    } else {
        command
    }
}

/// One end of a range of scores.
fn bound(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(12) {
        0..2 => b"-inf".to_vec(),
        2..4 => b"+inf".to_vec(),
        4..7 => [b"(".to_vec(), score(g)].concat(),
        7 if g.rng.percent(20) => g
            .rng
            .pick(&["", "(", "((1", "nan", "0x1"])
            .as_bytes()
            .to_vec(),
        _ => score(g),
    }
}

/// The ends of a range of members.
fn lex_bound(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(12) {
        0..3 => b"-".to_vec(),
        3..6 => b"+".to_vec(),
        6..8 => [b"[".to_vec(), member(g)].concat(),
        8..11 => [b"(".to_vec(), member(g)].concat(),
        _ if g.rng.percent(20) => member(g),
        _ => b"[m".to_vec(),
    }
}

fn limit(g: &mut Gen, command: Command) -> Command {
    command
        .arg(g.word("LIMIT"))
        .arg(g.int(-1, 5))
        .arg(g.int(-1, 8))
}

fn range(g: &mut Gen) -> Command {
    let mut command = match g.rng.below(10) {
        0..3 => Command::new("ZRANGE")
            .arg(g.sorted_key())
            .arg(g.index())
            .arg(g.index()),
        3 => Command::new("ZREVRANGE")
            .arg(g.sorted_key())
            .arg(g.index())
            .arg(g.index()),
        4..6 => Command::new("ZRANGE")
            .arg(g.sorted_key())
            .arg(bound(g))
            .arg(bound(g))
            .arg(g.word("BYSCORE")),
        6..8 => Command::new("ZRANGEBYSCORE")
            .arg(g.sorted_key())
            .arg(bound(g))
            .arg(bound(g)),
        8 => Command::new("ZREVRANGEBYSCORE")
            .arg(g.sorted_key())
            .arg(bound(g))
            .arg(bound(g)),
        _ => {
            let command = Command::new("ZRANGE")
                .arg(g.sorted_key())
                .arg("0")
                .arg("-1");
            return command.arg("WITHSCORES");
        }
    };
    let by_score = command.args[0].ends_with(b"SCORE") || command.args.len() == 5;
    if command.args[0] == b"ZRANGE" && g.rng.percent(35) {
        command = command.arg(g.word("REV"));
    }
    if g.rng.percent(if by_score { 45 } else { 4 }) {
        command = limit(g, command);
    }
    if g.rng.percent(50) {
        command = command.arg(g.word("WITHSCORES"));
    }
    command
}

fn count(g: &mut Gen) -> Command {
    Command::new("ZCOUNT")
        .arg(g.sorted_key())
        .arg(bound(g))
        .arg(bound(g))
}

fn store_range(g: &mut Gen) -> Command {
    let mut command = Command::new("ZRANGESTORE")
        .arg(g.sorted_key())
        .arg(g.sorted_key());
    if g.rng.percent(50) {
        command = command.arg(g.index()).arg(g.index());
    } else {
        command = command.arg(bound(g)).arg(bound(g)).arg(g.word("BYSCORE"));
        if g.rng.percent(30) {
            command = limit(g, command);
        }
    }
    if g.rng.percent(30) {
        command = command.arg(g.word("REV"));
    }
    command
}

fn remove_range(g: &mut Gen) -> Command {
    if g.rng.percent(50) {
        return Command::new("ZREMRANGEBYRANK")
            .arg(g.sorted_key())
            .arg(g.index())
            .arg(g.index());
    }
    Command::new("ZREMRANGEBYSCORE")
        .arg(g.sorted_key())
        .arg(bound(g))
        .arg(bound(g))
}

fn pop(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["ZPOPMIN", "ZPOPMAX"]);
    let command = Command::new(name).arg(g.sorted_key());
    if g.rng.percent(45) {
        command.arg(g.int(0, 6))
    } else {
        command
    }
}

/// A count of keys, and as many keys; the count is wrong now and then.
fn counted_keys(g: &mut Gen, command: Command) -> Command {
    let count = 1 + g.rng.below(3);
    let named = if g.rng.percent(93) {
        count.to_string().into_bytes()
    } else {
        g.int(-1, 4)
    };
    let mut command = command.arg(named);
    for _ in 0..count {
        let key = if g.rng.percent(15) {
            g.set_key()
        } else {
            g.sorted_key()
        };
        command = command.arg(key);
    }
    command
}

fn pop_many(g: &mut Gen) -> Command {
    let command = counted_keys(g, Command::new("ZMPOP"));
    let command = command.arg(g.word_of(&["MIN", "MAX"]));
    if g.rng.percent(50) {
        command.arg(g.word("COUNT")).arg(g.int(1, 5))
    } else {
        command
    }
}

/// Blocking commands with a timeout of a millisecond: nobody can add meanwhile, so the reply is
/// what lies there, or nothing.
fn pop_without_waiting(g: &mut Gen) -> Command {
    const BAD: &[&str] = &["-1", "abc", "", "1e400", "nan", "inf", "9223372036854776"];
    let timeout = if g.rng.percent(15) {
        *g.rng.pick(BAD)
    } else {
        "0.001"
    };
    if g.rng.percent(40) {
        let popped = pop_many(g);
        let command = Command::new("BZMPOP").arg(timeout);
        return command.args(&popped.args[1..]).undamaged();
    }
    let mut command = Command::new(*g.rng.pick(&["BZPOPMIN", "BZPOPMAX"]));
    for _ in 0..=g.rng.below(3) {
        command = command.arg(g.sorted_key());
    }
    command.arg(timeout).undamaged()
}

fn combine(g: &mut Gen) -> Command {
    let name = *g.rng.pick(&["ZUNION", "ZINTER", "ZDIFF"]);
    let stores = g.rng.percent(50);
    let command = if stores {
        Command::new(format!("{name}STORE")).arg(g.sorted_key())
    } else {
        Command::new(name)
    };
    let mut command = counted_keys(g, command);
    let keys = command.args.len() - if stores { 3 } else { 2 };
    if g.rng.percent(if name == "ZDIFF" { 2 } else { 40 }) {
        command = command.arg(g.word("WEIGHTS"));
        for _ in 0..keys {
            command = command.arg(weight(g));
        }
    }
    if g.rng.percent(if name == "ZDIFF" { 2 } else { 45 }) {
        command = command.arg(g.word("AGGREGATE"));
        command = command.arg(g.word_of(&["SUM", "MIN", "MAX"]));
    }
    if g.rng.percent(if stores { 2 } else { 60 }) {
        command = command.arg(g.word("WITHSCORES"));
    }
    command
}

fn cardinality(g: &mut Gen) -> Command {
    let command = counted_keys(g, Command::new("ZINTERCARD"));
    if g.rng.percent(50) {
        command.arg(g.word("LIMIT")).arg(g.int(-1, 4))
    } else {
        command
    }
}

/// What is random only has a type; a count that is as large as the set gives all in order.
fn random(g: &mut Gen) -> Command {
    let command = Command::new("ZRANDMEMBER").arg(g.sorted_key());
    match g.rng.below(6) {
        0 => command.compared(Compare::Kind),
        1 => command
            .arg(g.rng.between(-5, 5).to_string())
            .compared(Compare::Kind),
        2..4 => command.arg("5000").arg(g.word("WITHSCORES")),
        4 => command.arg("5000"),
        _ => command
            .arg(g.int(0, 0))
            .arg(g.word("WITHSCORES"))
            .compared(Compare::Kind),
    }
    .undamaged()
}

/// Wide enough to end in one step.
fn scan(g: &mut Gen) -> Command {
    let mut command = Command::new("ZSCAN").arg(g.sorted_key()).arg("0");
    if g.rng.percent(10) {
        // After one that is out of range the oracle's SORT takes no number for one.
        let bad = *g.rng.pick(&["abc", "", "-", "1x"]);
        command.args[2] = bad.as_bytes().to_vec();
    }
    if g.rng.percent(50) {
        let pattern = *g
            .rng
            .pick(&["*", "m1*", "m?", "[^m]*", "v*", "x*", "*0", "m[1-3]"]);
        command = command.arg(g.word("MATCH")).arg(pattern);
    }
    if g.rng.percent(4) {
        command = command.arg(g.word_of(&["NOVALUES", "TYPE", "NOSCORES", "COUNT"]));
    }
    let command = command.arg(g.word("COUNT")).arg("100000");
    command.compared(Compare::ScanPage).undamaged()
}

/// Commands on sets whose scores are all the same: the only ones where ranges by member mean
/// anything.
fn by_member(g: &mut Gen) -> Command {
    let mut command = match g.rng.below(14) {
        0..3 => {
            let count = if g.rng.percent(5) { 150 } else { 4 };
            let mut command = Command::new("ZADD").arg(g.even_key());
            for _ in 0..=g.rng.below(count) {
                command = command.arg("0").arg(member(g));
            }
            return command.undamaged();
        }
        3..6 => Command::new("ZRANGEBYLEX").arg(g.even_key()),
        6..8 => Command::new("ZREVRANGEBYLEX").arg(g.even_key()),
        8 => {
            return Command::new("ZLEXCOUNT")
                .arg(g.even_key())
                .arg(lex_bound(g))
                .arg(lex_bound(g));
        }
        9 => {
            let command = Command::new("ZREMRANGEBYLEX").arg(g.even_key());
            return command.arg(lex_bound(g)).arg(lex_bound(g));
        }
        10..12 => Command::new("ZRANGE").arg(g.even_key()),
        12 => Command::new("ZRANGESTORE")
            .arg(g.sorted_key())
            .arg(g.even_key()),
        _ => return Command::new("ZREM").arg(g.even_key()).args(members(g)),
    };
    command = command.arg(lex_bound(g)).arg(lex_bound(g));
    if !command.args[0].ends_with(b"LEX") {
        command = command.arg(g.word("BYLEX"));
        if g.rng.percent(50) {
            command = command.arg(g.word("REV"));
        }
    }
    if g.rng.percent(40) {
        command = limit(g, command);
    }
    command
}
