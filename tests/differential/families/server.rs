//! The server's own commands: facts about itself, settings, the command table.

use super::Entry;
use crate::command::{Command, Compare};
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (4, info),
    (6, config),
    (10, command),
    (2, |_| Command::new("TIME").compared(Compare::Kind)),
    (1, |_| Command::new("ROLE").compared(Compare::Kind)),
    (1, |_| Command::new("LASTSAVE").compared(Compare::Kind)),
    (1, |_| Command::new("LOLWUT").compared(Compare::Kind)),
    (1, |_| Command::words("REPLICAOF NO ONE").undamaged()),
    (3, slow_log),
    (3, latency),
    (3, memory),
    (2, pubsub_facts),
    (2, |g| {
        Command::new(*g.rng.pick(&["PUBLISH", "SPUBLISH"]))
            .arg("nobody")
            .arg(g.value())
    }),
    (1, |g| {
        Command::new("DEBUG")
            .arg(*g.rng.pick(&["JMAP", "NOSUCH"]))
            .compared(Compare::Kind)
    }),
];

fn info(g: &mut Gen) -> Command {
    const SECTIONS: &[&str] = &[
        "server",
        "clients",
        "memory",
        "Stats",
        "all",
        "everything",
        "default",
        "nosuch",
        "",
    ];
    let mut info = Command::new("INFO").compared(Compare::Kind);
    for _ in 0..g.rng.below(3) {
        info = info.arg(*g.rng.pick(SECTIONS));
    }
    info
}

fn config(g: &mut Gen) -> Command {
    const NAMES: &[&str] = &[
        "maxmemory",
        "maxclients",
        "timeout",
        "port",
        "save",
        "appendonly",
        "databases",
        "bind",
        "maxmemory-policy",
        "tcp-keepalive",
        "nosuch",
        "slowlog-log-slower-than",
        "MaxClients",
    ];
    let config = Command::new(g.word("CONFIG"));
    // Damage could ask for all names by a glob, and each server has its own.
    match g.rng.below(8) {
        0..=2 => config
            .arg("GET")
            .arg(*g.rng.pick(NAMES))
            .compared(Compare::Names)
            .undamaged(),
        3 => config
            .arg("GET")
            .arg(*g.rng.pick(NAMES))
            .arg(*g.rng.pick(NAMES))
            .compared(Compare::Names)
            .undamaged(),
        4 => config.arg("SET").arg("nosuch").arg(g.value()).undamaged(),
        5 => config
            .arg("SET")
            .arg("slowlog-max-len")
            .arg(g.int(1, 200))
            .undamaged(),
        6 => config.arg("RESETSTAT"),
        _ => config.arg("NOSUCH"),
    }
}

/// Names whose place in the table both servers know.
const KNOWN: &[&str] = &[
    "get",
    "SET",
    "lpush",
    "rpop",
    "blpop",
    "brpoplpush",
    "blmove",
    "lmpop",
    "blmpop",
    "linsert",
    "lpos",
    "mget",
    "mset",
    "msetnx",
    "del",
    "exists",
    "rename",
    "copy",
    "expire",
    "pexpireat",
    "object",
    "scan",
    "keys",
    "subscribe",
    "publish",
    "ping",
    "hello",
    "select",
    "client",
    "config",
    "info",
    "append",
    "getex",
    "getdel",
    "lcs",
    "incrbyfloat",
    "swapdb",
    "move",
    "type",
    "nosuch",
    "flushall",
    "dbsize",
    "lrange",
    "ltrim",
    "lrem",
    "lset",
    "lindex",
    "llen",
    "rpoplpush",
    "lmove",
];

