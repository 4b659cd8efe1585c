//! Clients that wait for entries, alone or through a group, and others that add them, take the
//! group or the stream away, or disconnect them.
//!
//! Who waits through a group for several streams is sent to the end of all their lines by Redis
//! whenever one of them has nothing for him after all (docs/DIFFERENCES.md). So one client alone
//! does that, in a group in which nobody else waits; everybody else waits for one stream.

use super::blocking::{disturb, key, some_keys};
use super::streams::{id, new_id};
use super::{groups, streams};
use crate::command::{Command, Compare};
use crate::crowd::{Action, Crowd};
use crate::vocabulary::Gen;

/// The next action: of a client that does not wait, or a disconnection.
pub fn next_action(g: &mut Gen, crowd: &Crowd) -> Action {
    let (waiting, idle): (Vec<usize>, Vec<usize>) =
        (0..crowd.len()).partition(|&client| crowd.waits(client));
    if idle.is_empty() || (!waiting.is_empty() && g.rng.percent(3)) {
        return Action::Leave(*g.rng.pick(&waiting));
    }
    let client = *g.rng.pick(&idle);
    // The last idle client must not block, or nobody could wake the others.
    if idle.len() > 2 && g.rng.percent(45) {
        return Action::Send(client, vec![wait(g, client)]);
    }
    if g.rng.percent(12) {
        let mut commands = vec![Command::new("MULTI")];
        for _ in 0..=g.rng.below(4) {
            let inner = if g.rng.percent(20) {
                wait(g, client)
            } else {
                bring(g)
            };
            commands.push(inner);
        }
        commands.push(Command::new("EXEC"));
        return Action::Send(client, commands);
    }
    if g.rng.percent(8) {
        let commands = (0..=g.rng.below(4)).map(|_| bring(g)).collect();
        return Action::Send(client, commands);
    }
    let command = match g.rng.below(10) {
        0 => disturb(g, &waiting),
        1 => look(g),
        _ => bring(g),
    };
    Action::Send(client, vec![command])
}

/// The client that waits for several streams at once, and its group.
const ROAMER: usize = 7;
const ROAMERS: &str = "roamers";

fn group(g: &mut Gen) -> &'static str {
    match g.rng.below(9) {
        0..=3 => "g",
        4..=7 => "h",
        _ => ROAMERS,
    }
}

fn consumer(g: &mut Gen) -> &'static str {
    const NAMES: &[&str] = &["c", "d", "e"];
    NAMES[g.rng.below(NAMES.len())]
}

/// A blocking read; its time is far off, or so short that it runs out by itself.
fn wait(g: &mut Gen, client: usize) -> Command {
    let time = *g.rng.pick(&["0", "0", "0", "1000000", "3"]);
    let mut options = vec![vec![b"BLOCK".to_vec(), time.into()]];
    if g.rng.percent(40) {
        let count = g.rng.between(1, 2).to_string();
        options.push(vec![b"COUNT".to_vec(), count.into()]);
    }
    let through_group = g.rng.percent(60);
    let name = if through_group { "XREADGROUP" } else { "XREAD" };
    let mut keys = some_keys(g);
    if through_group {
        let group = if client == ROAMER {
            ROAMERS
        } else {
            keys.truncate(1);
            if g.rng.percent(50) { "g" } else { "h" }
        };
        let reader = [group, consumer(g)].map(|name| name.as_bytes().to_vec());
        options.push([&[b"GROUP".to_vec()], reader.as_slice()].concat());
        if g.rng.percent(20) {
            options.push(vec![b"NOACK".to_vec()]);
        }
    }
    let mut command = streams::shuffled(g, Command::new(name), options).arg("STREAMS");
    command = command.args(&keys);
    for _ in &keys {
        command = match g.rng.below(20) {
            _ if through_group && g.rng.percent(97) => command.arg(">"),
            0..=13 => command.arg("$"),
            14 => command.arg("+"),
            15 => command.arg("0"),
            _ => command.arg(id(g)),
        };
    }
    command
}

/// A command that may give waiters something, or take it from under them.
fn bring(g: &mut Gen) -> Command {
    match g.rng.below(24) {
        0..=8 => Command::new("XADD")
            .arg(key(g))
            .arg(new_id(g))
            .arg("field")
            .arg(format!("v{}", g.rng.below(1000))),
        9..=11 => {
            let at = *g.rng.pick(&["0", "$"]);
            let create = Command::words("XGROUP CREATE");
            create.arg(key(g)).arg(group(g)).arg(at).arg("MKSTREAM")
        }
        12 => Command::words("XGROUP DESTROY").arg(key(g)).arg(group(g)),
        13 => {
            let at = *g.rng.pick(&["0", "$", "0-1"]);
            Command::words("XGROUP SETID")
                .arg(key(g))
                .arg(group(g))
                .arg(at)
        }
        14 => Command::words("XGROUP DELCONSUMER")
            .arg(key(g))
            .arg(group(g))
            .arg(consumer(g)),
        15 => Command::new("DEL").args(some_keys(g)),
        16 => Command::new(*g.rng.pick(&["RENAME", "RENAMENX"]))
            .arg(key(g))
            .arg(key(g)),
        17 => Command::new("COPY").arg(key(g)).arg(key(g)).arg("REPLACE"),
        18 => match g.rng.below(4) {
            0 => Command::new("SET").arg(key(g)).arg("a string"),
            1 => Command::new("LPUSH").arg(key(g)).arg("v"),
            2 => Command::new("EXPIRE").arg(key(g)).arg("-1"),
            _ => Command::new("BLPOP").arg(key(g)).arg("0.001"),
        },
        19 => Command::new("XTRIM").arg(key(g)).arg("MAXLEN").arg("1"),
        20 => Command::new("XDEL").arg(key(g)).arg(id(g)).arg(id(g)),
        21 => Command::new("XACK").arg(key(g)).arg(group(g)).arg(id(g)),
        22 => {
            let due = Command::new("XAUTOCLAIM").arg(key(g)).arg(group(g));
            due.arg(consumer(g)).arg("0").arg("0").arg("COUNT").arg("3")
        }
        _ => Command::new("XSETID").arg(key(g)).arg(new_id(g)),
    }
}

/// What the readers have come to.
fn look(g: &mut Gen) -> Command {
    let clocked = Compare::Clocked(groups::SLACK_MS);
    match g.rng.below(5) {
        0 => Command::words("XINFO GROUPS").arg(key(g)).compared(clocked),
        1 => Command::words("XINFO CONSUMERS")
            .arg(key(g))
            .arg(group(g))
            .compared(clocked),
        2 => Command::words("XINFO STREAM")
            .arg(key(g))
            .arg("FULL")
            .compared(clocked),
        3 => Command::new("XPENDING")
            .arg(key(g))
            .arg(group(g))
            .args(["-", "+", "9"])
            .compared(clocked),
        _ => Command::new("XRANGE").arg(key(g)).args(["-", "+"]),
    }
}
