//! The server's own commands: facts about itself, settings, the command table, diagnostics.
//!
//! Containers have a file each with their part of the table on top. What Weir does not do
//! (persistence, replication, cluster, modules) answers so that clients and tools go on,
//! and says so where they must know.

pub(super) mod categories;
mod cluster;
mod command_info;
mod config;
mod debug;
#[cfg(test)]
mod doc;
mod flush;
mod info;
pub(super) mod key_specs;
mod latency;
mod lolwut;
mod memory;
mod persistence;
mod replication;
mod shutdown;
mod slowlog;
mod tips;

pub(super) use debug::check_debug;

use crate::flags;
use crate::protocol::Args;

use super::call::Call;
use super::outcome::{Outcome, Result};
use super::spec::Command;

/// Server commands.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    row!("info", -1, flags![LOADING, STALE, WALKS_KEYS], "1.0.0",
        "Returns information and statistics about the server.", info::info),
    row!("time", 1, flags![LOADING, STALE, FAST], "2.6.0",
        "Returns the server time.", time),
    row!("dbsize", 1, flags![READONLY, FAST, WALKS_KEYS], "1.0.0",
        "Returns the number of keys in the database.", flush::dbsize),
    row!("flushdb", -1, flags![WRITE, ALL_KEYS], "1.0.0",
        "Removes all keys from the current database.", flush::flushdb),
    row!("flushall", -1, flags![WRITE, ALL_KEYS], "1.0.0",
        "Removes all keys from all databases.", flush::flushall),
    row!("swapdb", 3, flags![WRITE, FAST, ALL_KEYS], "4.0.0",
        "Swaps two databases.", flush::swapdb),
    row!("monitor", 1, flags![ADMIN, NOSCRIPT, LOADING, STALE], "1.0.0",
        "Listens for all requests received by the server in real-time.", super::monitor::monitor),
    row!("debug", -2, flags![ADMIN, NOSCRIPT, LOADING, STALE, WALKS_KEYS], "1.0.0",
        "A container for debugging commands.", debug::debug),
    row!("lolwut", -1, flags![READONLY, FAST], "5.0.0",
        "Displays computer art and the server's version.", lolwut::lolwut),
    row!("shutdown", -1, flags![ADMIN, NOSCRIPT, LOADING, STALE, NO_MULTI, ALLOW_BUSY], "1.0.0",
        "Shuts the server down; what it holds is gone.", shutdown::shutdown),
    row!("save", 1, flags![ADMIN, NOSCRIPT, NO_MULTI], "1.0.0",
        "Answers as if it saved; nothing is written to disk.", persistence::save),
    row!("bgsave", -1, flags![ADMIN, NOSCRIPT], "1.0.0",
        "Answers as if it saved; nothing is written to disk.", persistence::bgsave),
    row!("bgrewriteaof", 1, flags![ADMIN, NOSCRIPT], "1.0.0",
        "Answers as if it rewrote a log; nothing is written to disk.", persistence::bgrewriteaof),
    row!("lastsave", 1, flags![LOADING, STALE, FAST], "1.0.0",
        "Returns when SAVE or BGSAVE was last asked for, else when the server started.", persistence::lastsave),
    row!("role", 1, flags![NOSCRIPT, LOADING, STALE, FAST], "2.8.12",
        "Returns the replication role, which is master without replicas.", replication::role),
    row!("replicaof", 3, flags![ADMIN, NOSCRIPT, STALE], "5.0.0",
        "Takes NO ONE only: Weir does not replicate.", replication::replicaof),
    row!("slaveof", 3, flags![ADMIN, NOSCRIPT, STALE], "1.0.0",
        "Takes NO ONE only: Weir does not replicate.", replication::replicaof),
    row!("replconf", -1, flags![ADMIN, NOSCRIPT, LOADING, STALE, ALLOW_BUSY], "3.0.0",
        "Refused: Weir does not replicate.", replication::refuse),
    row!("psync", -3, flags![ADMIN, NOSCRIPT, NO_MULTI], "2.8.0",
        "Refused: Weir does not replicate.", replication::refuse),
    row!("sync", 1, flags![ADMIN, NOSCRIPT, NO_MULTI], "1.0.0",
        "Refused: Weir does not replicate.", replication::refuse),
    row!("failover", -1, flags![ADMIN, NOSCRIPT, STALE], "6.2.0",
        "Refused: Weir has no replicas.", replication::failover),
    cluster::row("asking", flags![FAST]),
    cluster::row("readonly", flags![LOADING, STALE, FAST]),
    cluster::row("readwrite", flags![LOADING, STALE, FAST]),
    cluster::CLUSTER,
    cluster::MODULE,
    command_info::COMMAND,
    config::CONFIG,
    latency::LATENCY,
    memory::MEMORY,
    slowlog::SLOWLOG,
];

/// TIME
fn time(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let (unix_ms, us) = (call.now.unix_ms, call.now.mono_us % 1000);
    call.reply.array(2);
    call.reply.bulk_integer(as_integer(unix_ms / 1000));
    call.reply
        .bulk_integer(as_integer(unix_ms % 1000 * 1000 + us));
    Ok(Outcome::Done)
}

/// A count as a reply carries it.
fn as_integer<N: TryInto<i64>>(count: N) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
