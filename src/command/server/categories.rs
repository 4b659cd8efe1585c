//! The categories of commands, as ACL CAT and COMMAND INFO name them.
//!
//! They follow from a command's group and flags; the lists are the exceptions.

use super::super::spec::{Command, Flags};

/// All categories, in the order in which Redis lists them.
pub const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// The category of a group whose commands all have it.
fn of_group(group: &str) -> Option<&'static str> {
    let category = match group {
        "generic" => "keyspace",
        "sorted-set" => "sortedset",
        "transactions" => "transaction",
        group => group,
    };
    CATEGORIES.into_iter().find(|known| *known == category)
}

const KEYSPACE: &[&str] = &["dbsize", "flushall", "flushdb", "restore-asking", "swapdb"];
const NOT_KEYSPACE: &[&str] = &["sort", "sort_ro", "wait", "waitaof"];
const SORTS: &[&str] = &["sort", "sort_ro"];
const CONNECTION: &[&str] = &["asking", "readonly", "readwrite", "wait", "waitaof"];
const DANGEROUS: &[&str] = &[
    "flushall",
    "flushdb",
    "info",
    "keys",
    "lastsave",
    "migrate",
    "restore",
    "restore-asking",
    "role",
    "sort",
    "sort_ro",
    "swapdb",
];

/// The categories of a command; `name` is its own, or `container|subcommand`.
pub fn of(name: &str, command: &Command) -> Vec<&'static str> {
    let has = |category: &str| is_in(name, command, category);
    CATEGORIES
        .into_iter()
        .filter(|category| has(category))
        .collect()
}

/// Whether a command is in a category.
pub fn is_in(name: &str, command: &Command, category: &str) -> bool {
    let flagged = |flag: Flags| command.flags.any(flag);
    let is_fast = flagged(Flags::FAST);
    if !command.subcommands.is_empty() {
        // Containers stand for nothing that runs.
        return category == "slow" || category == "connection" && name == "command";
    }
    let by_flags = match category {
        "read" => flagged(Flags::READONLY) && command.group != "scripting",
        "write" => flagged(Flags::WRITE),
        "admin" => flagged(Flags::ADMIN) || ["lastsave", "role"].contains(&name),
        "dangerous" => flagged(Flags::ADMIN) || DANGEROUS.contains(&name),
        "pubsub" => flagged(Flags::PUBSUB),
        "blocking" => flagged(Flags::BLOCKING),
        "fast" => is_fast,
        "slow" => !is_fast,
        "keyspace" => KEYSPACE.contains(&name),
        "connection" => CONNECTION.contains(&name) || name.starts_with("command|"),
        "set" | "sortedset" | "list" => SORTS.contains(&name),
        _ => false,
    };
    let is_excepted = category == "keyspace" && NOT_KEYSPACE.contains(&name)
        || category == "pubsub" && name == "pubsub|help";
    by_flags || of_group(command.group) == Some(category) && !is_excepted
}
