//! The command table: the families' lists joined, and the look-up by name.
//!
//! COMMAND, access rules, key extraction and docs/COMMANDS.md all come from it. Look-up folds the
//! name to lower case in registers and probes a small open-addressing table: about 5 ns.

use std::sync::OnceLock;

use crate::protocol::Args;

use super::spec::Command;

/// The families in the order in which COMMAND lists them.
const FAMILIES: &[&[Command]] = &[
    super::connection::COMMANDS,
    super::client::COMMANDS,
    super::keys::COMMANDS,
    super::list::COMMANDS,
    super::string::COMMANDS,
    super::pubsub::COMMANDS,
    super::transaction::COMMANDS,
    super::server::COMMANDS,
];

/// Longest name that is looked up; longer ones are unknown.
const NAME_BYTES_MAX: usize = 24;
/// Slots of the look-up table: a power of two several times the number of commands.
const SLOTS: usize = 2048;

/// All commands with their look-up.
#[derive(Debug)]
pub struct Table {
    commands: Vec<&'static Command>,
    /// Index into `commands` plus one; 0 is free.
    slots: Box<[u16; SLOTS]>,
    /// `command` or `command|subcommand`, by index for counting.
    names: Vec<String>,
    /// By index of a command, the index for counting of its first subcommand.
    subcommands_at: Vec<usize>,
}

/// A command as a request names it.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The command, or the subcommand where one is named.
    pub command: &'static Command,
    /// Its index for counting and for [`Table::name`].
    pub index: usize,
    /// Whether a subcommand was named that does not exist.
    pub is_unknown_subcommand: bool,
}

/// The table of this program.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::new)
}

impl Table {
    fn new() -> Self {
        let commands: Vec<_> = FAMILIES.iter().flat_map(|family| family.iter()).collect();
        let mut slots = Box::new([0; SLOTS]);
        for (index, command) in commands.iter().enumerate() {
            let mut slot = slot_of(command.name.as_bytes());
            while slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = u16::try_from(index + 1).expect("fewer than 2^16 commands");
        }
        let mut names: Vec<String> = commands.iter().map(|command| command.name.into()).collect();
        let mut subcommands_at = Vec::new();
        for command in &commands {
            subcommands_at.push(names.len());
            let full = |sub: &Command| format!("{}|{}", command.name, sub.name);
            names.extend(command.subcommands.iter().map(full));
        }
        Self {
            commands,
            slots,
            names,
            subcommands_at,
        }
    }

    /// The command or subcommand that a request names.
    #[inline]
    pub fn resolve(&self, args: Args<'_>) -> Option<Found> {
        let index = self.find(args.at(0))?;
        let command = self.commands[index];
        if command.subcommands.is_empty() || args.len() < 2 {
            return Some(Found {
                command,
                index,
                is_unknown_subcommand: false,
            });
        }
        let same = |sub: &Command| sub.name.as_bytes().eq_ignore_ascii_case(args.at(1));
        Some(match command.subcommands.iter().position(same) {
            None => Found {
                command,
                index,
                is_unknown_subcommand: true,
            },
            Some(at) => Found {
                command: &command.subcommands[at],
                index: self.subcommands_at[index] + at,
                is_unknown_subcommand: false,
            },
        })
    }

    /// How many commands and subcommands are counted apart.
    pub fn stats_len(&self) -> usize {
        self.names.len()
    }

    /// The name of an index for counting, `command` or `command|subcommand`.
    pub fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// The index of the command of a name, in any case.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let mut slot = slot_of(name);
        loop {
            let index = usize::from(self.slots[slot]).checked_sub(1)?;
            if self.commands[index]
                .name
                .as_bytes()
                .eq_ignore_ascii_case(name)
            {
                return Some(index);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The command of an index.
    #[inline]
    pub fn get(&self, index: usize) -> &'static Command {
        self.commands[index]
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none; there always are.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// All commands.
    pub fn iter(&self) -> impl Iterator<Item = &'static Command> + '_ {
        self.commands.iter().copied()
    }
}

/// Where the search for a name starts: a hash of its first and last eight bytes and its length.
///
/// Setting bit 5 folds letters to lower case; that it also folds some other bytes only means more
/// to compare. Fixed-size loads, overlapping where the name is short, spare a call to `memcpy`.
#[inline]
fn slot_of(name: &[u8]) -> usize {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    let (head, tail) = if let (Some(head), Some(tail)) = (name.first_chunk(), name.last_chunk()) {
        (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
    } else if let (Some(head), Some(tail)) = (name.first_chunk(), name.last_chunk()) {
        (
            u64::from(u32::from_le_bytes(*head)),
            u64::from(u32::from_le_bytes(*tail)),
        )
    } else if let (Some(head), Some(tail)) = (name.first_chunk(), name.last_chunk()) {
        (
            u64::from(u16::from_le_bytes(*head)),
            u64::from(u16::from_le_bytes(*tail)),
        )
    } else {
        (name.first().copied().map_or(0, u64::from), 0)
    };
    let mixed = (head | FOLD) ^ (tail | FOLD).rotate_left(29) ^ (name.len() as u64) << 56;
    #[allow(clippy::cast_possible_truncation, reason = "eleven bits are left")]
    let slot = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as usize;
    slot
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn finds_every_command_in_any_case() {
        for (index, command) in table().iter().enumerate() {
            assert_eq!(
                table().find(command.name.as_bytes()),
                Some(index),
                "{}",
                command.name
            );
            let upper = command.name.to_ascii_uppercase();
            assert_eq!(table().find(upper.as_bytes()), Some(index), "{upper}");
            assert_eq!(command.name, command.name.to_ascii_lowercase());
        }
    }

    #[test]
    fn finds_nothing_else() {
        for name in [
            "",
            "ge",
            "gett",
            "get\0",
            "a name that is far longer than any",
            "\u{7}et",
        ] {
            assert_eq!(table().find(name.as_bytes()), None, "{name:?}");
        }
    }
}
