//! Consumer groups: their making, reading through them, and what is pending.
//!
//! The clock decides nothing: claims ask for no idle time, or for more than a run lasts, and some
//! entries are told to have been idle for longer than that.

use super::Entry;
use super::streams::{bound, counted_ids, id, ids, reading_options, shuffled};
use crate::command::{Command, Compare};
use crate::vocabulary::Gen;

/// How far apart the two servers may be with what they say of times.
pub const SLACK_MS: i64 = 15_000;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (10, manage),
    (30, read),
    (10, acknowledge),
    (6, acknowledge_and_delete),
    (10, pending),
    (12, claim),
    (10, claim_due),
    (3, info),
];

/// The name of a group.
pub fn group(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(20) {
        0 => Vec::new(),
        1 => b"nosuch".to_vec(),
        2 => b"bin\x00\xff\r\n".to_vec(),
        _ => format!("g{}", g.rng.below(2)).into_bytes(),
    }
}

fn consumer(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(24) {
        0 => Vec::new(),
        1 => b"a consumer of a longer name, \xff".to_vec(),
        _ => format!("c{}", g.rng.below(3)).into_bytes(),
    }
}

fn min_idle(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(20) {
        0..=10 => b"0".to_vec(),
        11..=17 => b"50000000".to_vec(),
        18 => b"-5".to_vec(),
        _ => g.int(0, 0),
    }
}

fn manage(g: &mut Gen) -> Command {
    let manage = Command::new("XGROUP");
    let key = g.stream_key();
    let group = group(g);
    match g.rng.below(20) {
        0..=8 => {
            let at = start_of_group(g);
            let command = manage.arg(g.word("CREATE")).arg(key).arg(group).arg(at);
            let mut options = Vec::new();
            if g.rng.percent(60) {
                options.push(vec![g.word("MKSTREAM")]);
            }
            if g.rng.percent(25) {
                options.push(vec![g.word("ENTRIESREAD"), g.int(-1, 30)]);
            }
            shuffled(g, command, options)
        }
        9..=12 => {
            let at = start_of_group(g);
            let command = manage.arg(g.word("SETID")).arg(key).arg(group).arg(at);
            if g.rng.percent(35) {
                return command.arg(g.word("ENTRIESREAD")).arg(g.int(-1, 30));
            }
            command
        }
        13..=14 => destroy(g, manage, &key, &group),
        15..=16 => manage
            .arg(g.word("CREATECONSUMER"))
            .arg(key)
            .arg(group)
            .arg(consumer(g)),
        17..=18 => manage
            .arg(g.word("DELCONSUMER"))
            .arg(key)
            .arg(group)
            .arg(consumer(g)),
        _ => manage
            .arg(g.word_of(&["HELP", "NOSUCH", "CREATE"]))
            .compared(Compare::Kind),
    }
}

/// The group first counts as having read everything: Redis 8.2.3 would otherwise keep it in mind
/// for which entries are still to be read (docs/DIFFERENCES.md).
fn destroy(g: &mut Gen, manage: Command, key: &[u8], group: &[u8]) -> Command {
    let last = "18446744073709551615-18446744073709551615";
    let destroy = manage.clone().arg(g.word("DESTROY")).arg(key).arg(group);
    g.queued.push_back(destroy.undamaged());
    manage
        .arg("SETID")
        .arg(key)
        .arg(group)
        .arg(last)
        .undamaged()
}

fn start_of_group(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(10) {
        0..=3 => b"0".to_vec(),
        4..=6 => b"$".to_vec(),
        _ => id(g),
    }
}

fn read(g: &mut Gen) -> Command {
    let (mut options, blocks) = reading_options(g);
    options.push(vec![g.word("GROUP"), group(g), consumer(g)]);
    if g.rng.percent(12) {
        options.push(vec![g.word("NOACK")]);
    }
    let most = if g.rng.percent(25) { 3 } else { 1 };
    let count = 1 + g.rng.below(most);
    let mut command = shuffled(g, Command::new("XREADGROUP"), options).arg(g.word("STREAMS"));
    for _ in 0..count {
        command = command.arg(g.stream_key());
    }
    for _ in 0..count {
        command = if g.rng.percent(75) {
            command.arg(">")
        } else {
            command.arg(id(g))
        };
    }
    if blocks {
        return command.undamaged();
    }
    command
}

fn acknowledge(g: &mut Gen) -> Command {
    let command = Command::new("XACK").arg(g.stream_key()).arg(group(g));
    command.args(ids(g, 6))
}

fn acknowledge_and_delete(g: &mut Gen) -> Command {
    let command = Command::new("XACKDEL").arg(g.stream_key()).arg(group(g));
    counted_ids(g, command)
}

fn pending(g: &mut Gen) -> Command {
    let mut command = Command::new("XPENDING")
        .arg(g.stream_key())
        .arg(group(g))
        .compared(Compare::Clocked(SLACK_MS));
    if g.rng.percent(25) {
        return command;
    }
    if g.rng.percent(35) {
        command = command.arg(g.word("IDLE")).arg(min_idle(g));
    }
    let (start, end) = (bound(g, "-"), bound(g, "+"));
    command = command.arg(start).arg(end).arg(g.int(0, 12));
    if g.rng.percent(40) {
        command = command.arg(consumer(g));
    }
    command
}

fn claim(g: &mut Gen) -> Command {
    let command = Command::new("XCLAIM")
        .arg(g.stream_key())
        .arg(group(g))
        .arg(consumer(g))
        .arg(min_idle(g))
        .args(ids(g, 6));
    let mut options = Vec::new();
    if g.rng.percent(35) {
        let idle = *g
            .rng
            .pick(&["0", "100000000", "100000000", "-1", "1500000000"]);
        options.push(vec![g.word("IDLE"), idle.into()]);
    }
    if g.rng.percent(15) {
        let time = *g
            .rng
            .pick(&["0", "1000", "99999999999999", "-1", "1000000000000"]);
        options.push(vec![g.word("TIME"), time.into()]);
    }
    if g.rng.percent(25) {
        options.push(vec![g.word("RETRYCOUNT"), g.int(0, 9)]);
    }
    if g.rng.percent(40) {
        options.push(vec![g.word("FORCE")]);
    }
    if g.rng.percent(30) {
        options.push(vec![g.word("JUSTID")]);
    }
    if g.rng.percent(12) {
        options.push(vec![g.word("LASTID"), id(g)]);
    }
    shuffled(g, command, options)
}

fn claim_due(g: &mut Gen) -> Command {
    let start = match g.rng.below(10) {
        0..=4 => b"0".to_vec(),
        5 => b"-".to_vec(),
        _ => bound(g, "0-0"),
    };
    let command = Command::new("XAUTOCLAIM")
        .arg(g.stream_key())
        .arg(group(g))
        .arg(consumer(g))
        .arg(min_idle(g))
        .arg(start);
    let mut options = Vec::new();
    if g.rng.percent(55) {
        options.push(vec![g.word("COUNT"), g.int(1, 9)]);
    }
    if g.rng.percent(30) {
        options.push(vec![g.word("JUSTID")]);
    }
    shuffled(g, command, options)
}

fn info(g: &mut Gen) -> Command {
    let info = Command::new("XINFO").compared(Compare::Clocked(SLACK_MS));
    match g.rng.below(3) {
        0 => info.arg(g.word("GROUPS")).arg(g.stream_key()),
        1 => info
            .arg(g.word("CONSUMERS"))
            .arg(g.stream_key())
            .arg(group(g)),
        _ => info
            .arg(g.word("STREAM"))
            .arg(g.stream_key())
            .arg(g.word("FULL")),
    }
}
