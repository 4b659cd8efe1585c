//! Commands that only Weir has: the ledger, policies, messages with a time to live or a delay,
//! routes. Their arguments look like Redis's, so that stock clients reach them as any command.

mod ledger;

use crate::flags;

use super::spec::{Command, Keys};

pub use ledger::Totals;

/// Commands of Weir's own.
#[rustfmt::skip]
pub const COMMANDS: &[Command] = &[
    Command::new("weir.ledger", -1, flags![READONLY, WALKS_KEYS], Keys::ALL, "weir", "0.2.0",
        "Returns how many messages came, were delivered, are held and were lost by each cause.", ledger::ledger),
];
