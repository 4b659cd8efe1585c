//! The rules of the house, read off the source: who may name whom, what only one room may do, how
//! long a file may be, which words no name may have, and that every loss is accounted for.
//!
//! docs/ARCHITECTURE.md says why. To break a rule with a reason, add the exception to the list
//! beside the rule, where the next reader sees it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics, and says which files are growing"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod source;

use source::{File, words};

/// Lines of a file without its tests.
const FILE_LINES_MAX: usize = 800;

/// The rooms and those that each may name. A room may name itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("clock", &[]),
    ("sync", &[]),
    ("digits", &[]),
    ("ends", &[]),
    ("glob", &[]),
    ("overflow", &[]),
    ("policy", &["glob", "overflow"]),
    ("allocator", &[]),
    ("metrics", &["sync"]),
    ("protocol", &["digits", "limits"]),
    (
        "store",
        &[
            "limits", "clock", "digits", "ends", "overflow", "policy", "sync",
        ],
    ),
    ("outbox", &["overflow", "sync"]),
    ("pubsub", &["glob", "outbox", "overflow", "sync"]),
    (
        "clients",
        &["metrics", "outbox", "protocol", "store", "sync"],
    ),
    ("config", &["policy", "sync"]),
    ("script", &["protocol"]),
    ("acl", &["glob", "sync"]),
    (
        "command",
        &[
            "acl", "clients", "clock", "config", "ends", "glob", "limits", "metrics", "outbox",
            "overflow", "policy", "protocol", "pubsub", "script", "store", "sync",
        ],
    ),
    ("worker", &["clock", "outbox", "sync"]),
    (
        "net",
        &[
            "allocator",
            "clients",
            "clock",
            "command",
            "outbox",
            "protocol",
            "sync",
            "worker",
        ],
    ),
    (
        "http",
        &["clock", "command", "metrics", "pubsub", "store", "sync"],
    ),
    ("logging", &["config"]),
    ("banner", &["config"]),
    (
        "server",
        &[
            "allocator",
            "banner",
            "clock",
            "command",
            "config",
            "http",
            "logging",
            "net",
            "outbox",
            "store",
            "worker",
        ],
    ),
    ("bench", &["clock"]),
    ("top", &["bench", "clock"]),
    (
        "simulation",
        &[
            "bench", "clients", "clock", "command", "config", "net", "outbox", "store", "sync",
            "worker",
        ],
    ),
    ("main", &["bench", "config", "server", "top"]),
];

/// Single names that a room may use of another one that is closed to it.
const EXCEPTIONS: &[(&str, &str, &[&str])] = &[
    // A mailbox empties into its connection's reply, and publishers ask it which version it reads.
    ("outbox", "protocol", &["Reply", "Resp"]),
    // Which of two encodings a subscriber gets; the encoding itself is handed in.
    ("pubsub", "protocol", &["Resp"]),
];

/// Who may name a crate or type that the others reach through a room, if at all.
const RESERVED: &[(&str, &[&str])] = &[
    ("tokio", &["http", "net", "server"]),
    ("hyper", &["http"]),
    ("ratatui", &["top"]),
    ("mio", &["bench", "worker"]),
    ("rustix", &["allocator", "http", "net"]),
    ("rustls", &["net"]),
    ("SystemTime", &["clock"]),
    ("UNIX_EPOCH", &["clock"]),
    ("Mutex", &["sync"]),
    ("RwLock", &["sync"]),
    ("Condvar", &["sync"]),
    ("parking_lot", &["sync"]),
    ("shuttle", &["sync"]),
    (
        "anyhow",
        &["main", "server", "logging", "config", "bench", "top"],
    ),
];

/// Words that say nothing about what they name.
const EMPTY_WORDS: &[&str] = &[
    "manager", "managers", "util", "utils", "helper", "helpers", "common", "misc",
];

