//! Streams as logs: entries in, ranges out, deletion, trimming; and what happens to their keys.
//!
//! Both servers must give the same ids, so entries come with ids of growing milliseconds. Where the
//! server is to choose, an entry of the far future comes first: the choice is then the id after it.

use super::{Entry, groups};
use crate::command::{Command, Compare};
use crate::fit::is_fit;
use crate::vocabulary::Gen;

/// What a round of the test begins with: the sizes of nodes. That in bytes stays, because a
/// redis-server of 8.2.3 fails an assertion where it changes under a stream.
pub fn opening(g: &mut Gen) -> [Command; 2] {
    let bytes = *g
        .rng
        .pick(&["0", "64", "300", "1000", "4096", "4096", "4096"]);
    [
        "stream-node-max-entries 100",
        &format!("stream-node-max-bytes {bytes}"),
    ]
    .map(|setting| Command::words("CONFIG SET").args(setting.split(' ')))
}

/// Milliseconds beyond any clock's.
const FAR_MS: u64 = 99_999_999_999_999;

/// Ids at and past the edges, and things that are no ids.
const ODD_IDS: &[&str] = &[
    "18446744073709551615-18446744073709551615",
    "18446744073709551615",
    "18446744073709551615-*",
    "18446744073709551616",
    "0-0",
    "0-1",
    "0-*",
    "0",
    "-",
    "+",
    "$",
    ">",
    "(5",
    "5-*",
    "",
    "abc",
    "1-",
    "-1",
    "1-1-1",
    "1-abc",
    "01-01",
    "+1-1",
    "1- 1",
    "1--1",
    "1-18446744073709551616",
];

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (40, add),
    (3, |g| Command::new("XLEN").arg(g.stream_key())),
    (10, range),
    (5, delete),
    (6, delete_with_references),
    (8, |g| {
        let command = Command::new("XTRIM").arg(g.stream_key());
        trimming(g, command)
    }),
    (9, read),
    (3, set_id),
    (5, info),
    (8, on_the_key),
    (3, transaction),
    (1, settings),
];

/// An id that was given out lately, as a rule.
pub fn id(g: &mut Gen) -> Vec<u8> {
    let lately = g.newest_ms - u64::try_from(g.rng.between(0, 60)).unwrap_or(0);
    match g.rng.below(100) {
        0..=59 => format!("{lately}-{}", g.rng.below(2)).into_bytes(),
        60..=74 => lately.to_string().into_bytes(),
        75..=87 => far_id(g),
        88..=93 => b"0".to_vec(),
        _ => g.rng.pick(ODD_IDS).as_bytes().to_vec(),
    }
}

fn far_id(g: &mut Gen) -> Vec<u8> {
    format!("{FAR_MS}-{}", g.rng.below(60)).into_bytes()
}

/// Some ids.
pub fn ids(g: &mut Gen, most: usize) -> Vec<Vec<u8>> {
    (0..=g.rng.below(most)).map(|_| id(g)).collect()
}

/// The end of a range.
pub fn bound(g: &mut Gen, open: &str) -> Vec<u8> {
    match g.rng.below(10) {
        0..=4 => open.as_bytes().to_vec(),
        5 => [b"(", id(g).as_slice()].concat(),
        _ => id(g),
    }
}

/// An id for a new entry: mostly beyond all before it.
pub fn new_id(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(100) {
        0..=64 => {
            g.newest_ms += 1 + u64::from(g.rng.percent(20)) * g.rng.below(300) as u64;
            format!("{}-{}", g.newest_ms, g.rng.below(2)).into_bytes()
        }
        65..=79 => {
            g.newest_ms += g.rng.below(2) as u64;
            format!("{}-*", g.newest_ms).into_bytes()
        }
        80..=89 => {
            g.newest_ms += 1;
            g.newest_ms.to_string().into_bytes()
        }
        90..=93 => format!("{FAR_MS}-*").into_bytes(),
        _ => id(g),
    }
}

/// Fields and values; the same fields for the most part.
fn pairs(g: &mut Gen) -> Vec<Vec<u8>> {
    const FIELDS: &[&[u8]] = &[b"field", b"name", b"", b"a longer name of a field"];
    if g.rng.percent(70) {
        return vec![b"field".to_vec(), g.value()];
    }
    let mut pairs = Vec::new();
    for _ in 0..=g.rng.below(4) {
        pairs.push(g.rng.pick(FIELDS).to_vec());
        pairs.push(g.value());
    }
    pairs
}

