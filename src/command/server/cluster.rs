//! CLUSTER READONLY READWRITE ASKING MODULE: what a single server without modules answers.

use crate::flags;
use crate::protocol::Args;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::super::spec::{Command, Flags, Keys};

const SUMMARY: &str = "Refused: Weir is not part of a cluster.";

/// A command of clusters without arguments.
pub(super) const fn row(name: &'static str, flags: Flags) -> Command {
    Command::new(
        name,
        1,
        flags,
        Keys::None,
        "cluster",
        "3.0.0",
        SUMMARY,
        disabled,
    )
}

const fn sub(name: &'static str, arity: i32, flags: Flags, since: &'static str) -> Command {
    Command::new(
        name,
        arity,
        flags,
        Keys::None,
        "cluster",
        since,
        SUMMARY,
        disabled,
    )
}

/// CLUSTER with the subcommands that clients and tools send.
pub(super) const CLUSTER: Command = Command {
    name: "cluster",
    arity: -2,
    flags: flags![],
    keys: Keys::None,
    group: "cluster",
    since: "3.0.0",
    summary: SUMMARY,
    handler: disabled,
    subcommands: &[
        sub("info", 2, flags![STALE], "3.0.0"),
        sub("nodes", 2, flags![STALE], "3.0.0"),
        sub("slots", 2, flags![LOADING, STALE], "3.0.0"),
        sub("shards", 2, flags![LOADING, STALE], "7.0.0"),
        sub("myid", 2, flags![STALE], "3.0.0"),
        sub("myshardid", 2, flags![STALE], "7.2.0"),
        sub("links", 2, flags![STALE], "7.0.0"),
        sub("keyslot", 3, flags![STALE], "3.0.0"),
        sub("countkeysinslot", 3, flags![STALE], "3.0.0"),
        sub("getkeysinslot", 4, flags![STALE], "3.0.0"),
        sub("replicas", 3, flags![ADMIN, STALE], "5.0.0"),
        sub("slaves", 3, flags![ADMIN, STALE], "3.0.0"),
        sub("meet", -4, flags![ADMIN, STALE], "3.0.0"),
        sub("forget", 3, flags![ADMIN, STALE], "3.0.0"),
        sub("replicate", 3, flags![ADMIN, STALE], "3.0.0"),
        sub("reset", -2, flags![ADMIN, NOSCRIPT, STALE], "3.0.0"),
        sub("addslots", -3, flags![ADMIN, STALE], "3.0.0"),
        sub("delslots", -3, flags![ADMIN, STALE], "3.0.0"),
        sub("setslot", -4, flags![ADMIN, STALE], "3.0.0"),
        sub("failover", -2, flags![ADMIN, STALE], "3.0.0"),
        sub("help", 2, flags![LOADING, STALE], "5.0.0"),
    ],
};

/// CLUSTER subcommand [argument ...]
/// READONLY
/// READWRITE
/// ASKING
fn disabled(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::line(
        "ERR This instance has cluster support disabled",
    ))
}

/// MODULE and its subcommands.
#[rustfmt::skip]
pub(super) const MODULE: Command =
    container!("module", "server", "4.0.0", "A container for module commands.", [
        row!("list", 2, flags![ADMIN, NOSCRIPT], "4.0.0",
            "Returns all loaded modules, which are none.", list),
        row!("load", -3, flags![ADMIN, NOSCRIPT], "4.0.0",
            "Refused: Weir takes no modules.", refuse),
        row!("loadex", -3, flags![ADMIN, NOSCRIPT], "7.0.0",
            "Refused: Weir takes no modules.", refuse),
        row!("unload", 3, flags![ADMIN, NOSCRIPT], "4.0.0",
            "Refused: Weir takes no modules.", refuse),
    ]);

/// MODULE LIST
fn list(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.empty_array();
    Ok(Outcome::Done)
}

/// MODULE LOAD path [arg ...]
/// MODULE UNLOAD name
fn refuse(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::line("ERR Weir takes no modules"))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn is_one_server_without_modules() {
        let bench = Bench::new();
        for command in [
            "CLUSTER INFO",
            "CLUSTER HELP",
            "CLUSTER KEYSLOT a",
            "READONLY",
            "ASKING",
        ] {
            assert_eq!(
                bench.run(command),
                "-ERR This instance has cluster support disabled"
            );
        }
        assert_eq!(
            bench.run("CLUSTER KEYSLOT"),
            "-ERR wrong number of arguments for 'cluster|keyslot' command"
        );
        assert_eq!(bench.run("MODULE LIST"), "*0");
        assert_eq!(bench.run("MODULE LOAD x"), "-ERR Weir takes no modules");
    }
}
