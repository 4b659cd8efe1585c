//! The command table: the families' lists joined, and the look-up by name.
//!
//! COMMAND, access rules, key extraction and docs/COMMANDS.md all come from it. Look-up folds the
//! name to lower case in registers and probes a small open-addressing table: about 5 ns.

use std::sync::OnceLock;

use crate::ends::ends;
use crate::protocol::Args;

use super::spec::Command;

/// The families in the order in which COMMAND lists them.
const FAMILIES: &[&[Command]] = &[
    super::connection::COMMANDS,
    super::client::COMMANDS,
    super::keys::COMMANDS,
    super::bits::COMMANDS,
    super::hyperloglog::COMMANDS,
    super::hash::COMMANDS,
    super::set::COMMANDS,
    super::list::COMMANDS,
    super::stream::COMMANDS,
    super::string::COMMANDS,
    super::sorted_set::COMMANDS,
    super::sort::COMMANDS,
    super::pubsub::COMMANDS,
    super::transaction::COMMANDS,
    super::script::COMMANDS,
    super::server::COMMANDS,
    super::acl::COMMANDS,
    super::weir::COMMANDS,
];

/// Longest name that is looked up; longer ones are unknown.
const NAME_BYTES_MAX: usize = 64;
/// Slots of the look-up table: a power of two several times the number of commands.
const SLOTS: usize = 1024;

/// A command in the look-up table: its folded name, and its index plus one; 0 is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    name: Folded,
    index: u16,
}

/// All commands with their look-up.
#[derive(Debug)]
pub struct Table {
    commands: Vec<&'static Command>,
    slots: Box<[Slot]>,
    /// What a request calls each command, in lower case; empty where none may.
    asked: Vec<String>,
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

static TABLE: OnceLock<Table> = OnceLock::new();

/// The table of this program.
///
/// # Panics
///
/// If two commands of the table have one name; a test makes it.
pub fn table() -> &'static Table {
    TABLE.get_or_init(|| Table::new(&[]).expect("names are different"))
}

/// Gives commands other names, or none where the new one is empty: a line has both. Once, before anything else asks
/// for the table. The error is for who starts the server.
pub fn rename(lines: &[Vec<String>]) -> Result<(), String> {
    let pair = |line: &Vec<String>| match line.as_slice() {
        [old, new] => Ok((old.clone(), new.clone())),
        _ => Err("rename-command takes a command and its new name".to_owned()),
    };
    let renames: Vec<_> = lines.iter().map(pair).collect::<Result<_, _>>()?;
    let table = Table::new(&renames)?;
    TABLE
        .set(table)
        .map_err(|_| "commands are renamed at start only".to_owned())
}

