//! docs/COMMANDS.md, written from the command table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::super::spec::Command;
use super::super::table::table;
use super::categories;
use super::command_info::flag_names;

const HEAD: &str = "\
# Commands

Generated from the command table in `src/command`; after a change there, run
`WEIR_BLESS=1 cargo test --lib command`.

Arity counts the command's own words; a negative one is the least. *Since* is the version of Redis
that brought the command. `COMMAND INFO` and `COMMAND DOCS` tell the same to clients.
";

/// The whole page: a table for each group, in the order of the groups' names.
fn page() -> String {
    let mut groups: BTreeMap<&str, Vec<(&str, &Command)>> = BTreeMap::new();
    for (name, command) in table().with_subcommands() {
        groups
            .entry(command.group)
            .or_default()
            .push((name, command));
    }
    let mut page = HEAD.to_owned();
    for (group, commands) in &mut groups {
        commands.sort_unstable_by_key(|(name, _)| *name);
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {group}\n\n");
        page.push_str("| command | arity | since | flags | categories | what it does |\n");
        page.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for (name, command) in commands {
            row(&mut page, name, command);
        }
    }
    page
}

fn row(page: &mut String, name: &str, command: &Command) {
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} | {} |",
        name.to_ascii_uppercase().replace('|', " "),
        command.arity,
        command.since,
        flag_names(name, command).join(" "),
        categories::of(name, command).join(" "),
        command.summary,
    );
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/COMMANDS.md");
    let page = page();
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/COMMANDS.md does not match the command table; \
         `WEIR_BLESS=1 cargo test --lib command` rewrites it"
    );
}
