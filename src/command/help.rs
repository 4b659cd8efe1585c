//! What containers have alike: HELP, the subcommands with their summaries from the table, and
//! nothing to do without a subcommand.

use crate::protocol::{Args, Reply};

use super::call::Call;
use super::error::Error;
use super::outcome::{Outcome, Result};
use super::spec::Command;
use super::table::table;

/// The HELP subcommand of whichever container the request names.
pub(super) fn help(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let container = String::from_utf8_lossy(args.at(0)).to_ascii_uppercase();
    let found = table().find(args.at(0));
    let subcommands = found.map_or(&[][..], |index| table().get(index).subcommands);
    write(call.reply, &container, subcommands);
    Ok(Outcome::Done)
}

/// Writes the help of a container command.
pub(super) fn write(reply: &mut Reply, container: &str, subcommands: &[Command]) {
    let shown = || {
        subcommands
            .iter()
            .filter(|subcommand| subcommand.name != "help")
    };
    reply.array(shown().count() * 2 + 3);
    reply.simple(&format!(
        "{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for subcommand in shown() {
        reply.simple(&subcommand.name.to_ascii_uppercase());
        reply.simple(&format!("    {}", subcommand.summary));
    }
    reply.simple("HELP");
    reply.simple("    Print this help.");
}

/// A container without a subcommand; its arity keeps requests away.
pub(super) fn container(_call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    Err(Error::Syntax)
}
