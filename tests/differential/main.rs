//! The differential test: the same random commands to Weir and to a real redis-server, and every
//! reply compared.
//!
//! Settings, all by environment: `WEIR_DIFF_SEED` (a run repeats by its seed, which is printed),
//! `WEIR_DIFF_COMMANDS`, `WEIR_DIFF_FAMILIES` (names by comma), `WEIR_DIFF_SKIP` (commands by
//! comma), `WEIR_DIFF_LIMIT` (stop after so many distinct differences), `REDIS_SERVER` (the one
//! that is right), `WEIR_DIFF_PATIENCE_MS`, `WEIR_DIFF_SUBJECT` (another redis-server in Weir's place, to try the test).

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
mod fit;
mod frames;
mod plain;
mod reply;
mod rng;
mod rounds;
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

/// The seed of this run: given (as CI does), or different every time so that runs by hand search on.
fn seed() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock past 1970");
    setting("WEIR_DIFF_SEED", since.as_secs())
}

/// The oracle and the subject; nothing where there is no oracle (CI always has one).
fn servers() -> Option<(Server, Server)> {
    let Some(path) = redis_server_path() else {
        println!("nothing is compared: run .ci/test once to install a redis-server 8.2");
        return None;
    };
    let subject = match std::env::var_os("WEIR_DIFF_SUBJECT") {
        Some(path) => Server::redis(&PathBuf::from(path)),
        None => Server::weir(&[]),
    };
    Some((Server::redis(&path), subject))
}

/// The plan that the environment sets.
fn plan(commands: usize) -> Plan {
    Plan {
        seed: seed(),
        commands,
        families: list_setting("WEIR_DIFF_FAMILIES"),
        skipped: list_setting("WEIR_DIFF_SKIP"),
        differences_max: setting("WEIR_DIFF_LIMIT", 5),
    }
}

fn commands() -> usize {
    setting("WEIR_DIFF_COMMANDS", 30_000)
}

/// Runs a plan on two fresh servers, and fails with what differs.
fn compare(name: &str, plan: &Plan, run: impl FnOnce(Pair) -> String) {
    let Some((oracle, subject)) = servers() else {
        return;
    };
    let (seed, count) = (plan.seed, plan.commands);
    println!(
        "{name}: {count} steps, seed {seed}, {} against {}",
        subject.name, oracle.name
    );
    let report = run(Pair {
        oracle: oracle.address,
        subject: subject.address,
    });
    assert!(
        report.is_empty(),
        "{name} differs (WEIR_DIFF_SEED={seed}):\n{report}"
    );
}

#[test]
fn random_commands_answer_like_redis() {
    let plan = plan(commands());
    compare("commands", &plan, |pair| plain::run(pair, &plan));
}

/// Streams have more states than the mixture above comes to.
#[test]
fn random_stream_commands_answer_like_redis() {
    let mut plan = plan(commands() / 2);
    if plan.families.is_empty() {
        plan.families = ["streams", "groups"].map(str::to_owned).to_vec();
    }
    compare("stream commands", &plan, |pair| plain::run(pair, &plan));
}

/// Clients that act in turn cost more per step, so there are fewer steps.
#[test]
fn waiting_clients_are_served_like_redis() {
    let plan = plan(commands() / 20);
    let next = families::blocking::next_action;
    compare("blocking", &plan, |pair| {
        rounds::run(pair, Rest::Blocked, &plan, next)
    });
}

#[test]
fn clients_waiting_for_members_are_served_like_redis() {
    let plan = plan(commands() / 20);
    let next = families::blocking_sorted::next_action;
    compare("blocking sorted sets", &plan, |pair| {
        rounds::run(pair, Rest::Blocked, &plan, next)
    });
}

#[test]
fn waiting_readers_are_served_like_redis() {
    let plan = plan(commands() / 20);
    let next = families::stream_waits::next_action;
    compare("stream waits", &plan, |pair| {
        rounds::run(pair, Rest::Blocked, &plan, next)
    });
}

#[test]
fn subscribers_hear_like_redis() {
    let plan = plan(commands() / 20);
    let next = families::pubsub::next_action;
    compare("pubsub", &plan, |pair| {
        rounds::run(pair, Rest::Pinged, &plan, next)
    });
}

#[test]
fn keyspace_events_are_those_of_redis() {
    let plan = plan(commands() / 20);
    let next = families::events::next_action;
    compare("events", &plan, |pair| {
        rounds::run(pair, Rest::Pinged, &plan, next)
    });
}
