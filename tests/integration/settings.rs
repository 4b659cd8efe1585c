//! Flags, file and environment, and what a wrong one says.

use std::io::Write;
use std::process::{Command, Output};

use crate::raw::Raw;
use crate::server::Server;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(args)
        .output()
        .expect("weir runs")
}

#[test]
fn a_file_sets_and_a_flag_wins() {
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    writeln!(file, "maxclients = 77\ntimeout = 33").unwrap();
    let path = file.path().to_str().unwrap();
    let server = Server::weir(&["--config", path, "--timeout", "44"]);
    let mut raw = Raw::open(server.address);
    let get = |raw: &mut Raw, name: &str, value: &str| {
        let (n, v) = (name.len(), value.len());
        raw.ask(
            &["CONFIG", "GET", name],
            &format!("*2\r\n${n}\r\n{name}\r\n${v}\r\n{value}\r\n"),
        );
    };
    get(&mut raw, "maxclients", "77");
    get(&mut raw, "timeout", "44");
}

#[test]
fn a_start_line_of_redis_works() {
    let server = Server::weir(&["--save", "", "--appendonly", "no", "--maxmemory", "100mb"]);
    Raw::open(server.address).ask(
        &["CONFIG", "GET", "maxmemory"],
        "*2\r\n$9\r\nmaxmemory\r\n$9\r\n104857600\r\n",
    );
}

#[test]
fn a_bad_flag_says_what_is_wrong() {
    for (args, expected) in [
        (&["--prot", "7000"][..], "prot"),
        (&["--port", "seven"], "port"),
        (&["--port", "70000"], "port"),
        (&["--maxmemory", "much"], "maxmemory"),
        (
            &["--config", "/nonexistent/weir.toml"],
            "/nonexistent/weir.toml",
        ),
    ] {
        let output = run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{args:?} is accepted");
        assert!(text.contains(expected), "{args:?}: {text}");
        assert!(
            output.stdout.is_empty(),
            "{args:?} prints to the standard output"
        );
    }
}

#[test]
fn help_and_version_are_answers() {
    for args in [["--help"], ["--version"]] {
        let output = run(&args);
        assert!(
            output.status.success() && !output.stdout.is_empty(),
            "{args:?}"
        );
    }
}

#[test]
fn a_password_is_asked_for() {
    let server = Server::weir(&["--requirepass", "secret"]);
    let mut raw = Raw::open(server.address);
    raw.ask(&["PING"], "-NOAUTH Authentication required.\r\n");
    raw.ask(
        &["AUTH", "wrong"],
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    );
    raw.ask(&["AUTH", "secret"], "+OK\r\n");
    raw.ask(&["PING"], "+PONG\r\n");
}