fn add(g: &mut Gen) -> Command {
    let key = g.stream_key();
    let mut command = Command::new("XADD").arg(&key);
    if g.rng.percent(8) {
        command = command.arg(g.word("NOMKSTREAM"));
    }
    if g.rng.percent(25) {
        command = trimming(g, command);
    }
    if g.rng.percent(3) {
        command = command.arg(g.word("NOMKSTREAM"));
    }
    if g.rng.percent(90) {
        let id = new_id(g);
        return command.arg(id).args(pairs(g));
    }
    // The entry of the far future makes sure of the key, too.
    let chosen = command.arg("*").args(pairs(g)).undamaged();
    g.queued.push_back(chosen);
    let first = Command::new("XADD").arg(&key).arg(far_id(g));
    first.args(pairs(g)).undamaged()
}

/// MAXLEN or MINID and all that goes with them, now and then what does not.
fn trimming(g: &mut Gen, mut command: Command) -> Command {
    const STRATEGIES: &[&str] = &["KEEPREF", "DELREF", "ACKED"];
    let sign = *g.rng.pick(&["", "", "=", "~", "~", "~"]);
    let strategies = if sign == "~" {
        &["KEEPREF"]
    } else {
        STRATEGIES
    };
    let early = g.rng.percent(10);
    if early {
        command = command.arg(g.word_of(strategies));
    }
    let by_len = g.rng.percent(65);
    command = command.arg(g.word(if by_len { "MAXLEN" } else { "MINID" }));
    if !sign.is_empty() {
        command = command.arg(sign);
    }
    command = if by_len {
        let most = if g.rng.percent(50) { 6 } else { 60 };
        let len = g.int(0, most);
        command.arg(len)
    } else {
        command.arg(id(g))
    };
    if g.rng.percent(if sign == "~" { 35 } else { 3 }) {
        command = command.arg(g.word("LIMIT")).arg(g.int(0, 30));
    }
    if !early && g.rng.percent(30) {
        command = command.arg(g.word_of(strategies));
    }
    if g.rng.percent(2) {
        command = command
            .arg(g.word_of(&["MAXLEN", "MINID", "LIMIT"]))
            .arg("3");
    }
    command
}

fn range(g: &mut Gen) -> Command {
    let reverse = g.rng.percent(40);
    let name = if reverse { "XREVRANGE" } else { "XRANGE" };
    let mut ends = [bound(g, "-"), bound(g, "+")];
    if reverse {
        ends.reverse();
    }
    let command = Command::new(name).arg(g.stream_key()).args(ends);
    if g.rng.percent(50) {
        command.arg(g.word("COUNT")).arg(g.int(0, 12))
    } else {
        command
    }
}

fn delete(g: &mut Gen) -> Command {
    Command::new("XDEL").arg(g.stream_key()).args(ids(g, 5))
}

fn delete_with_references(g: &mut Gen) -> Command {
    let command = Command::new("XDELEX").arg(g.stream_key());
    counted_ids(g, command)
}

/// `[KEEPREF | DELREF | ACKED] IDS numids id [id ...]`
pub fn counted_ids(g: &mut Gen, mut command: Command) -> Command {
    if g.rng.percent(75) {
        command = command.arg(g.word_of(&["KEEPREF", "DELREF", "ACKED", "ACKED"]));
    }
    let ids = ids(g, 5);
    let count = if g.rng.percent(92) {
        ids.len().to_string().into_bytes()
    } else {
        g.int(-1, 7)
    };
    command = command.arg(g.word("IDS")).arg(count).args(ids);
    if g.rng.percent(3) {
        command = command.arg(g.word("ACKED"));
    }
    command
}

/// Options in any order.
pub fn shuffled(g: &mut Gen, mut command: Command, mut options: Vec<Vec<Vec<u8>>>) -> Command {
    while !options.is_empty() {
        command = command.args(options.swap_remove(g.rng.below(options.len())));
    }
    command
}

/// COUNT and BLOCK, one millisecond: nobody can add meanwhile, so the reply is what is there.
pub fn reading_options(g: &mut Gen) -> (Vec<Vec<Vec<u8>>>, bool) {
    const BAD_TIMES: &[&str] = &["-1", "abc", "", "1.5", "9223372036854775807"];
    let mut options = Vec::new();
    if g.rng.percent(50) {
        options.push(vec![g.word("COUNT"), g.int(0, 8)]);
    }
    let blocks = g.rng.percent(12);
    if blocks {
        let time = if g.rng.percent(20) {
            *g.rng.pick(BAD_TIMES)
        } else {
            "1"
        };
        options.push(vec![g.word("BLOCK"), time.as_bytes().to_vec()]);
    }
    (options, blocks)
}

fn read(g: &mut Gen) -> Command {
    let (options, blocks) = reading_options(g);
    let count = 1 + g.rng.below(3);
    let mut command = shuffled(g, Command::new("XREAD"), options).arg(g.word("STREAMS"));
    for _ in 0..count {
        command = command.arg(g.stream_key());
    }
    for _ in 0..count {
        command = match g.rng.below(10) {
            0 => command.arg("$"),
            1 => command.arg("+"),
            _ => command.arg(id(g)),
        };
    }
    if blocks {
        return command.undamaged();
    }
    command
}

