//! Commands that only Weir has: the ledger, policies, messages with a time to live or a delay,
//! routes. Their arguments look like Redis's, so that stock clients reach them as any command.

mod backlog;
mod ledger;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod place_tests;
mod policy;
mod push;
pub(super) mod route;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod time_tests;

use crate::flags;

use super::help;
use super::spec::{Command, Keys};

pub use ledger::Totals;

/// A row of the table: these commands share their group.
macro_rules! weir {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $summary:literal, $handler:path) => {
        Command::new(
            $name, $arity, $flags, $keys, "weir", "0.2.0", $summary, $handler,
        )
    };
}

/// Commands of Weir's own.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    weir!("weir.ledger", -1, flags![READONLY, WALKS_KEYS], Keys::ALL,
        "Returns how many messages came, were delivered, are held and were lost by each cause.", ledger::ledger),
    weir!("weir.backlog", -1, flags![READONLY, WALKS_KEYS], Keys::Found(backlog::find_keys),
        "Returns how much waits in queues and streams, how old it is, how fast it comes and goes, and what was lost.", backlog::backlog),
    Command {
        subcommands: &[
            weir!("set", -3, flags![WRITE, ADMIN, ALL_KEYS], Keys::None,
                "Binds a pattern of names to bounds, in place of the policy that the pattern has.", policy::set),
            weir!("get", -3, flags![LOADING, STALE], Keys::None,
                "Returns the policy of a pattern.", policy::get),
            weir!("del", -3, flags![WRITE, ADMIN, ALL_KEYS], Keys::None,
                "Removes the policy of a pattern.", policy::del),
            weir!("list", 2, flags![LOADING, STALE], Keys::None,
                "Returns all policies, the most specific first.", policy::list),
            weir!("explain", -3, flags![LOADING, STALE], Keys::None,
                "Returns which policy holds for a name, and why.", policy::explain),
            weir!("help", 2, flags![LOADING, STALE], Keys::None,
                "Returns helpful text about the different subcommands.", help::help),
        ],
        ..weir!("weir.policy", -2, flags![], Keys::None,
            "A container for commands on policies.", help::container)
    },
    Command {
        subcommands: &[
            weir!("add", 4, flags![ADMIN], Keys::None,
                "Has what is published to matching channels pushed to a queue as well.", route::add),
            weir!("del", 4, flags![ADMIN], Keys::None,
                "Ends a route from channels to a queue.", route::del),
            weir!("list", 2, flags![LOADING, STALE], Keys::None,
                "Returns all routes.", route::list),
            weir!("help", 2, flags![LOADING, STALE], Keys::None,
                "Returns helpful text about the different subcommands.", help::help),
        ],
        ..weir!("weir.route", -2, flags![], Keys::None,
            "A container for commands on routes.", help::container)
    },
    weir!("weir.push", -3, flags![WRITE, DENYOOM], Keys::FIRST,
        "Pushes messages that may have a time to live, a delay, or an id that is taken once.", push::push),
    weir!("weir.deadletter", -2, flags![READONLY], Keys::FIRST,
        "Returns where the last dead letters in a queue came from, and why.", policy::deadletter),
];
