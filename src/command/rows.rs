//! How families write the rows of their part of the command table.

/// A row of the table that names no key.
macro_rules! row {
    ($name:literal, $arity:literal, $flags:expr, $since:literal, $summary:literal, $handler:path) => {
        $crate::command::Command::new(
            $name,
            $arity,
            $flags,
            $crate::command::Keys::None,
            "server",
            $since,
            $summary,
            $handler,
        )
    };
}

/// A command that only has subcommands, HELP among them.
macro_rules! container {
    ($name:literal, $group:literal, $since:literal, $summary:literal, [$($subcommand:expr),* $(,)?]) => {
        $crate::command::Command {
            name: $name,
            arity: -2,
            flags: $crate::flags![],
            keys: $crate::command::Keys::None,
            group: $group,
            since: $since,
            summary: $summary,
            handler: $crate::command::help::container,
            subcommands: &[
                $($subcommand,)*
                $crate::command::Command::new(
                    "help",
                    2,
                    $crate::flags![LOADING, STALE],
                    $crate::command::Keys::None,
                    $group,
                    "5.0.0",
                    "Returns helpful text about the different subcommands.",
                    $crate::command::help::help,
                ),
            ],
        }
    };
}
