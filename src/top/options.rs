//! The command line of `weir top`.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the server is.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user to be, and the password.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The database to look at.
    pub db: u8,
    interval_ms: u64,
}

impl Options {
    /// Host and port.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Microseconds between two looks.
    pub fn interval_us(&self) -> u64 {
        self.interval_ms * 1000
    }
}

fn command() -> Command {
    let value = |name: &'static str, short: char, default: &'static str, about: &'static str| {
        Arg::new(name)
            .long(name)
            .short(short)
            .default_value(default)
            .help(about)
    };
    Command::new("top")
        .bin_name("weir top")
        .about("Shows how it goes with all queues, in the terminal")
        .disable_help_flag(true)
        .arg(value("host", 'h', "127.0.0.1", "where the server is"))
        .arg(value("port", 'p', "6379", "its port").value_parser(clap::value_parser!(u16)))
        .arg(value("db", 'n', "0", "the database to look at").value_parser(clap::value_parser!(u8)))
        .arg(
            value("interval", 'i', "1000", "milliseconds between two looks")
                .value_parser(clap::value_parser!(u64).range(100..)),
        )
        .arg(Arg::new("user").long("user").help("the user to be"))
        .arg(
            Arg::new("password")
                .long("password")
                .short('a')
                .help("its password; WEIR_PASSWORD says it more quietly"),
        )
        .arg(
            Arg::new("help")
                .long("help")
                .action(ArgAction::Help)
                .help("print this"),
        )
}

/// Reads the command line; the first argument is the program's name.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Ok(Options {
        host: text("host").unwrap_or_default(),
        port: matches.get_one("port").copied().unwrap_or_default(),
        user: text("user"),
        password: text("password").or_else(|| std::env::var("WEIR_PASSWORD").ok()),
        db: matches.get_one("db").copied().unwrap_or_default(),
        interval_ms: matches.get_one("interval").copied().unwrap_or_default(),
    })
}