fn set_id(g: &mut Gen) -> Command {
    let id = new_id(g);
    let mut options = Vec::new();
    if g.rng.percent(35) {
        options.push(vec![g.word("ENTRIESADDED"), g.int(0, 400)]);
    }
    if g.rng.percent(35) {
        options.push(vec![g.word("MAXDELETEDID"), self::id(g)]);
    }
    let command = Command::new("XSETID").arg(g.stream_key()).arg(id);
    shuffled(g, command, options)
}

fn info(g: &mut Gen) -> Command {
    let info = Command::new("XINFO").compared(Compare::Clocked(groups::SLACK_MS));
    match g.rng.below(12) {
        0..=4 => info.arg(g.word("STREAM")).arg(g.stream_key()),
        5..=7 => {
            let full = info.arg(g.word("STREAM")).arg(g.stream_key());
            let full = full.arg(g.word("FULL"));
            if g.rng.percent(60) {
                full.arg(g.word("COUNT")).arg(g.int(0, 12))
            } else {
                full
            }
        }
        8..=9 => info.arg(g.word("GROUPS")).arg(g.stream_key()),
        10 => info
            .arg(g.word("CONSUMERS"))
            .arg(g.stream_key())
            .arg(groups::group(g)),
        _ => info
            .arg(g.word_of(&["HELP", "NOSUCH", "STREAM"]))
            .compared(Compare::Kind),
    }
}

/// Commands on keys of any type, where there is a stream.
fn on_the_key(g: &mut Gen) -> Command {
    let key = g.stream_key();
    match g.rng.below(16) {
        0..=3 => {
            let command = Command::new("COPY").arg(key).arg(g.stream_key());
            if g.rng.percent(75) {
                command.arg(g.word("REPLACE"))
            } else {
                command
            }
        }
        4..=5 => {
            let name = *g.rng.pick(&["RENAME", "RENAMENX"]);
            Command::new(name).arg(key).arg(g.stream_key())
        }
        6 => Command::new("DEL").arg(key),
        7 => Command::new("TYPE").arg(key),
        8 => Command::words("OBJECT ENCODING")
            .arg(key)
            .compared(Compare::Encoding),
        9 => Command::new("EXPIRE").arg(key).arg("100000"),
        10 => Command::new("TTL").arg(key).compared(Compare::Within(3)),
        11 => Command::new("PERSIST").arg(key),
        12 => Command::words("MEMORY USAGE")
            .arg(key)
            .compared(Compare::Kind),
        13 => Command::new("EXPIRE").arg(key).arg("-1"),
        14 => Command::new("LPUSH").arg(key).arg("x"),
        _ => Command::new("MOVE").arg(key).arg("1"),
    }
}

/// A transaction; now and then with a watched key, or refused for what it holds.
fn transaction(g: &mut Gen) -> Command {
    let mut commands = Vec::new();
    if g.rng.percent(15) {
        commands.push(Command::new("WATCH").arg(g.stream_key()));
        if g.rng.percent(50) {
            commands.push(delete(g));
        }
    }
    commands.push(Command::new("MULTI").undamaged());
    for _ in 0..=g.rng.below(6) {
        let tables = [COMMANDS, groups::COMMANDS];
        let table = *g.rng.pick(&tables);
        let entry = g.rng.weighted(table.iter().map(|(weight, _)| *weight));
        let waiting = std::mem::take(&mut g.queued);
        let mut command = table[entry].1(g);
        if command.damageable && g.rng.percent(3) {
            g.damage(&mut command);
        }
        let name = command.args[0].to_ascii_uppercase();
        let nested = matches!(name.as_slice(), b"MULTI" | b"WATCH");
        let loose = !matches!(command.compare, Compare::Exact | Compare::Clocked(_));
        if nested || loose || !is_fit(&command) {
            g.queued = waiting;
            continue;
        }
        // An answer that is QUEUED compares as bytes; EXEC's is compared as a whole.
        commands.push(command);
        commands.append(&mut g.queued.drain(..).collect());
        g.queued = waiting;
    }
    let end = if g.rng.percent(95) { "EXEC" } else { "DISCARD" };
    commands.push(
        Command::new(end)
            .compared(Compare::Clocked(groups::SLACK_MS))
            .undamaged(),
    );
    let first = commands.remove(0).undamaged();
    g.queued.extend(commands);
    first
}

/// Small nodes make approximate trims interesting.
fn settings(g: &mut Gen) -> Command {
    let set = Command::words("CONFIG SET").undamaged();
    let entries = *g.rng.pick(&["0", "1", "2", "3", "5", "10", "100"]);
    set.arg("stream-node-max-entries").arg(entries)
}
