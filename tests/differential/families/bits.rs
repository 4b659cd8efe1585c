//! Bits of strings. Offsets stay small: a far one makes a string of half a gigabyte.

use super::Entry;
use crate::command::Command;
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (12, set),
    (6, |g| {
        Command::new("GETBIT").arg(g.string_key()).arg(offset(g))
    }),
    (10, |g| ranged(g, "BITCOUNT", &[])),
    (10, |g| {
        let bit = *g.rng.pick(&["0", "1", "0", "1", "2", "x"]);
        ranged(g, "BITPOS", &[bit])
    }),
    (10, combine),
    (20, fields),
    (12, count_distinct),
    (3, |g| Command::new("GET").arg(g.string_key())),
    (3, |g| {
        Command::new("SET").arg(g.string_key()).arg(g.value())
    }),
    (1, |g| Command::new("DEL").arg(g.string_key())),
];

fn offset(g: &mut Gen) -> Vec<u8> {
    if g.rng.percent(95) {
        let far = if g.rng.percent(90) { 60 } else { 3000 };
        return g.rng.between(0, far).to_string().into_bytes();
    }
    let odd = *g.rng.pick(&[
        "-1",
        "x",
        "",
        "4294967296",
        "01",
        "9223372036854775808",
        "#1",
    ]);
    odd.as_bytes().to_vec()
}

fn set(g: &mut Gen) -> Command {
    let bit = *g.rng.pick(&["0", "1", "0", "1", "0", "1", "2", "x", "-1"]);
    Command::new("SETBIT")
        .arg(g.string_key())
        .arg(offset(g))
        .arg(bit)
        .undamaged()
}

fn ranged(g: &mut Gen, name: &str, before: &[&str]) -> Command {
    let mut command = Command::new(name).arg(g.string_key()).args(before);
    for _ in 0..g.rng.below(3) {
        command = command.arg(g.int(-20, 20));
    }
    if g.rng.percent(30) {
        command = command
            .arg(g.int(-20, 20))
            .arg(g.word_of(&["BIT", "BIT", "BYTE", "NIBBLE"]));
    }
    command
}

fn combine(g: &mut Gen) -> Command {
    let operation = g.word_of(&[
        "AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE", "NAND",
    ]);
    let mut command = Command::new("BITOP").arg(operation).arg(g.string_key());
    for _ in 0..=g.rng.below(3) {
        command = command.arg(g.string_key());
    }
    command
}

/// Elements to count. What such a string looks like inside is each server's own, so it has
/// keys that nothing else reads.
fn count_distinct(g: &mut Gen) -> Command {
    let key = |g: &mut Gen| format!("pf{}", g.rng.below(4));
    let command = match g.rng.below(10) {
        0..=4 => {
            let from = g.rng.below(40_000);
            let most = if g.rng.percent(20) { 3000 } else { 4 };
            let to = from + g.rng.below(most);
            Command::new("PFADD")
                .arg(key(g))
                .args((from..to).map(|index| format!("element {index}")))
        }
        5..=7 => {
            let mut command = Command::new("PFCOUNT").arg(key(g));
            for _ in 0..g.rng.below(3) {
                command = command.arg(key(g));
            }
            command
        }
        8 => {
            let mut command = Command::new("PFMERGE").arg(key(g));
            for _ in 0..g.rng.below(3) {
                command = command.arg(if g.rng.percent(5) {
                    g.string_key()
                } else {
                    key(g).into_bytes()
                });
            }
            command
        }
        _ => Command::new("DEL").arg(key(g)),
    };
    command.undamaged()
}

fn fields(g: &mut Gen) -> Command {
    let name = if g.rng.percent(85) {
        "BITFIELD"
    } else {
        "BITFIELD_RO"
    };
    let mut command = Command::new(name).arg(g.string_key());
    for _ in 0..g.rng.below(4) {
        let sign = *g.rng.pick(&["u", "i"]);
        let kind = if g.rng.percent(95) {
            format!("{sign}{}", g.rng.between(1, 63))
        } else {
            (*g.rng
                .pick(&["u64", "i64", "u0", "i65", "x8", "", "u", "u08"]))
            .to_owned()
        };
        let offset = match g.rng.below(4) {
            0 => format!("#{}", g.rng.below(6)).into_bytes(),
            _ => offset(g),
        };
        let word = g.word_of(&[
            "GET", "SET", "INCRBY", "OVERFLOW", "GET", "SET", "INCRBY", "FOO",
        ]);
        if word.eq_ignore_ascii_case(b"OVERFLOW") {
            command = command
                .arg(word)
                .arg(g.word_of(&["WRAP", "SAT", "FAIL", "NO"]));
            continue;
        }
        let is_get = word.eq_ignore_ascii_case(b"GET");
        command = command.arg(word).arg(kind).arg(offset);
        if !is_get {
            command = command.arg(match g.rng.below(3) {
                0 => g.int(-300, 300),
                1 => g.int(-4_000_000_000_000_000_000, 4_000_000_000_000_000_000),
                _ => g.int(-40_000, 70_000),
            });
        }
    }
    command.undamaged()
}