fn command(g: &mut Gen) -> Command {
    let command = Command::new(g.word("COMMAND"));
    match g.rng.below(12) {
        0 => command.arg("COUNT").compared(Compare::Kind).undamaged(),
        1 => command.arg("LIST").compared(Compare::Kind).undamaged(),
        2 => command
            .arg("DOCS")
            .arg(*g.rng.pick(KNOWN))
            .compared(Compare::Kind)
            .undamaged(),
        3..=6 => {
            let mut command = command.arg("INFO").compared(Compare::CommandInfo);
            for _ in 0..=g.rng.below(3) {
                command = command.arg(*g.rng.pick(KNOWN));
            }
            command.undamaged()
        }
        7..=10 => {
            let name = if g.rng.percent(40) {
                "GETKEYSANDFLAGS"
            } else {
                "GETKEYS"
            };
            let mut inner = keyed(g);
            // Redis reads a damaged count as atoi does.
            if g.rng.percent(10) && !inner.args[0].ends_with(b"MPOP") {
                g.damage(&mut inner);
            }
            command.arg(name).args(inner.args).undamaged()
        }
        _ => command.arg("NOSUCH").undamaged(),
    }
}

/// A command to ask the keys of.
fn keyed(g: &mut Gen) -> Command {
    match g.rng.below(12) {
        0 => Command::new("GET").arg(g.key()),
        1 => Command::new("SET").arg(g.key()).arg(g.value()),
        2 => Command::new("MSET")
            .arg(g.key())
            .arg("a")
            .arg(g.key())
            .arg("b"),
        3 => Command::new("BLPOP").arg(g.key()).arg(g.key()).arg("0"),
        4 => Command::new("LMPOP")
            .arg("2")
            .arg(g.key())
            .arg(g.key())
            .arg("LEFT"),
        5 => Command::new("BLMPOP")
            .arg("0")
            .arg("1")
            .arg(g.key())
            .arg("LEFT"),
        6 => Command::new("LMOVE")
            .arg(g.key())
            .arg(g.key())
            .arg("LEFT")
            .arg("RIGHT"),
        7 => Command::new("COPY").arg(g.key()).arg(g.key()),
        8 => Command::new("PING"),
        9 => Command::new("OBJECT")
            .arg("ENCODING")
            .arg(g.key())
            .compared(Compare::Encoding),
        10 => Command::new("NOSUCH").arg(g.key()),
        _ => Command::new("DEL").arg(g.key()).arg(g.key()).arg(g.key()),
    }
}

fn slow_log(g: &mut Gen) -> Command {
    let slow_log = Command::new("SLOWLOG");
    match g.rng.below(5) {
        0 => slow_log.arg("LEN").compared(Compare::Kind),
        1 => slow_log.arg("GET").compared(Compare::Kind),
        2 => slow_log
            .arg("GET")
            .arg(g.int(-1, 3))
            .compared(Compare::Kind),
        3 => slow_log.arg("RESET"),
        _ => slow_log.arg("NOSUCH"),
    }
}

fn latency(g: &mut Gen) -> Command {
    let latency = Command::new("LATENCY");
    match g.rng.below(5) {
        0 => latency.arg("LATEST").compared(Compare::Kind),
        1 => latency
            .arg("HISTORY")
            .arg("command")
            .compared(Compare::Kind),
        2 => latency.arg("RESET").compared(Compare::Kind),
        3 => latency.arg("DOCTOR").compared(Compare::Kind),
        _ => latency.arg("NOSUCH"),
    }
}

fn memory(g: &mut Gen) -> Command {
    let memory = Command::new("MEMORY");
    match g.rng.below(4) {
        0 => memory.arg("STATS").compared(Compare::Kind),
        1 => memory.arg("DOCTOR").compared(Compare::Kind),
        2 => memory.arg("PURGE").undamaged(),
        _ => memory.arg("NOSUCH"),
    }
}

fn pubsub_facts(g: &mut Gen) -> Command {
    let pubsub = Command::new(g.word("PUBSUB"));
    match g.rng.below(7) {
        0 => pubsub.arg("CHANNELS"),
        1 => pubsub.arg("CHANNELS").arg(super::keys::pattern(g)),
        2 => pubsub.arg("NUMSUB").arg(g.key()).arg(g.key()),
        3 => pubsub.arg("NUMPAT"),
        4 => pubsub.arg("SHARDCHANNELS"),
        5 => pubsub.arg("SHARDNUMSUB").arg(g.key()),
        _ => pubsub.arg("NOSUCH"),
    }
}
