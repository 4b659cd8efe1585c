//! Many at once: redis-benchmark's tests, and ten thousand connections.

use std::process::Command;

use crate::amount;
use crate::raw::Raw;
use crate::server::{Server, find_on_path};

/// The tests of redis-benchmark that belong to the families Weir has.
const TESTS: &str = "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,lrange_100,mset";

fn benchmark(server: &Server, args: &[&str]) {
    let Some(program) = find_on_path("redis-benchmark") else {
        println!("redis-benchmark is not installed: nothing is run");
        return;
    };
    let port = server.address.port().to_string();
    let mut command = Command::new(program);
    command
        .args(["-h", "127.0.0.1", "-p", &port, "-q"])
        .args(args);
    let output = command.output().expect("redis-benchmark runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {text}{errors}");
    assert!(
        text.contains("requests per second"),
        "{args:?}: {text}{errors}"
    );
    for bad in ["ERR", "WARNING", "Error"] {
        assert!(
            !text.contains(bad) && !errors.contains(bad),
            "{args:?}: {text}{errors}"
        );
    }
}

#[test]
fn redis_benchmark_runs() {
    let server = Server::weir(&[]);
    let count = amount(2_000, 10_000).to_string();
    benchmark(&server, &["-n", &count, "-t", TESTS]);
    benchmark(&server, &["-n", &count, "-t", TESTS, "-3"]);
}

#[test]
fn redis_benchmark_pipelines() {
    let server = Server::weir(&[]);
    let count = amount(20_000, 1_000_000).to_string();
    let rounds = ["-n", &count, "-P", "64", "-c", "50"];
    benchmark(
        &server,
        &[&rounds[..], &["-t", "lpush,rpop,set,get"]].concat(),
    );
    benchmark(
        &server,
        &[&rounds[..], &["PUBLISH", "channel", "message"]].concat(),
    );
}

/// Lets this process and its children open as many files as they may; gives how many that is.
fn raise_file_limit(wanted: u64) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls read or write the struct that is handed to them.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = wanted.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    limit.rlim_cur
}

#[test]
fn ten_thousand_connections_at_once() {
    const SPARE: u64 = 500;
    let allowed = raise_file_limit(10_000 + SPARE);
    let count = usize::try_from(allowed.saturating_sub(SPARE).min(10_000)).unwrap();
    println!("{count} connections (the file limit is {allowed})");
    let server = Server::weir(&["--maxclients", "20000"]);
    let mut connections: Vec<Raw> = (0..count).map(|_| Raw::open(server.address)).collect();
    for round in 0..2 {
        for (index, raw) in connections.iter_mut().enumerate() {
            raw.send(format!("ECHO {round}:{index:05}\r\n").as_bytes());
        }
        for (index, raw) in connections.iter_mut().enumerate() {
            raw.expect(format!("$7\r\n{round}:{index:05}\r\n").as_bytes());
        }
    }
}
