//! The differential test: the same random commands to Weir and to a real redis-server, and every
//! reply compared.
//!
//! Settings, all by environment: `WEIR_DIFF_SEED` (a run repeats by its seed, which is printed),
//! `WEIR_DIFF_COMMANDS`, `WEIR_DIFF_FAMILIES` (names by comma), `WEIR_DIFF_SKIP` (commands by
//! comma), `WEIR_DIFF_LIMIT` (stop after so many distinct differences), `REDIS_SERVER` (the one
//! that is right), `WEIR_DIFF_SUBJECT` (another redis-server in Weir's place, to try the test).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test panics, prints its findings and reads the clock to give up"
)]

mod command;
mod compare;
mod crowd;
mod families;
mod plain;
mod reply;
mod rng;
mod scenarios;
#[path = "../fixture/server.rs"]
mod server;
mod shrink;
mod vocabulary;
mod wire;

use std::path::PathBuf;
use std::str::FromStr;

use crowd::Rest;
use plain::{Pair, Plan};
use server::{Server, redis_server_path};

fn setting<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

fn list_setting(name: &str) -> Vec<String> {
    let text = std::env::var(name).unwrap_or_default();
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The seed of this run: given, or different every day so that CI keeps searching.
fn seed() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock past 1970");
    setting("WEIR_DIFF_SEED", since.as_secs())
}

fn servers() -> (Server, Server) {
    let path = redis_server_path().expect("a redis-server to compare with (see .ci/test)");
    let subject = match std::env::var_os("WEIR_DIFF_SUBJECT") {
        Some(path) => Server::redis(&PathBuf::from(path)),
        None => Server::weir(&[]),
    };
    (Server::redis(&path), subject)
}

#[test]
fn random_commands_answer_like_redis() {
    let (oracle, subject) = servers();
    let plan = Plan {
        seed: seed(),
        commands: setting("WEIR_DIFF_COMMANDS", 30_000),
        families: list_setting("WEIR_DIFF_FAMILIES"),
        skipped: list_setting("WEIR_DIFF_SKIP"),
        differences_max: setting("WEIR_DIFF_LIMIT", 5),
    };
    println!(
        "seed {}: {} against {}",
        plan.seed, subject.name, oracle.name
    );
    let pair = Pair {
        oracle: oracle.address,
        subject: subject.address,
    };
    let report = plain::run(pair, &plan);
    assert!(
        report.is_empty(),
        "replies differ (WEIR_DIFF_SEED={}):\n{report}",
        plan.seed
    );
}

/// Runs clients that act in turn, in proportion to the commands of the random test.
fn crowd_test(
    name: &str,
    rest: Rest,
    next: fn(&mut vocabulary::Gen, &crowd::Crowd) -> crowd::Action,
) {
    let (oracle, subject) = servers();
    let seed = seed();
    let actions = setting("WEIR_DIFF_COMMANDS", 30_000) / 20;
    println!("seed {seed}: {name}, {actions} actions");
    let pair = Pair {
        oracle: oracle.address,
        subject: subject.address,
    };
    let report = crowd::run(pair, rest, seed, actions, next);
    assert!(
        report.is_empty(),
        "{name}: clients differ (WEIR_DIFF_SEED={seed}):\n{report}"
    );
}

#[test]
fn waiting_clients_are_served_like_redis() {
    crowd_test("blocking", Rest::Blocked, families::blocking::next_action);
}

#[test]
fn subscribers_hear_like_redis() {
    crowd_test("pubsub", Rest::Pinged, families::pubsub::next_action);
}
