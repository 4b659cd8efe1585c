//! The connection's own commands, as far as they leave it open and talking.

use super::Entry;
use crate::command::{Command, Compare};
use crate::vocabulary::Gen;

/// The commands and how often each is sent.
pub const COMMANDS: &[Entry] = &[
    (8, ping),
    (5, |g| Command::new("ECHO").arg(g.value())),
    (4, hello),
    (3, auth),
    (4, |g| Command::new("SELECT").arg(g.int(-1, 17))),
    (1, |_| Command::new("RESET")),
    (14, client),
    (6, unknown),
];

fn ping(g: &mut Gen) -> Command {
    let command = Command::new("PING");
    if g.rng.percent(40) {
        command.arg(g.value())
    } else {
        command
    }
}

/// No unknown user here: redis-server 8.2.3 leaves a refused AUTH unanswered unless it is the first
/// command of its connection. The scenarios try it there.
fn auth(g: &mut Gen) -> Command {
    let command = Command::new("AUTH").undamaged();
    match g.rng.below(4) {
        0 => command.arg(g.value()),
        1 => command.arg("default").arg(g.value()),
        2 => command,
        _ => command.arg("default").arg("x").arg("y"),
    }
}

fn hello(g: &mut Gen) -> Command {
    const VERSIONS: &[&str] = &["2", "3", "3", "2", "1", "4", "0", "-1", "abc", "", "30"];
    let mut command = Command::new("HELLO").compared(Compare::Hello).undamaged();
    if g.rng.percent(15) {
        return command;
    }
    command = command.arg(*g.rng.pick(VERSIONS));
    if g.rng.percent(20) {
        command = command.arg(g.word("AUTH")).arg("default").arg("secret");
    }
    if g.rng.percent(25) {
        command = command.arg(g.word("SETNAME")).arg(client_name(g));
    }
    if g.rng.percent(8) {
        command = command.arg(g.word_of(&["AUTH", "SETNAME", "NOSUCH"]));
    }
    command
}

fn client_name(g: &mut Gen) -> Vec<u8> {
    const NAMES: &[&[u8]] = &[
        b"worker-1",
        b"",
        b"two words",
        b"line\nfeed",
        b"caf\xc3\xa9",
        b"x",
    ];
    let name = *g.rng.pick(NAMES);
    name.to_vec()
}

/// An id that no client has, or that none can have.
fn absent_id(g: &mut Gen) -> Vec<u8> {
    const ODD: &[&str] = &[
        "abc",
        "",
        "-1",
        "0",
        "9223372036854775807",
        "9223372036854775808",
    ];
    if g.rng.percent(90) {
        return g.rng.between(900_000, 900_009).to_string().into_bytes();
    }
    g.rng.pick(ODD).as_bytes().to_vec()
}

fn client(g: &mut Gen) -> Command {
    let client = Command::new(g.word("CLIENT"));
    match g.rng.below(24) {
        0 => client.arg("ID").compared(Compare::Kind),
        1 => client.arg("INFO").compared(Compare::Kind),
        2 => client.arg("LIST").compared(Compare::Kind),
        3 => client
            .arg("LIST")
            .arg("TYPE")
            .arg(g.word_of(&["normal", "pubsub", "master", "replica", "slave", "nosuch"]))
            .compared(Compare::Kind),
        4 => client
            .arg("LIST")
            .arg("ID")
            .arg(absent_id(g))
            .arg(absent_id(g))
            .undamaged(),
        5..=7 => client.arg(g.word("SETNAME")).arg(client_name(g)),
        8..=10 => client.arg(g.word("GETNAME")),
        11 => client
            .arg("SETINFO")
            .arg(g.word_of(&["LIB-NAME", "LIB-VER", "NOSUCH"]))
            .arg("lib")
            .undamaged(),
        12 => client
            .arg("SETINFO")
            .arg(g.word("LIB-NAME"))
            .arg(client_name(g))
            .undamaged(),
        13 => client
            .arg("NO-EVICT")
            .arg(g.word_of(&["ON", "OFF", "MAYBE"])),
        14 => client
            .arg("NO-TOUCH")
            .arg(g.word_of(&["ON", "OFF", "MAYBE"])),
        15 => client.arg("UNBLOCK").arg(absent_id(g)),
        16 => {
            let reason = g.word_of(&["TIMEOUT", "ERROR", "NOSUCH"]);
            client.arg("UNBLOCK").arg(absent_id(g)).arg(reason)
        }
        17 => client.arg("KILL").arg("ID").arg(absent_id(g)).undamaged(),
        18 => client
            .arg("KILL")
            .arg("ADDR")
            .arg("127.0.0.1:1")
            .undamaged(),
        19 => client.arg("KILL").arg("127.0.0.1:1").undamaged(),
        20 => client.arg("UNPAUSE"),
        21 => client.arg("GETREDIR"),
        22 => client
            .arg("PAUSE")
            .arg(*g.rng.pick(&["abc", "-1", ""]))
            .undamaged(),
        _ => client.arg("NOSUCH").arg(g.value()),
    }
}

/// Commands that no server knows: the error repeats name and arguments up to a limit.
fn unknown(g: &mut Gen) -> Command {
    const NAMES: &[&str] = &[
        "FOO",
        "foo bar",
        "GETX",
        "",
        "LPUSHXX",
        "NO\r\nSUCH",
        "'quoted'",
    ];
    let name = *g.rng.pick(NAMES);
    let mut command = Command::new(name).undamaged();
    for _ in 0..g.rng.below(6) {
        command = command.arg(g.value());
    }
    if g.rng.percent(10) {
        command.args[0] = vec![b'x'; 20 + g.rng.below(300)];
    }
    command
}
