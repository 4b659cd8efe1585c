//! `weir bench` against Weir: every test arrives whole, and the figures come as JSON.

use std::process::Command;

use crate::amount;
use crate::server::Server;

/// Runs the binary's `bench` and gives what it prints.
fn bench(server: &Server, args: &[&str]) -> String {
    let address = server.address.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["bench", "--server", &address, "--json", "-"])
        .args(args)
        .output()
        .expect("weir bench runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {text}{errors}");
    text
}

/// The lines of the runs, one each.
fn runs(json: &str) -> Vec<&str> {
    json.lines()
        .filter(|line| line.contains("\"round\": "))
        .collect()
}

#[test]
fn every_test_arrives_whole() {
    let server = Server::weir(&[]);
    let count = amount(2_000, 50_000).to_string();
    let tests = [
        "lpush", "rpop", "set", "get", "publish", "handoff", "fanout", "groups", "sidekiq",
        "celery", "bullmq", "mixed",
    ];
    let few = ["--connections", "4", "--consumers", "6", "--keys", "2"];
    let bounds = ["--groups", "2", "--count", &count, "--seconds", "60"];
    let json = bench(&server, &[&tests[..], &few, &bounds, &["-P", "8"]].concat());
    let runs = runs(&json);
    assert_eq!(runs.len(), tests.len(), "{json}");
    for (test, run) in tests.iter().zip(runs) {
        assert!(run.contains(&format!("\"test\": \"{test}\"")), "{run}");
        assert!(run.contains(&format!("\"sent\": {count},")), "{run}");
        for none in ["lost", "duplicated", "out_of_order", "strange", "errors"] {
            assert!(run.contains(&format!("\"{none}\": 0,")), "{run}");
        }
        assert!(!run.contains("\"p99_us\": null"), "{run}");
    }
    assert!(json.contains("\"clean\": true"), "{json}");
    let pid = format!("\"pid\": {}", server.pid());
    assert!(json.contains(&pid), "{json}");
    // Nothing of it stays.
    let mut connection = redis::Client::open(format!("redis://{}/", server.address))
        .unwrap()
        .get_connection()
        .unwrap();
    let keys: u64 = redis::cmd("DBSIZE").query(&mut connection).unwrap();
    assert_eq!(keys, 0);
}

#[test]
fn a_rate_is_kept_and_two_servers_take_turns() {
    let (server, other) = (Server::weir(&[]), Server::weir(&["--requirepass", ""]));
    let address = other.address.to_string();
    let json = bench(
        &server,
        &[
            "handoff", "--rate", "2000", "--count", "200", "-c", "3", "--vs", &address, "--rounds",
            "2",
        ],
    );
    let order: Vec<bool> = runs(&json)
        .iter()
        .map(|run| run.contains("\"server\": 0, "))
        .collect();
    assert_eq!(order, [true, false, true, false], "{json}");
    assert!(json.contains("\"server\": \"0/1\""), "{json}");
    // The ratio of two servers' has no value where the second was never late.
    for run in runs(&json) {
        assert!(!run.contains("\"late_p99_us\": null"), "{run}");
    }
}

#[test]
fn a_loss_is_reported_and_fails_the_run() {
    // A queue that keeps ten messages at most, and lets the oldest go.
    let server = Server::weir(&[]);
    let mut connection = redis::Client::open(format!("redis://{}/", server.address))
        .unwrap()
        .get_connection()
        .unwrap();
    redis::cmd("WEIR.POLICY")
        .arg(&["SET", "weir-bench:*", "MAX-LENGTH", "10"])
        .exec(&mut connection)
        .unwrap();
    let address = server.address.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args([
            "bench", "lpush", "-s", &address, "--count", "500", "-c", "2",
        ])
        .args(["-P", "5"])
        .output()
        .expect("weir bench runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(": 490 lost, 0 duplicated"), "{text}");
}
