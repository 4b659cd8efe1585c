//! The HELP subcommands: the subcommands with their summaries, from the table.

use crate::protocol::Reply;

use super::spec::Command;

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
