//! Tests of what is given at start: command line, environment and files.

use std::ffi::OsString;
use std::path::Path;

use super::load::load_on;
use super::tests::{get, machine};
use super::*;

fn load_with(
    directory: &Path,
    args: &[&str],
    env: &[(&str, &str)],
) -> Result<Loaded, super::LoadError> {
    let args = std::iter::once("weir").chain(args.iter().copied());
    let env = env.iter().map(|(name, value)| (name.into(), value.into()));
    let machine = Machine {
        directory: directory.to_owned(),
        ..machine()
    };
    load_on(machine, args.map(OsString::from), env)
}

fn start(args: &[&str]) -> Start {
    match load_with(Path::new("/srv"), args, &[]) {
        Ok(Loaded::Run(start)) => start,
        other => panic!("{args:?}: {other:?}"),
    }
}

fn load_error(args: &[&str]) -> (u8, String) {
    match load_with(Path::new("/srv"), args, &[]) {
        Err(error) => (error.exit_code(), error.to_string()),
        other => panic!("{args:?}: {other:?}"),
    }
}

#[test]
fn start_lines_of_redis_work() {
    let start = start(&[
        "--port",
        "7000",
        "--bind",
        "127.0.0.1",
        "-::1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--requirepass",
        "-secret",
        "--maxmemory=100mb",
        "--LogLevel",
        "warning",
        "--client-output-buffer-limit",
        "pubsub",
        "1mb",
        "0",
        "0",
        "--daemonize",
        "no",
        "--slowlog-log-slower-than",
        "-1",
        "--workers",
        "2",
        "--unixsocketperm",
        "770",
        "--unixsocket",
        "/run/weir.sock",
        "--hash-max-ziplist-entries",
        "9",
    ]);
    let settings = start.config.settings();
    assert_eq!(settings.port, 7000);
    let hosts: Vec<_> = settings
        .bind
        .iter()
        .map(|at| (at.host.as_str(), at.optional))
        .collect();
    assert_eq!(hosts, [("127.0.0.1", false), ("::1", true)]);
    assert!(settings.bind[1].ip().unwrap().is_ipv6());
    assert_eq!(settings.requirepass.as_deref(), Some("-secret"));
    assert_eq!(settings.maxmemory_bytes, 100 << 20);
    assert_eq!(settings.loglevel, LogLevel::Warning);
    assert_eq!(settings.client_output_limits.pubsub.hard_bytes, 1 << 20);
    assert_eq!(settings.slowlog_slower_than_us, -1);
    assert_eq!(settings.workers, 2);
    assert_eq!(settings.unixsocketperm, Some(0o770));
    assert_eq!(
        settings.unixsocket.as_deref(),
        Some(Path::new("/run/weir.sock"))
    );
    assert_eq!(start.config.live().hash_max_listpack_entries(), 9);
    assert_eq!(start.warnings, [""; 0]);
}

#[test]
fn save_points_of_one_source_add_up() {
    let start = start(&[
        "--save",
        "900",
        "1",
        "--save",
        "300 10",
        "--appendonly",
        "yes",
    ]);
    assert_eq!(get(&start.config, "save"), "900 1 300 10");
    assert_eq!(
        start.warnings,
        [
            "without effect: appendonly, save. Weir keeps everything in memory and writes nothing to disk."
        ]
    );
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let directory = tempfile::tempdir().unwrap();
    let file = "port = 1\ntimeout = 1\nhz = 1\n";
    std::fs::write(directory.path().join("weir.toml"), file).unwrap();
    let env = [("WEIR_PORT", "2"), ("WEIR_TIMEOUT", "2"), ("OTHER", "x")];
    let args = ["weir.toml", "--port", "3"];
    let Ok(Loaded::Run(start)) = load_with(directory.path(), &args, &env) else {
        panic!("refused");
    };
    let settings = start.config.settings();
    assert_eq!((settings.port, settings.timeout_s, settings.hz), (3, 2, 1));
    assert_eq!(settings.tcp_keepalive_s, 300);
    assert_eq!(
        start.config.file(),
        Some(&*directory.path().join("weir.toml"))
    );

    let env = [
        ("WEIR_CONFIG", "weir.toml"),
        ("WEIR_PROT", "7"),
        ("WEIR_PORT", "tcp://10.0.0.1:6379"),
    ];
    let Ok(Loaded::Run(start)) = load_with(directory.path(), &[], &env) else {
        panic!("refused");
    };
    assert_eq!(start.config.settings().port, 1);
    assert_eq!(
        start.warnings,
        [
            "WEIR_PROT is no setting; did you mean WEIR_PORT?",
            "WEIR_PORT=tcp://10.0.0.1:6379 is an address, not a port; passed over",
        ]
    );
}

