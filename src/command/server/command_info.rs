//! COMMAND: the command table as clients see it.

use crate::flags;
use crate::glob;
use crate::protocol::{Args, Reply};

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::super::spec::{Command, Flags, KeyPositions, Keys};
use super::super::table::{Found, table};
use super::{as_integer, categories, key_specs, tips};

/// A row of the table: COMMAND's subcommands share their group and flags.
macro_rules! sub {
    ($name:literal, $arity:literal, $since:literal, $summary:literal, $handler:path) => {
        row!(
            $name,
            $arity,
            flags![LOADING, STALE],
            $since,
            $summary,
            $handler
        )
    };
}

/// COMMAND and its subcommands.
#[rustfmt::skip]
pub(super) const COMMAND: Command = Command {
    name: "command",
    arity: -1,
    flags: flags![LOADING, STALE],
    keys: Keys::None,
    group: "server",
    since: "2.8.13",
    summary: "Returns detailed information about all commands.",
    handler: all,
    subcommands: &[
        sub!("count", 2, "2.8.13", "Returns a count of commands.", count),
        sub!("docs", -2, "7.0.0", "Returns documentary information about one, multiple or all commands.", docs),
        sub!("info", -2, "2.8.13", "Returns information about one, multiple or all commands.", info),
        sub!("list", -2, "7.0.0", "Returns a list of command names.", list),
        sub!("getkeys", -3, "2.8.13", "Extracts the key names from an arbitrary command.", getkeys),
        sub!("getkeysandflags", -3, "7.0.0",
            "Extracts the key names and access flags for an arbitrary command.", getkeysandflags),
        sub!("help", 2, "5.0.0", "Returns helpful text about the different subcommands.", crate::command::help::help),
    ],
};

/// Flags with their names, in Redis's order.
const FLAG_NAMES: [(Flags, &str); 16] = [
    (Flags::WRITE, "write"),
    (Flags::READONLY, "readonly"),
    (Flags::DENYOOM, "denyoom"),
    (Flags::ADMIN, "admin"),
    (Flags::PUBSUB, "pubsub"),
    (Flags::NOSCRIPT, "noscript"),
    (Flags::BLOCKING, "blocking"),
    (Flags::LOADING, "loading"),
    (Flags::STALE, "stale"),
    (Flags::SKIP_MONITOR, "skip_monitor"),
    (Flags::SKIP_SLOWLOG, "skip_slowlog"),
    (Flags::FAST, "fast"),
    (Flags::NO_AUTH, "no_auth"),
    (Flags::NO_MULTI, "no_multi"),
    (Flags::MOVABLE_KEYS, "movablekeys"),
    (Flags::ALLOW_BUSY, "allow_busy"),
];

/// Flags that follow those above.
const NO_MANDATORY_KEYS: (Flags, &str) = (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys");

/// What Redis does not run while it loads; Weir never does, so no flag is kept for it.
#[rustfmt::skip]
const NO_ASYNC_LOADING: &[&str] = &[
    "bgrewriteaof", "bgsave", "cluster|addslots", "cluster|delslots", "cluster|failover",
    "cluster|forget", "cluster|meet", "cluster|replicate", "cluster|setslot", "module|load",
    "module|loadex", "module|unload", "psync", "replicaof", "save", "slaveof", "sync",
];

/// The names of the flags of a command; `name` is its own, or `container|subcommand`.
pub(super) fn flag_names(name: &str, command: &Command) -> Vec<&'static str> {
    let named = FLAG_NAMES.iter().chain([&NO_MANDATORY_KEYS]);
    let has = named.filter(|(flag, _)| command.flags.any(*flag));
    let loading = NO_ASYNC_LOADING
        .contains(&name)
        .then_some("no_async_loading");
    has.map(|(_, flag)| *flag).chain(loading).collect()
}

/// The command or subcommand of `name` or `container|subcommand`, with its full name.
fn lookup(name: &[u8]) -> Option<(&'static str, &'static Command)> {
    table()
        .with_subcommands()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
}

/// COMMAND
fn all(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.array(table().len());
    for command in table().iter() {
        write_info(call.reply, command.name, command);
    }
    Ok(Outcome::Done)
}

/// COMMAND COUNT
fn count(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply.integer(as_integer(table().len()));
    Ok(Outcome::Done)
}

/// COMMAND INFO [command-name [command-name ...]]
fn info(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    if args.len() == 2 {
        return all(call, args);
    }
    call.reply.array(args.len() - 2);
    for name in args.from(2) {
        match lookup(name) {
            Some((name, command)) => write_info(call.reply, name, command),
            None => call.reply.null(),
        }
    }
    Ok(Outcome::Done)
}