impl Table {
    fn new(renames: &[(String, String)]) -> Result<Self, String> {
        let commands: Vec<_> = FAMILIES.iter().flat_map(|family| family.iter()).collect();
        let asked: Vec<String> = commands.iter().map(|command| command.name.into()).collect();
        let asked = renamed(asked, renames)?;
        let mut slots = vec![Slot::default(); SLOTS].into_boxed_slice();
        for (index, name) in asked.iter().enumerate() {
            if name.is_empty() {
                continue;
            }
            let name = Folded::new(name.as_bytes());
            let mut slot = name.slot();
            while slots[slot].index != 0 {
                slot = (slot + 1) % SLOTS;
            }
            let index = u16::try_from(index + 1).expect("fewer than 2^16 commands");
            slots[slot] = Slot { name, index };
        }
        let mut names: Vec<String> = commands.iter().map(|command| command.name.into()).collect();
        let mut subcommands_at = Vec::new();
        for command in &commands {
            subcommands_at.push(names.len());
            let full = |sub: &Command| format!("{}|{}", command.name, sub.name);
            names.extend(command.subcommands.iter().map(full));
        }
        Ok(Self {
            commands,
            slots,
            asked,
            names,
            subcommands_at,
        })
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
        let folded = Folded::new(name);
        let mut at = folded.slot();
        loop {
            let slot = &self.slots[at];
            let index = usize::from(slot.index).checked_sub(1)?;
            if slot.name == folded
                && (name.len() <= WHOLE_BYTES_MAX
                    || self.asked[index].as_bytes().eq_ignore_ascii_case(name))
            {
                return Some(index);
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// The index of a full name in lower case, `command` or `command|subcommand`. Looks through
    /// all of them.
    pub fn find_full(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The command or subcommand of an index for counting, with its name. Looks through all of
    /// them.
    pub fn command_at(&self, index: usize) -> (&str, &'static Command) {
        let name = self.name(index);
        let mut all = self.with_subcommands();
        let found = all.find(|(known, _)| *known == name);
        found.unwrap_or((name, self.commands[0]))
    }

    /// All commands, each followed by its subcommands, with their names for counting.
    pub fn with_subcommands(&self) -> impl Iterator<Item = (&str, &'static Command)> {
        let containers = self.commands.iter().zip(&self.subcommands_at).enumerate();
        containers.flat_map(|(index, (command, at))| {
            let names = &self.names[*at..*at + command.subcommands.len()];
            let subcommands = names.iter().map(String::as_str).zip(command.subcommands);
            std::iter::once((self.name(index), *command)).chain(subcommands)
        })
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

/// The names under which commands are asked for, after all renames in their order.
fn renamed(mut asked: Vec<String>, renames: &[(String, String)]) -> Result<Vec<String>, String> {
    for (old, new) in renames {
        let (old, new) = (old.to_ascii_lowercase(), new.to_ascii_lowercase());
        let position = |name: &str| asked.iter().position(|known| known == name);
        let index = position(&old).filter(|_| !old.is_empty());
        let index = index.ok_or_else(|| format!("rename-command: no command is called {old}"))?;
        if !new.is_empty() && position(&new).is_some() {
            return Err(format!("rename-command: there is a command {new} already"));
        }
        if new.len() > NAME_BYTES_MAX {
            return Err(format!(
                "rename-command: a name has {NAME_BYTES_MAX} bytes at most: {new}"
            ));
        }
        asked[index] = new;
    }
    Ok(asked)
}

/// The command of a client's last request, under its name as it was spelled: a pipeline repeats
/// it, and to compare two words is a third of the cost of looking it up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recent(Option<(Ends, Found)>);

impl Recent {
    /// The command of a request that spells its name as the last one did and takes its arguments,
    /// which need not be looked at where it `repeats` the last one.
    #[inline]
    pub fn find(&self, args: Args<'_>, repeats: bool) -> Option<Found> {
        let (ends, found) = self.0.as_ref()?;
        let is_it = repeats || *ends == Ends::new(args.at(0)) && found.command.takes(args.len());
        is_it.then_some(*found)
    }

    /// Notes what a request named, where its name alone says it.
    #[inline]
    pub fn note(&mut self, args: Args<'_>, found: Found) {
        let name = args.at(0);
        let is_container = !found.command.subcommands.is_empty();
        let is_subcommand = found.index >= table().len();
        let is_told = name.len() <= WHOLE_BYTES_MAX && !is_container && !is_subcommand;
        self.0 = is_told.then(|| (Ends::new(name), found));
    }
}

/// Names up to this length are all in their [`Ends`].
const WHOLE_BYTES_MAX: usize = 16;

/// A name's first and last eight bytes, which may overlap, and its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    head: u64,
    tail: u64,
    len: usize,
}

impl Ends {
    #[inline]
    fn new(name: &[u8]) -> Self {
        let (head, tail) = if let (Some(head), Some(tail)) = ends::<8>(name) {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = ends::<4>(name) {
            (
                u64::from(u32::from_le_bytes(*head)),
                u64::from(u32::from_le_bytes(*tail)),
            )
        } else if let (Some(head), Some(tail)) = ends::<2>(name) {
            (
                u64::from(u16::from_le_bytes(*head)),
                u64::from(u16::from_le_bytes(*tail)),
            )
        } else {
            (name.first().copied().map_or(0, u64::from), 0)
        };
        let len = name.len();
        Self { head, tail, len }
    }
}

/// The ends of a name folded to lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Folded {
    head: u64,
    tail: u64,
    len: u8,
}

impl Folded {
    #[inline]
    fn new(name: &[u8]) -> Self {
        let ends = Ends::new(name);
        #[allow(clippy::cast_possible_truncation, reason = "at most NAME_BYTES_MAX")]
        let len = ends.len as u8;
        Self {
            head: to_lower(ends.head),
            tail: to_lower(ends.tail),
            len,
        }
    }

    /// Where the search for it starts.
    #[inline]
    fn slot(self) -> usize {
        let mixed = self.head ^ self.tail.rotate_left(29) ^ u64::from(self.len) << 56;
        #[allow(clippy::cast_possible_truncation, reason = "ten bits are left")]
        let slot = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize;
        slot
    }
}

/// Folds the ASCII capitals among eight bytes to lower case, and leaves all others alone.
#[inline]
fn to_lower(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low_bits = bytes & (0x7f * ONES);
    let from_a = low_bits + (0x80 - u64::from(b'A')) * ONES;
    let past_z = low_bits + (0x7f - u64::from(b'Z')) * ONES;
    let capitals = (from_a ^ past_z) & !bytes & (0x80 * ONES);
    bytes | capitals >> 2
}

#[cfg(test)]
mod tests {
    use super::{Recent, Table, table, to_lower};
    use crate::protocol::OwnedArgs;

    #[test]
    fn recognises_only_what_the_name_alone_says() {
        let request = |words: &[&str]| words.iter().map(|word| word.as_bytes()).collect();
        let get: OwnedArgs = request(&["Get", "k"]);
        let mut recent = Recent::default();
        assert!(recent.find(get.as_args(), false).is_none());
        for (words, is_noted) in [
            (&["Get", "k"][..], true),
            (&["object", "encoding", "k"], false),
            (&["object"], false),
            (&["get", "k"], true),
        ] {
            let args: OwnedArgs = request(words);
            let args = args.as_args();
            recent.note(args, table().resolve(args).unwrap());
            assert_eq!(recent.find(args, false).is_some(), is_noted, "{words:?}");
        }
        let too_many: OwnedArgs = request(&["get", "k", "l"]);
        assert!(recent.find(too_many.as_args(), false).is_none());
    }

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
    fn every_container_has_help() {
        let containers = table()
            .iter()
            .filter(|command| !command.subcommands.is_empty());
        for command in containers {
            let mut subcommands = command.subcommands.iter();
            let has_help = subcommands.any(|subcommand| subcommand.name == "help");
            assert!(has_help, "{}", command.name);
        }
    }

    #[test]
    fn renamed_commands_go_by_their_new_name_alone() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(old, new): &(&str, &str)| ((*old).to_owned(), (*new).to_owned());
            pairs.iter().map(owned).collect()
        };
        let long = "b840fc02d524045429941cc15f59e41cb7be6c52";
        let renames = pairs(&[
            ("CONFIG", long),
            ("keys", ""),
            ("Get", "fetch"),
            ("set", "GET"),
        ]);
        let table = Table::new(&renames).unwrap();
        let found = |name: &str| table.find(name.as_bytes()).map(|index| table.name(index));
        assert_eq!(found(long), Some("config"));
        assert_eq!(found(&long.to_uppercase()), Some("config"));
        assert_eq!(found(&long.replace('8', "9")), None);
        assert_eq!(
            (found("config"), found("keys"), found("set")),
            (None, None, None)
        );
        assert_eq!((found("FETCH"), found("get")), (Some("get"), Some("set")));
        for (wrong, fault) in [
            (pairs(&[("nosuch", "x")]), "no command is called nosuch"),
            (pairs(&[("get", "SET")]), "a command set already"),
            (pairs(&[("", "x")]), "no command is called"),
            (pairs(&[("get", &"x".repeat(65))]), "64 bytes at most"),
        ] {
            let error = Table::new(&wrong).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
    }

    #[test]
    fn folds_capitals_only() {
        for byte in 0..=255_u8 {
            let folded = to_lower(u64::from_le_bytes([byte; 8]));
            assert_eq!(folded, u64::from_le_bytes([byte.to_ascii_lowercase(); 8]));
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