/// Arguments, exit code, and what is said.
const MISTAKES: &[(&[&str], u8, &str)] = &[
    (
        &["--port", "abc"],
        1,
        "weir: --port abc: argument couldn't be parsed into an integer; port takes a number from 0 to 65535",
    ),
    (
        &["--bind", "127.0.0.1", "999.1.1.1"],
        1,
        "weir: --bind 127.0.0.1 999.1.1.1: '999.1.1.1' is not an address; bind takes addresses such as 127.0.0.1 ::1, or * for all",
    ),
    (
        &["--cluster-enabled", "yes"],
        1,
        "weir: --cluster-enabled yes: argument must be 'no'; cluster-enabled takes only 'no': Weir does not have what it would turn on",
    ),
    (
        &["--replicaof", "10.0.0.1", "6379"],
        1,
        "weir: --replicaof 10.0.0.1 6379: argument must be ''; replicaof takes only '': Weir does not have what it would turn on",
    ),
    (
        &["missing.conf"],
        1,
        "weir: /srv/missing.conf: cannot read it: No such file or directory (os error 2)",
    ),
    (
        &["--prot", "7000"],
        2,
        "weir: unexpected argument '--prot' found\n\n  tip: a similar argument exists: '--port'\n\nUsage: weir [FILE] [--SETTING VALUE]...\n\nFor more information, try '--help'.",
    ),
    (
        &["--port", "--timeout", "1"],
        2,
        "weir: a value is required for '--port <N>' but none was supplied\n\nFor more information, try '--help'.",
    ),
];

#[test]
fn mistakes_say_what_where_and_what_instead() {
    for (args, code, expected) in MISTAKES {
        assert_eq!(load_error(args), (*code, (*expected).to_owned()));
    }
}

#[test]
fn lines_of_a_file_are_read_together_and_once() {
    let directory = tempfile::tempdir().unwrap();
    let load = |lines: &str| {
        std::fs::write(directory.path().join("weir.conf"), lines).unwrap();
        load_with(directory.path(), &["weir.conf"], &[])
    };
    // The second line is what keeps the first from being a circle.
    let Ok(Loaded::Run(start)) = load("policy * dead-letter dead\npolicy dead max-length 5\n")
    else {
        panic!("refused");
    };
    assert_eq!(
        start.config.policy_text(),
        "dead max-length 5; * dead-letter dead"
    );
    for (lines, expected) in [
        (
            "policy a max-length 1\npolicy b max-length 0\nport 1",
            ":2: policy b max-length 0: ",
        ),
        (
            "policy a dead-letter b\npolicy b dead-letter a\nport 1",
            ":2: dead letters would go in a circle: ",
        ),
    ] {
        let refusal = load(lines).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
    let line = |at| format!("policy q{at} dead-letter q{}", at + 1);
    let chain: Vec<String> = (0..4000).map(line).collect();
    assert!(load(&chain.join("\n")).is_ok());
}

#[test]
fn start_lines_and_files_of_redis_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(
        "redis.conf",
        "hz 20\ninclude more.conf\nport 7001\nio-threads-do-reads yes\n\
         list-max-ziplist-entries 512\nshutdown-on-sigterm nosave FORCE\n",
    );
    write("more.conf", "port 7000\ntimeout 9\nsave 900 1\n");
    let line = "redis.conf --rename-command FLUSHALL --rename-command CONFIG --lua-replicate-commands \
                yes --user alice on nopass ~* +@all --shutdown-on-sigint now save";
    let mut args: Vec<&str> = line.split_whitespace().collect();
    let at = args.iter().position(|arg| *arg == "FLUSHALL").unwrap();
    args.insert(at + 1, "");
    args.insert(at + 4, "a 'b");
    let loaded = load_with(directory.path(), &args, &[]);
    let Ok(Loaded::Run(start)) = loaded else {
        panic!("{loaded:?}");
    };
    let settings = start.config.settings();
    assert_eq!(
        (settings.port, settings.timeout_s, settings.hz),
        (7001, 9, 20)
    );
    assert_eq!(get(&start.config, "save"), "900 1");
    assert_eq!(get(&start.config, "shutdown-on-sigterm"), "nosave force");
    assert_eq!(get(&start.config, "shutdown-on-sigint"), "save now");
    assert_eq!(
        start.config.renames(),
        [["FLUSHALL", ""], ["CONFIG", "a 'b"]]
    );
    assert_eq!(
        start.config.users(),
        [["alice", "on", "nopass", "~*", "+@all"]]
    );

    write("more.conf", "include redis.conf");
    let refusal = load_with(directory.path(), &["redis.conf"], &[]).unwrap_err();
    assert!(
        refusal
            .to_string()
            .ends_with("files include files too deep")
    );
    write("more.conf", "port x");
    let refusal = load_with(directory.path(), &["redis.conf"], &[]).unwrap_err();
    assert!(
        refusal.to_string().contains("more.conf:1: port x: "),
        "{refusal}"
    );
}

#[test]
fn nearest_name_forgives_slips_only() {
    for (name, near) in [
        ("prot", Some("port")),
        ("maxmemry", Some("maxmemory")),
        ("max_clients", Some("maxclients")),
        ("log-level", Some("loglevel")),
        ("apendonly", Some("appendonly")),
        ("entirely-else", None),
    ] {
        assert_eq!(table::nearest(name), near, "{name}");
    }
}

#[test]
fn help_and_version_are_answers() {
    for args in [["--help"], ["-h"]] {
        let Ok(Loaded::Answer(text)) = load_with(Path::new("/"), &args, &[]) else {
            panic!("no answer");
        };
        for part in [
            "Usage: weir [FILE]",
            "Network:",
            "--port <N>",
            "--maxmemory <SIZE>",
            "75%",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(
            !text.contains("tls-ciphers"),
            "inert settings only fill the page"
        );
    }
    for args in [["--version"], ["-v"], ["-V"]] {
        let Ok(Loaded::Answer(text)) = load_with(Path::new("/"), &args, &[]) else {
            panic!("no answer");
        };
        assert_eq!(text, format!("weir {}\n", env!("CARGO_PKG_VERSION")));
    }
}