fn write_info(reply: &mut Reply, name: &str, command: &Command) {
    reply.array(10);
    reply.bulk_str(name);
    reply.integer(i64::from(command.arity));
    let flags = flag_names(name, command);
    reply.set(flags.len());
    for flag in flags {
        reply.simple(flag);
    }
    let (first, last, step) = key_range(command);
    for position in [first, last, step] {
        reply.integer(position);
    }
    let categories = categories::of(name, command);
    reply.set(categories.len());
    for category in categories {
        reply.simple(&format!("@{category}"));
    }
    let tips = tips::of(name);
    reply.set(tips.len());
    for tip in tips {
        reply.bulk_str(tip);
    }
    write_key_specs(reply, name, command);
    match command.subcommands.len() {
        0 => reply.set(0),
        len => reply.array(len),
    }
    for sub in command.subcommands {
        write_info(reply, &format!("{}|{}", command.name, sub.name), sub);
    }
}

/// First key, last key and step, as far as positions tell; zeros where they do not.
fn key_range(command: &Command) -> (i64, i64, i64) {
    match command.keys {
        Keys::Range { first, last, step } => {
            (as_integer(first), as_integer(last), as_integer(step))
        }
        Keys::Numbered { also, .. } if also > 0 => (as_integer(also), as_integer(also), 1),
        Keys::Found(_) if command.name.starts_with("sort") => (1, 1, 1),
        Keys::None | Keys::Numbered { .. } | Keys::Found(_) => (0, 0, 0),
    }
}

/// How to find the keys, for clients that route by them.
fn write_key_specs(reply: &mut Reply, name: &str, command: &Command) {
    let (first_does, others_do) = key_specs::of(name, command);
    match command.keys {
        Keys::None => reply.set(0),
        Keys::Range { first, last, step } => {
            let after_first = last != 1 || first != 1;
            if first_does == others_do || !after_first {
                reply.set(1);
                let span = if last < 0 {
                    last
                } else {
                    last - first.cast_signed()
                };
                write_range(reply, first_does, first, span, step);
            } else {
                reply.set(2);
                write_range(reply, first_does, first, 0, step);
                let span = if last < 0 { last } else { 0 };
                write_range(reply, others_do, first + step, span, step);
            }
        }
        Keys::Numbered { at, also } => {
            reply.set(if also > 0 { 2 } else { 1 });
            if also > 0 {
                write_range(reply, first_does, also, 0, 1);
            }
            write_spec_head(reply, others_do, "index", &[("index", at)]);
            let counts = [("keynumidx", 0), ("firstkey", 1), ("keystep", 1)];
            write_finder(reply, "find_keys", "keynum", &counts);
        }
        Keys::Found(_) if name.starts_with("xread") => {
            reply.set(1);
            write_streams(reply, first_does, if name == "xread" { 1 } else { 4 });
        }
        // By what it sorts and what it stores is found by words anywhere.
        Keys::Found(_) if name.starts_with("sort") => {
            let stores = first_does != others_do;
            reply.set(if stores { 3 } else { 2 });
            write_range(reply, first_does, 1, 0, 1);
            write_unknown(reply, first_does);
            if stores {
                write_unknown(reply, others_do);
            }
        }
        Keys::Found(_) => {
            reply.set(1);
            write_unknown(reply, first_does);
        }
    }
}

/// Keys that no rule finds.
fn write_unknown(reply: &mut Reply, does: &str) {
    write_spec_head(reply, does, "unknown", &[]);
    write_finder(reply, "find_keys", "unknown", &[]);
}

fn write_range(reply: &mut Reply, does: &str, first: usize, last: isize, step: usize) {
    write_spec_head(reply, does, "index", &[("index", first)]);
    write_span(reply, last, step, 0);
}

/// The keys of XREAD and XREADGROUP: the first half of what follows a word.
fn write_streams(reply: &mut Reply, does: &str, from: i64) {
    reply.map(3);
    reply.bulk_str("flags");
    write_key_flags(reply, does);
    reply.bulk_str("begin_search");
    reply.map(2);
    reply.bulk_str("type");
    reply.bulk_str("keyword");
    reply.bulk_str("spec");
    reply.map(2);
    reply.bulk_str("keyword");
    reply.bulk_str("STREAMS");
    reply.bulk_str("startfrom");
    reply.integer(from);
    write_span(reply, -1, 1, 2);
}

/// Keys up to the `last`, of all that follows or of one part in `limit` of it.
fn write_span(reply: &mut Reply, last: isize, step: usize, limit: i64) {
    reply.bulk_str("find_keys");
    reply.map(2);
    reply.bulk_str("type");
    reply.bulk_str("range");
    reply.bulk_str("spec");
    reply.map(3);
    for (field, value) in [
        ("lastkey", as_integer(last)),
        ("keystep", as_integer(step)),
        ("limit", limit),
    ] {
        reply.bulk_str(field);
        reply.integer(value);
    }
}

