//! docs/CONFIG.md, written from the table.

use std::fmt::Write as _;

use super::environment::variable;
use super::table::{ALIASES, Change, Group, Spec, TABLE};

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for group in Group::HONOURED {
        section(&mut page, group);
    }
    page.push_str(INERT_HEAD);
    for group in Group::INERT {
        inert_section(&mut page, group);
    }
    page.push_str("\n## Older names\n\nEach reads and sets the setting beside it.\n\n");
    page.push_str("| older name | setting |\n| --- | --- |\n");
    for (alias, name) in ALIASES {
        line(&mut page, format_args!("| `{alias}` | `{name}` |"));
    }
    page
}

const HEAD: &str = "\
# Settings

Generated from the settings table in `src/config`; after a change there, run
`WEIR_BLESS=1 cargo test --lib config`.

A setting can be given in four places. Each wins over those below it:

1. on the command line: `weir --maxmemory 1gb`
2. in the environment, in capitals behind `WEIR_`: `WEIR_MAXMEMORY=1gb`
3. in a file, named as `weir FILE`, `--config FILE` or `WEIR_CONFIG=FILE`: TOML
   (`maxmemory = \"1gb\"`, `bind = [\"127.0.0.1\", \"::1\"]`, `protected-mode = false`), or the lines
   of a redis.conf (`maxmemory 1gb`) unless the name ends in `.toml`; `include FILE` reads another
   in its place
4. as the default here

`CONFIG GET` reads every setting. `CONFIG SET` changes those marked *live* at once; the others are
fixed at start. `CONFIG REWRITE` writes what was changed back to the file and keeps its comments.

Sizes take units: `1kb`, `1mb`, `1gb` count in 1024, `1k`, `1m`, `1g` in 1000.

By default `maxmemory` is three quarters of the memory of the machine or of the process's cgroup,
whichever is less; `CONFIG GET maxmemory` shows the bytes. The rest is for what is not counted:
buffers of connections, fragments, the system. `maxmemory 0` turns the limit off.
";

const INERT_HEAD: &str = "
# Accepted without effect

These exist so that start lines, files, clients and tools made for Redis keep working. They can be
read, and set where Redis allows it, with Redis's defaults and bounds, and do nothing. A warning at
start names those that were given another value than the default.
";

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{text}");
}

fn section(page: &mut String, group: Group) {
    line(
        page,
        format_args!("\n## {}\n\n{}\n", group.title(), group.remark()),
    );
    let described = |spec: &Spec| !spec.about.is_empty();
    for spec in of(group).filter(|spec| described(spec)) {
        line(page, format_args!("### {}\n", spec.name));
        line(page, format_args!("{}.\n", capitalised(spec.about)));
        line(page, format_args!("- takes {}", spec.kind.expects()));
        line(page, format_args!("- default {}", default(spec)));
        line(page, format_args!("- changes {}", change(spec.change)));
        line(
            page,
            format_args!("- `--{}`, `{}`\n", spec.name, variable(spec.name)),
        );
    }
    if of(group).any(|spec| !described(spec)) {
        rows(page, of(group).filter(|spec| !described(spec)));
    }
    while page.ends_with("\n\n") {
        page.pop();
    }
}

fn inert_section(page: &mut String, group: Group) {
    line(
        page,
        format_args!("\n## {}\n\n{}\n", group.title(), group.remark()),
    );
    rows(page, of(group));
}

fn rows<'a>(page: &mut String, specs: impl Iterator<Item = &'a Spec>) {
    page.push_str("| setting | default | takes | changes |\n| --- | --- | --- | --- |\n");
    for spec in specs {
        let (name, default) = (spec.name, default(spec));
        let (takes, change) = (spec.kind.expects(), change(spec.change));
        let takes = takes.replace('|', "\\|");
        line(
            page,
            format_args!("| `{name}` | {default} | {takes} | {change} |"),
        );
    }
}

fn of(group: Group) -> impl Iterator<Item = &'static Spec> {
    TABLE.iter().filter(move |spec| spec.group == group)
}

fn default(spec: &Spec) -> String {
    if spec.default.is_empty() {
        "empty".to_owned()
    } else {
        format!("`{}`", spec.default)
    }
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Live => "live",
        Change::Start | Change::Protected => "only at start",
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
