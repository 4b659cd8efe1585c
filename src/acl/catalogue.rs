//! What rules may name: the commands with their categories.

use std::ops::Range;

use hashbrown::HashMap;

/// A command or subcommand, as rules name it.
#[derive(Debug)]
pub struct Named {
    /// Lower case; `command|subcommand` for a subcommand.
    pub name: String,
    /// Bits by the position of a category in [`Catalogue::categories`].
    pub categories: u32,
    /// Whether it is a subcommand.
    pub is_subcommand: bool,
    /// Indices of its subcommands.
    pub subcommands: Range<usize>,
}

/// All commands and categories. An index is that of the command table.
#[derive(Debug)]
pub struct Catalogue {
    categories: &'static [&'static str],
    commands: Vec<Named>,
    by_name: HashMap<String, usize, ahash::RandomState>,
}

impl Catalogue {
    /// A catalogue of `commands` in the order of their indices.
    pub fn new(categories: &'static [&'static str], commands: Vec<Named>) -> Self {
        let by_name = commands.iter().enumerate();
        let by_name = by_name.map(|(index, command)| (command.name.clone(), index));
        Self {
            by_name: by_name.collect(),
            categories,
            commands,
        }
    }

    /// The names of all categories.
    pub fn categories(&self) -> &'static [&'static str] {
        self.categories
    }

    /// How many commands and subcommands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// A command by its index.
    pub fn get(&self, index: usize) -> &Named {
        &self.commands[index]
    }

    /// The index of the command of a name in any case, `command` or `command|subcommand`.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.by_name.get(&name).copied()
    }

    /// The indices of the commands of a category of a name in any case.
    pub fn in_category(&self, name: &[u8]) -> Option<impl Iterator<Item = usize> + '_> {
        let is_it = |category: &&str| category.as_bytes().eq_ignore_ascii_case(name);
        let bit = 1 << self.categories.iter().position(is_it)?;
        let members = self.commands.iter().enumerate();
        Some(
            members
                .filter(move |(_, command)| command.categories & bit != 0)
                .map(|(index, _)| index),
        )
    }
}