fn write_spec_head(reply: &mut Reply, does: &str, search: &str, spec: &[(&str, usize)]) {
    reply.map(3);
    reply.bulk_str("flags");
    write_key_flags(reply, does);
    write_finder(reply, "begin_search", search, spec);
}

fn write_finder(reply: &mut Reply, field: &str, kind: &str, spec: &[(&str, usize)]) {
    reply.bulk_str(field);
    reply.map(2);
    reply.bulk_str("type");
    reply.bulk_str(kind);
    reply.bulk_str("spec");
    reply.map(spec.len());
    for (field, value) in spec {
        reply.bulk_str(field);
        reply.integer(as_integer(*value));
    }
}

fn write_key_flags(reply: &mut Reply, does: &str) {
    reply.set(does.split(' ').count());
    does.split(' ').for_each(|word| reply.simple(word));
}

/// COMMAND DOCS [command-name [command-name ...]]
fn docs(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted: Vec<_> = if args.len() == 2 {
        table()
            .iter()
            .map(|command| (command.name, command))
            .collect()
    } else {
        args.from(2).filter_map(lookup).collect()
    };
    call.reply.map(wanted.len());
    for (name, command) in wanted {
        call.reply.bulk_str(name);
        write_docs(call.reply, command);
    }
    Ok(Outcome::Done)
}

fn write_docs(reply: &mut Reply, command: &Command) {
    reply.map(if command.subcommands.is_empty() { 3 } else { 4 });
    for (field, value) in [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group),
    ] {
        reply.bulk_str(field);
        reply.bulk_str(value);
    }
    if !command.subcommands.is_empty() {
        reply.bulk_str("subcommands");
        reply.map(command.subcommands.len());
        for sub in command.subcommands {
            reply.bulk_str(&format!("{}|{}", command.name, sub.name));
            write_docs(reply, sub);
        }
    }
}

/// COMMAND LIST [FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]
fn list(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let filter = match args.len() {
        2 => Filter::None,
        5 if args.at(2).eq_ignore_ascii_case(b"filterby") => Filter::parse(args.at(3), args.at(4))?,
        _ => return Err(Error::Syntax),
    };
    let later = call.reply.array_later();
    let mut len = 0;
    for (name, command) in table().with_subcommands() {
        if filter.keeps(name, command) {
            call.reply.bulk_str(name);
            len += 1;
        }
    }
    call.reply.close_array(later, len);
    Ok(Outcome::Done)
}

/// What COMMAND LIST shows.
enum Filter<'a> {
    None,
    /// Of a module; there are none.
    Module,
    Category(String),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(by: &[u8], value: &'a [u8]) -> Result<Self> {
        match by.to_ascii_lowercase().as_slice() {
            b"module" => Ok(Self::Module),
            b"aclcat" => {
                let category = String::from_utf8_lossy(value).to_ascii_lowercase();
                Ok(Self::Category(category))
            }
            b"pattern" => Ok(Self::Pattern(value)),
            _ => Err(Error::Syntax),
        }
    }

    fn keeps(&self, name: &str, command: &Command) -> bool {
        match self {
            Self::None => true,
            Self::Module => false,
            Self::Category(category) => categories::is_in(name, command, category),
            Self::Pattern(pattern) => glob::matches(pattern, name.as_bytes(), true),
        }
    }
}

