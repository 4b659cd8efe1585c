//! Clients that wait for members of sorted sets, and now and then for messages at the same keys.

use super::blocking::{self, key, next_of};
use crate::command::Command;
use crate::crowd::{Action, Crowd};
use crate::vocabulary::Gen;

/// The next action: of a client that does not wait, or a disconnection.
pub fn next_action(g: &mut Gen, crowd: &Crowd) -> Action {
    next_of(g, crowd, wait, bring)
}

/// Keys that only ever hold sorted sets: what is stored over a key of another type serves those who
/// wait for it, but not in Redis (docs/DIFFERENCES.md).
const TARGETS: &[&str] = &["p", "q"];

fn target(g: &mut Gen) -> &'static str {
    TARGETS[g.rng.below(TARGETS.len())]
}

fn some_keys(g: &mut Gen) -> Vec<&'static str> {
    let any = |g: &mut Gen| {
        if g.rng.percent(40) { target(g) } else { key(g) }
    };
    (0..=g.rng.below(3)).map(|_| any(g)).collect()
}

fn side(g: &mut Gen) -> &'static str {
    if g.rng.percent(50) { "MIN" } else { "MAX" }
}

/// A blocking command; its timeout is far off.
fn wait(g: &mut Gen) -> Command {
    let timeout = *g.rng.pick(&["0", "0", "0.0", "1000", "5000.5"]);
    match g.rng.below(10) {
        0..=3 => Command::new("BZPOPMIN").args(some_keys(g)).arg(timeout),
        4..=5 => Command::new("BZPOPMAX").args(some_keys(g)).arg(timeout),
        6 => blocking::wait(g),
        _ => {
            let keys = some_keys(g);
            let command = Command::new("BZMPOP")
                .arg(timeout)
                .arg(keys.len().to_string());
            let command = command.args(keys).arg(side(g));
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
fn bring(g: &mut Gen) -> Command {
    let score = g.rng.between(-3, 3).to_string();
    let member = format!("m{}", g.rng.below(6));
    let command = match g.rng.below(20) {
        0..=4 => {
            let mut command = Command::new("ZADD").arg(key(g)).arg(score).arg(member);
            while g.rng.percent(40) {
                command = command.arg(g.rng.between(-3, 3).to_string());
                command = command.arg(format!("m{}", g.rng.below(6)));
            }
            return command;
        }
        5 => Command::new("ZADD").arg(target(g)),
        6 => Command::new("ZADD").arg(key(g)).arg("XX"),
        7 => Command::new("ZADD").arg(key(g)).arg("INCR"),
        8 => Command::new("ZINCRBY").arg(key(g)),
        9..=10 => {
            let name = *g.rng.pick(&["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"]);
            let command = Command::new(name).arg(target(g)).arg("2");
            return command.arg(key(g)).arg(target(g));
        }
        11 => {
            let command = Command::new("ZRANGESTORE").arg(target(g)).arg(key(g));
            return command.arg("0").arg("-2");
        }
        12 => return Command::new(*g.rng.pick(&["ZPOPMIN", "ZPOPMAX"])).arg(key(g)),
        13 => return Command::new("ZREM").arg(key(g)).arg(member),
        14 => {
            let command = Command::new("ZMPOP").arg("2").arg(key(g));
            return command.arg(target(g)).arg(side(g));
        }
        15 => return Command::new("DEL").args(some_keys(g)),
        16 => {
            let command = Command::new("ZRANGE").arg(target(g)).arg("0").arg("-1");
            return command.arg("WITHSCORES");
        }
        _ => return blocking::bring(g),
    };
    command.arg(score).arg(member)
}
