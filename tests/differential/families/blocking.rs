//! Clients that wait for messages, and others that bring them, rename, delete or disconnect them.

use crate::command::Command;
use crate::crowd::{Action, Crowd, id_of};
use crate::vocabulary::Gen;

/// Very few keys: chains of waiters must meet.
const KEYS: &[&str] = &["a", "b", "c", "d"];

/// Draws a command.
pub type Draw = fn(&mut Gen) -> Command;

/// The next action: of a client that does not wait, or a disconnection.
pub fn next_action(g: &mut Gen, crowd: &Crowd) -> Action {
    next_of(g, crowd, wait, bring)
}

/// The same with commands that wait, and commands that end the waiting, of another family.
pub fn next_of(g: &mut Gen, crowd: &Crowd, wait: Draw, bring: Draw) -> Action {
    let waiting: Vec<usize> = (0..crowd.len())
        .filter(|&client| crowd.waits(client))
        .collect();
    let idle: Vec<usize> = (0..crowd.len())
        .filter(|&client| !crowd.waits(client))
        .collect();
    if idle.is_empty() || (!waiting.is_empty() && g.rng.percent(4)) {
        return Action::Leave(*g.rng.pick(&waiting));
    }
    let client = *g.rng.pick(&idle);
    // The last idle client must not block, or nobody could wake the others.
    if idle.len() > 2 && g.rng.percent(45) {
        return Action::Send(client, vec![wait(g)]);
    }
    if g.rng.percent(12) {
        let mut commands = vec![Command::new("MULTI")];
        for _ in 0..=g.rng.below(4) {
            let inner = if g.rng.percent(15) { wait(g) } else { bring(g) };
            commands.push(inner);
        }
        commands.push(Command::new(if g.rng.percent(90) {
            "EXEC"
        } else {
            "DISCARD"
        }));
        return Action::Send(client, commands);
    }
    if g.rng.percent(8) {
        // Pipelined, without MULTI: each is served before the next.
        let commands = (0..=g.rng.below(4)).map(|_| bring(g)).collect();
        return Action::Send(client, commands);
    }
    let command = if g.rng.percent(80) {
        bring(g)
    } else {
        disturb(g, &waiting)
    };
    Action::Send(client, vec![command])
}

/// One of the few keys.
pub fn key(g: &mut Gen) -> &'static str {
    KEYS[g.rng.below(KEYS.len())]
}

fn side(g: &mut Gen) -> &'static str {
    if g.rng.percent(50) { "LEFT" } else { "RIGHT" }
}

/// Some of them.
pub fn some_keys(g: &mut Gen) -> Vec<&'static str> {
    (0..=g.rng.below(3)).map(|_| key(g)).collect()
}

/// A blocking command; its timeout is far off, or so short that it runs out by itself.
pub fn wait(g: &mut Gen) -> Command {
    let timeout = *g.rng.pick(&["0", "0", "0", "0.0", "1000", "5000.5"]);
    match g.rng.below(10) {
        0..=2 => Command::new("BLPOP").args(some_keys(g)).arg(timeout),
        3..=4 => Command::new("BRPOP").args(some_keys(g)).arg(timeout),
        5..=6 => Command::new("BLMOVE")
            .arg(key(g))
            .arg(key(g))
            .arg(side(g))
            .arg(side(g))
            .arg(timeout),
        7 => Command::new("BRPOPLPUSH")
            .arg(key(g))
            .arg(key(g))
            .arg(timeout),
        _ => {
            let keys = some_keys(g);
            let count = keys.len().to_string();
            let command = Command::new("BLMPOP")
                .arg(timeout)
                .arg(count)
                .args(keys)
                .arg(side(g));
            if g.rng.percent(60) {
                let most = g.rng.between(1, 3).to_string();
                command.arg("COUNT").arg(most)
            } else {
                command
            }
        }
    }
}

/// A command that may give waiters something, or take it from under them.
pub fn bring(g: &mut Gen) -> Command {
    let values: Vec<String> = (0..=g.rng.below(3))
        .map(|_| format!("v{}", g.rng.below(1000)))
        .collect();
    match g.rng.below(20) {
        0..=5 => Command::new(*g.rng.pick(&["RPUSH", "LPUSH"]))
            .arg(key(g))
            .args(values),
        6 => Command::new(*g.rng.pick(&["RPUSHX", "LPUSHX"]))
            .arg(key(g))
            .args(values),
        7..=8 => Command::new("LMOVE")
            .arg(key(g))
            .arg(key(g))
            .arg(side(g))
            .arg(side(g)),
        9 if g.rng.percent(50) => Command::new("WATCH").args(some_keys(g)),
        9 => Command::new("RPOPLPUSH").arg(key(g)).arg(key(g)),
        10 => Command::new(*g.rng.pick(&["LPOP", "RPOP"])).arg(key(g)),
        11 => Command::new("DEL").args(some_keys(g)),
        12..=13 => Command::new(*g.rng.pick(&["RENAME", "RENAMENX"]))
            .arg(key(g))
            .arg(key(g)),
        14 => {
            let command = Command::new("COPY").arg(key(g)).arg(key(g));
            if g.rng.percent(50) {
                command.arg("REPLACE")
            } else {
                command
            }
        }
        15 => Command::new("SET").arg(key(g)).arg("a string"),
        16 => Command::new("LRANGE").arg(key(g)).arg("0").arg("-1"),
        17 => Command::new("LINSERT")
            .arg(key(g))
            .arg("BEFORE")
            .arg("v1")
            .arg("v2"),
        18 => Command::new("LTRIM").arg(key(g)).arg("1").arg("0"),
        _ => Command::new("LMPOP")
            .arg("2")
            .arg(key(g))
            .arg(key(g))
            .arg(side(g)),
    }
}

/// Things that happen to waiters from outside, or to whole databases.
pub fn disturb(g: &mut Gen, waiting: &[usize]) -> Command {
    match g.rng.below(12) {
        0..=4 if !waiting.is_empty() => {
            let command = Command::new("CLIENT")
                .arg("UNBLOCK")
                .arg(id_of(*g.rng.pick(waiting)));
            match g.rng.below(4) {
                0 => command.arg("TIMEOUT"),
                1 => command.arg("ERROR"),
                _ => command,
            }
        }
        5 if !waiting.is_empty() => Command::new("CLIENT")
            .arg("KILL")
            .arg("ID")
            .arg(id_of(*g.rng.pick(waiting))),
        6 => Command::new("FLUSHALL"),
        // Redis serves the keys that a swap brings in the order of a hash table.
        7 if waiting.len() < 2 => Command::new("SWAPDB").arg("0").arg("1"),
        8 => Command::new("SELECT").arg(*g.rng.pick(&["0", "0", "1"])),
        9 => Command::new("MOVE")
            .arg(key(g))
            .arg(*g.rng.pick(&["0", "1"])),
        10 => Command::new("COPY")
            .arg(key(g))
            .arg(key(g))
            .arg("DB")
            .arg("1")
            .arg("REPLACE"),
        _ => Command::new("BLPOP").arg(key(g)).arg("0.001"),
    }
}