/// The keys of the request that follows COMMAND GETKEYS or its kin.
fn keys_of(args: Args<'_>) -> Result<(Args<'_>, Found, KeyPositions)> {
    let request = args.tail(2);
    let found = table()
        .resolve(request)
        .filter(|found| !found.is_unknown_subcommand)
        .ok_or(Error::line("ERR Invalid command specified"))?;
    if matches!(found.command.keys, Keys::None) {
        return Err(Error::line("ERR The command has no key arguments"));
    }
    if !found.command.takes(request.len()) {
        return Err(Error::line(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let mut positions = KeyPositions::new();
    found.command.keys.positions(request, &mut positions);
    if positions.is_empty() && !found.command.flags.any(Flags::NO_MANDATORY_KEYS) {
        return Err(Error::line("ERR Invalid arguments specified for command"));
    }
    Ok((request, found, positions))
}

/// COMMAND GETKEYS command [arg [arg ...]]
fn getkeys(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (request, _, positions) = keys_of(args)?;
    call.reply.array(positions.len());
    for position in positions {
        call.reply.bulk(request.at(position));
    }
    Ok(Outcome::Done)
}

/// COMMAND GETKEYSANDFLAGS command [arg [arg ...]]
fn getkeysandflags(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (request, found, positions) = keys_of(args)?;
    let name = table().name(found.index);
    let (first_does, others_do) = key_specs::of_request(name, found.command, request);
    call.reply.array(positions.len());
    for (index, position) in positions.into_iter().enumerate() {
        call.reply.array(2);
        call.reply.bulk(request.at(position));
        write_key_flags(call.reply, if index == 0 { first_does } else { others_do });
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn commands_are_described() {
        let bench = Bench::new();
        assert_eq!(
            bench.run("COMMAND INFO GET nosuch"),
            "*2 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 \
             *1 *6 $5 flags *2 +RO +access $12 begin_search *4 $4 type $5 index $4 spec *2 \
             $5 index :1 $9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :0 \
             $7 keystep :1 $5 limit :0 *0 $-1"
        );
        assert!(
            bench
                .run("COMMAND INFO Config|Get")
                .starts_with("*1 *10 $10 config|get :-3")
        );
        assert!(
            bench
                .run("COMMAND DOCS ping nosuch")
                .starts_with("*2 $4 ping *6 $7 summary")
        );
        let count = bench.run("COMMAND COUNT").replace(':', "*");
        assert!(bench.run("COMMAND").starts_with(&count));
        assert!(bench.run("COMMAND INFO").starts_with(&count));
    }

    #[test]
    fn tips_are_told() {
        let info = Bench::new().run("COMMAND INFO SLOWLOG|LEN");
        let tips = "*3 $24 request_policy:all_nodes $23 response_policy:agg_sum \
                    $23 nondeterministic_output";
        assert!(info.contains(tips), "{info}");
    }

    #[test]
    fn the_key_that_is_sorted_is_told_first() {
        let bench = Bench::new();
        let first = "*6 $5 flags *2 +RO +access $12 begin_search *4 $4 type $5 index $4 spec *2 \
                     $5 index :1";
        let unknown = |flags: &str| {
            format!(
                "*6 $5 flags *2 {flags} $12 begin_search *4 $4 type $7 unknown $4 spec *0 \
                 $9 find_keys *4 $4 type $7 unknown $4 spec *0"
            )
        };
        let (by, store) = (unknown("+RO +access"), unknown("+OW +update"));
        let info = bench.run("COMMAND INFO SORT");
        assert!(info.contains(&format!("*3 {first}")), "{info}");
        assert!(info.ends_with(&format!("{by} {store} *0")), "{info}");
        let info = bench.run("COMMAND INFO SORT_RO");
        assert!(info.contains(&format!("*2 {first}")), "{info}");
        assert!(info.ends_with(&format!("{by} *0")), "{info}");
    }

    #[test]
    fn names_are_listed_and_filtered() {
        let bench = Bench::new();
        assert!(bench.run("COMMAND LIST").contains("$10 config|get"));
        assert_eq!(
            bench.run("COMMAND LIST FILTERBY PATTERN config|re*"),
            "*2 $16 config|resetstat $14 config|rewrite"
        );
        assert_eq!(bench.run("COMMAND LIST FILTERBY MODULE json"), "*0");
        assert!(
            bench
                .run("COMMAND LIST FILTERBY aclcat LIST")
                .contains("$5 lpush")
        );
        for command in ["COMMAND LIST FILTERBY", "COMMAND LIST FILTERBY x y"] {
            assert_eq!(bench.run(command), "-ERR syntax error");
        }
    }

    #[test]
    fn keys_are_extracted() {
        let bench = Bench::new();
        assert_eq!(bench.run("COMMAND GETKEYS SET a b"), "*1 $1 a");
        assert_eq!(
            bench.run("COMMAND GETKEYS LMPOP 2 a b LEFT"),
            "*2 $1 a $1 b"
        );
        assert_eq!(
            bench.run("COMMAND GETKEYS XREADGROUP streams > x + STREAMS 1 z g"),
            "*1 $1 1"
        );
        assert_eq!(
            bench.run("COMMAND GETKEYSANDFLAGS LMOVE a b LEFT LEFT"),
            "*2 *2 $1 a *3 +RW +access +delete *2 $1 b *2 +RW +insert"
        );
        assert_eq!(
            bench.run("COMMAND GETKEYSANDFLAGS BITFIELD k SET u8 0 1"),
            "*1 *2 $1 k *3 +RW +access +update"
        );
        for (request, why) in [
            ("nosuch", "Invalid command specified"),
            ("CONFIG nosuch", "Invalid command specified"),
            ("PING", "The command has no key arguments"),
            ("GET", "Invalid number of arguments specified for command"),
            ("LMPOP 3 a LEFT", "Invalid arguments specified for command"),
            (
                "XREADGROUP streams $ z 1 x > x c group",
                "Invalid arguments specified for command",
            ),
        ] {
            assert_eq!(
                bench.run(&format!("COMMAND GETKEYS {request}")),
                format!("-ERR {why}")
            );
        }
    }
}