/// Files in which such a word is a term (the longest common subsequence), or the name of somebody
/// else's crate or type.
const TERMS: &[(&str, &str)] = &[
    ("src/command/string/lcs.rs", "common"),
    ("src/command/string/lcs/table.rs", "common"),
    ("tests/differential/families/strings.rs", "common"),
    ("src/http/listener.rs", "util"),
    ("tests/frameworks/redis-crate/src/main.rs", "util"),
    ("tests/frameworks/redis-crate/src/main.rs", "manager"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files under a folder, in order.
fn files_under(folder: &str) -> Vec<File> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            File::new(name, &fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn expect_none(rule: &str, mut broken: Vec<String>) {
    broken.dedup();
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

fn may_name(room: &str, other: &str, item: Option<&str>) -> bool {
    let rooms = ROOMS.iter().find(|(name, _)| *name == room);
    let is_open = rooms.is_some_and(|(_, open)| open.contains(&other));
    is_open
        || EXCEPTIONS.iter().any(|(from, to, items)| {
            *from == room && *to == other && item.is_some_and(|item| items.contains(&item))
        })
}

#[test]
fn rooms_name_only_what_lies_below_them() {
    let known: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    let mut broken = Vec::new();
    for file in files_under("src") {
        if file.is_test || file.room == "lib" {
            continue;
        }
        if !known.contains(file.room.as_str()) {
            broken.push(format!("{}: no room of that name in ROOMS", file.name));
        }
        for named in file.rooms_named() {
            // Macros stand at the root of the crate, whichever room they are from.
            let is_room = known.contains(named.room.as_str());
            if is_room
                && named.room != file.room
                && !may_name(&file.room, &named.room, named.item.as_deref())
            {
                let item = named.item.unwrap_or_default();
                broken.push(format!(
                    "{}:{}: {} may not name {}::{item}",
                    file.name, named.line, file.room, named.room
                ));
            }
        }
    }
    expect_none("rooms may name only what ROOMS lists", broken);
}

#[test]
fn the_table_of_rooms_has_no_circle_and_no_ghost() {
    let files = files_under("src");
    for (index, (room, open)) in ROOMS.iter().enumerate() {
        assert!(
            files.iter().any(|file| file.room == *room),
            "{room} does not exist"
        );
        for other in *open {
            let below = ROOMS.iter().position(|(name, _)| name == other);
            assert!(
                below.is_some_and(|below| below < index),
                "{room} names {other}, which does not stand above it in ROOMS"
            );
        }
    }
}

#[test]
fn only_the_rooms_meant_for_it_name_the_runtime_clocks_and_locks() {
    let mut broken = Vec::new();
    for file in files_under("src").iter().filter(|file| !file.is_test) {
        for (line, text) in file.lines() {
            for word in words(text) {
                let reserved = RESERVED.iter().find(|(name, _)| *name == word);
                if reserved.is_some_and(|(_, rooms)| !rooms.contains(&file.room.as_str())) {
                    broken.push(format!("{}:{line}: {word}", file.name));
                }
                // The runtime's own Instant sets timers; it measures nothing.
                let is_clock =
                    file.room == "clock" || file.room == "net" && !text.contains("std::time");
                if word == "Instant" && !is_clock {
                    broken.push(format!("{}:{line}: Instant", file.name));
                }
            }
        }
    }
    expect_none("these names are reserved to the rooms in RESERVED", broken);
}

#[test]
fn files_stay_short() {
    let mut broken = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in files_under(folder) {
            let len = file.lines().count();
            if len > FILE_LINES_MAX {
                broken.push(format!("{}: {len} lines without tests", file.name));
            } else if len > 500 && !file.is_test {
                println!("past 500: {} has {len} lines without tests", file.name);
            }
        }
    }
    expect_none("files have 800 lines at most: split by subject", broken);
}

#[test]
fn names_say_what_they_name() {
    let mut broken = Vec::new();
    for file in ["src", "tests", "benches"]
        .into_iter()
        .flat_map(files_under)
    {
        let is_term = |word: &str| TERMS.contains(&(file.name.as_str(), word));
        if file.name == "tests/tidy.rs" {
            continue;
        }
        for part in file.name.split(['/', '_', '.', '-']) {
            if EMPTY_WORDS.contains(&part) {
                broken.push(format!("{}: the file's name", file.name));
            }
        }
        for (line, text) in file.lines() {
            for identifier in words(text) {
                for word in source::parts(identifier) {
                    if EMPTY_WORDS.contains(&word.as_str()) && !is_term(&word) {
                        broken.push(format!("{}:{line}: {identifier}", file.name));
                    }
                }
            }
        }
    }
    expect_none("these words say nothing; name the thing", broken);
}

#[test]
fn nothing_is_left_for_later() {
    let mut broken = Vec::new();
    for file in ["src", "tests", "benches"]
        .into_iter()
        .flat_map(files_under)
    {
        if file.name == "tests/tidy.rs" {
            continue;
        }
        for (index, text) in file.original.lines().enumerate() {
            let is_left = words(text).any(|word| matches!(word, "TODO" | "FIXME" | "XXX"));
            let is_stub = ["todo!", "unimplemented!", "#[ignore"]
                .iter()
                .any(|stub| text.contains(stub));
            if is_left || is_stub {
                broken.push(format!("{}:{}: {}", file.name, index + 1, text.trim()));
            }
        }
    }
    expect_none("finish it, or open an issue", broken);
}

/// A row of docs/LOSS.md: cause, counter, test.
struct Row {
    cause: String,
    counter: String,
    test: String,
}

fn loss_rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/LOSS.md")).unwrap();
    let quoted = |cell: &str| cell.split('`').nth(1).unwrap_or_default().to_owned();
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            assert_eq!(
                cells.len(),
                4,
                "four cells: cause, what goes, counter, test: {line}"
            );
            Row {
                cause: quoted(cells[0]),
                counter: quoted(cells[2]),
                test: quoted(cells[3]),
            }
        })
        .collect()
}

