//! The command line: flags built from the table, and `weir --help`.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, builder::NonEmptyStringValueParser};

use super::file;
use super::kind::Kind;
use super::table::{ALIASES, Group, Spec, TABLE, find, is_given_up};

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The configuration file.
    pub file: Option<String>,
    /// Settings: index and value, in their order for each setting.
    pub settings: Vec<(usize, String)>,
}

/// Reads the command line; the first argument is the program's name.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Given, clap::Error> {
    let matches = command().try_get_matches_from(gather(args))?;
    let mut given = Given {
        file: ["config", "FILE"]
            .into_iter()
            .find_map(|id| matches.get_one::<String>(id).cloned()),
        settings: Vec::new(),
    };
    for (spec, index) in TABLE.iter().zip(0..) {
        for value in matches.get_many::<String>(spec.name).into_iter().flatten() {
            given.settings.push((index, value.clone()));
        }
    }
    Ok(given)
}

/// Rewrites `--bind 127.0.0.1 ::1` to `--bind=127.0.0.1 ::1`: the values of a setting reach up to
/// the next flag, as with redis-server, and may start with a dash.
fn gather(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.peekable();
    let mut gathered: Vec<OsString> = args.next().into_iter().collect();
    while let Some(arg) = args.next() {
        let flag = arg.to_str().and_then(|arg| arg.strip_prefix("--"));
        let setting = flag.and_then(find);
        let is_value = |arg: &OsString| !arg.as_encoded_bytes().starts_with(b"--");
        let Some(index) = setting else {
            if flag.is_some_and(is_given_up) {
                args.next_if(is_value);
            } else {
                gathered.push(arg);
            }
            continue;
        };
        let kind = TABLE[index].kind;
        let mut values: Vec<OsString> = Vec::new();
        while let Some(value) = args.next_if(is_value) {
            values.push(value);
            if !kind.is_list() && !kind.has_quoted_words() {
                break;
            }
        }
        // One argument is the whole line, with quotes of its own; several are its words.
        if kind.has_quoted_words() && values.len() > 1 {
            for value in &mut values {
                if let Some(word) = value.to_str() {
                    *value = file::quoted(word).into();
                }
            }
        }
        let mut joined = OsString::from(format!("--{}", TABLE[index].name));
        for (at, value) in values.iter().enumerate() {
            joined.push(if at == 0 { "=" } else { " " });
            joined.push(value);
        }
        gathered.push(joined);
    }
    gathered
}

/// The command with a flag per setting.
pub fn command() -> Command {
    let version = Arg::new("version")
        .long("version")
        .short('v')
        .short_alias('V')
        .action(ArgAction::Version)
        .help("Print the version");
    let help = Arg::new("help")
        .long("help")
        .short('h')
        .action(ArgAction::Help)
        .help("Print this page");
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(NonEmptyStringValueParser::new())
        .conflicts_with("FILE")
        .help("Same as the argument FILE");
    let file = Arg::new("FILE")
        .value_parser(NonEmptyStringValueParser::new())
        .help("Settings, as TOML (port = 7000) or as lines of redis.conf (port 7000)");
    let mut command = Command::new("weir")
        .bin_name("weir")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER)
        .override_usage("weir [FILE] [--SETTING VALUE]...")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(file)
        .args([config, help, version]);
    for group in Group::HONOURED.into_iter().chain(Group::INERT) {
        let of_group = TABLE.iter().filter(|spec| spec.group == group);
        command = command.args(of_group.map(flag));
    }
    command
}

const ABOUT: &str = "A queue and pub/sub server that speaks the Redis protocol. It keeps everything \
in memory, and counts every message it lets go.";

const AFTER: &str = "\
`weir bench --help` tells of a load generator for any server of this kind.

Defaults stand in brackets. Sizes take units: 100kb, 64mb, 2gb.

Every setting can stand in FILE under its name, and in the environment as WEIR_ and its name in \
capitals (WEIR_MAXMEMORY=1gb). A flag wins over the environment, the environment over FILE.

The other settings of redis-server are accepted too, so that existing start lines work, but have \
no effect. docs/CONFIG.md lists them all.";

fn flag(spec: &'static Spec) -> Arg {
    // Thresholds of encodings have effect, but nobody looks for them in a help page.
    let hidden = spec.inert || spec.group == Group::Encoding;
    let mut help = spec.about.to_owned();
    if let Kind::Choice(words) = spec.kind {
        help = format!("{help} ({})", words.join(", "));
    }
    if !spec.default.is_empty() {
        help = format!("{help} [{}]", short_default(spec));
    }
    let aliases = ALIASES
        .iter()
        .filter(|(_, current)| *current == spec.name)
        .map(|(alias, _)| *alias);
    Arg::new(spec.name)
        .long(spec.name)
        .aliases(aliases)
        .value_name(spec.kind.placeholder())
        .action(ArgAction::Append)
        .help(help)
        .help_heading(spec.group.title())
        .hide(hidden)
}

fn short_default(spec: &Spec) -> &'static str {
    match spec.kind {
        Kind::OutputLimits => "normal 0 0 0 pubsub 32mb 8mb 60",
        _ => spec.default,
    }
}