#[test]
fn every_loss_is_documented_counted_and_tested() {
    let sources = files_under("src");
    let tests = files_under("tests");
    let marks: BTreeSet<String> = sources
        .iter()
        .flat_map(|file| file.original.lines())
        .filter_map(|line| line.trim().strip_prefix("// LOSS: "))
        .map(str::to_owned)
        .collect();
    let rows = loss_rows();
    let mut broken = Vec::new();
    for cause in &marks {
        if !rows.iter().any(|row| row.cause == *cause) {
            broken.push(format!("{cause}: marked in src, no row in docs/LOSS.md"));
        }
    }
    for Row {
        cause,
        counter,
        test,
    } in rows
    {
        if !marks.contains(&cause) {
            broken.push(format!("{cause}: a row in docs/LOSS.md, no mark in src"));
        }
        let is_counted = |file: &File| {
            file.lines()
                .any(|(_, text)| words(text).any(|word| word == counter))
        };
        if !sources.iter().any(is_counted) {
            broken.push(format!("{cause}: no counter `{counter}` in src"));
        }
        let head = format!("fn {test}()");
        let is_tested = |file: &File| file.original.contains(&head);
        if test.is_empty() || !sources.iter().chain(&tests).any(is_tested) {
            broken.push(format!("{cause}: no test `{test}`"));
        }
    }
    expect_none("every loss has a mark, a row, a counter and a test", broken);
}

/// The rules are only as good as the reading: each planted fault is seen, and nothing else.
#[test]
fn planted_faults_are_found() {
    let planted = r##"
//! crate::net in a comment
use crate::{command::{Call, Engine}, sync};
use super::super::net::Arrival;
const TEXT: &str = "crate::server";
const RAW: &str = r#"tokio " Mutex"#;
fn lifetime<'a>(c: &'a str) -> char { '"' }
fn call() { crate::outbox::wake(); }
#[cfg(test)]
mod tests {
    use crate::config::Config;
}
"##;
    let file = File::new("src/store/planted.rs".into(), planted);
    assert_eq!(file.room, "store");
    let named: Vec<String> = file
        .rooms_named()
        .into_iter()
        .map(|named| {
            let item = named.item.unwrap_or_default();
            format!("{}:{}::{item}", named.line, named.room)
        })
        .collect();
    let wanted = [
        "3:command::Call",
        "3:command::Engine",
        "3:sync::",
        "8:outbox::wake",
        "4:net::Arrival",
    ];
    assert_eq!(named, wanted);
    let all = |wanted: &str| {
        file.lines()
            .any(|(_, text)| words(text).any(|word| word == wanted))
    };
    assert!(all("lifetime") && !all("Mutex") && !all("tokio") && !all("server"));
    assert!(may_name("store", "sync", None) && !may_name("store", "command", Some("Call")));
    assert!(may_name("pubsub", "protocol", Some("Resp")));
    assert!(!may_name("pubsub", "protocol", Some("Reply")));
    assert_eq!(source::parts("WakeList_of_x"), ["wake", "list", "of", "x"]);
}
