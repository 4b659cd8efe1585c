//! The properties of `fuzz/` as ordinary tests: on the corpus that is kept, and on bytes from a
//! seed, made of words that the property knows and changed at random. libFuzzer, which looks where
//! the code goes, runs the same properties (`fuzz/run`).
//!
//! `WEIR_FUZZ_SECONDS` is how long each runs; without it, a fixed number of inputs. `WEIR_FUZZ_SEED`
//! chooses others. What breaks a property is kept in `target/fuzz/found` and printed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test panics, prints what it did and reads the clock to end in time"
)]

#[path = "../../fuzz/properties/mod.rs"]
mod properties;
#[path = "../differential/rng.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the generator")]
mod rng;

use std::fmt::Write;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use properties::{acl_rules, commands, config_file, glob, request_parser, script_reply};
use rng::Rng;

/// Inputs of each property where no time is given.
const INPUTS: usize = 300;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Bytes that name words by number, bring words of their own, or are anything.
fn pieces(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.below(120) {
        match rng.below(20) {
            0 => {
                let len = rng.below(12);
                bytes.extend([255, u8::try_from(len).unwrap()]);
                bytes.extend((0..len).map(|_| byte(rng)));
            }
            1..5 => bytes.push(254),
            _ => bytes.push(byte(rng)),
        }
    }
    bytes
}

fn byte(rng: &mut Rng) -> u8 {
    u8::try_from(rng.below(256)).unwrap()
}

/// Bytes of which many are of the given kinds.
fn texts(rng: &mut Rng, parts: &[&str]) -> Vec<u8> {
    let mut bytes = vec![byte(rng) % 16];
    for _ in 0..rng.below(40) {
        if rng.percent(85) {
            bytes.extend_from_slice(rng.pick(parts).as_bytes());
        } else {
            bytes.push(byte(rng));
        }
    }
    bytes
}

/// Checks a property on its corpus, then on inputs from a seed.
fn run(name: &str, check: fn(&[u8]), mut make: impl FnMut(&mut Rng) -> Vec<u8>) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let kept = fs::read_dir(kept.join(name)).expect("every property has a corpus");
    for file in kept {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        let outcome = catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "{name} fails at {}", path.display());
    }
    let seed = setting("WEIR_FUZZ_SEED").unwrap_or(1);
    let until = setting("WEIR_FUZZ_SECONDS").map(|s| Instant::now() + Duration::from_secs(s));
    let mut rng = Rng::new(seed);
    let mut inputs = 0;
    while until.map_or(inputs < INPUTS, |until| Instant::now() < until) {
        let input = make(&mut rng);
        let outcome = catch_unwind(|| check(&input));
        assert!(
            outcome.is_ok(),
            "{name} fails at input {inputs} of seed {seed}: {}",
            keep(name, &input)
        );
        inputs += 1;
    }
    println!("{name}: {inputs} inputs of seed {seed}");
}

/// Keeps bytes that break something where libFuzzer keeps its own; says where, and what they are.
fn keep(name: &str, input: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../fuzz/found");
    let path = folder.join(name).join("by-seed");
    fs::create_dir_all(folder.join(name)).unwrap();
    fs::write(&path, input).unwrap();
    let mut hex = format!("{} = ", path.display());
    for byte in input {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

#[test]
fn any_rules_of_a_user() {
    run("acl_rules", acl_rules::check, pieces);
}

#[test]
fn any_sequence_of_commands() {
    run("commands", commands::check, pieces);
}

#[test]
fn any_configuration_file() {
    run("config_file", config_file::check, pieces);
}

#[test]
fn any_value_of_a_script() {
    run("script_reply", script_reply::check, pieces);
}

#[test]
fn any_pattern() {
    let parts = [
        "*", "?", "[", "]", "^", "-", "\\", "a", "b", "[a-c]", "[^b]",
    ];
    run("glob", glob::check, |rng| texts(rng, &parts));
}

#[test]
fn any_bytes_of_a_request() {
    let parts = [
        "*1\r\n",
        "*2\r\n",
        "*3\r\n",
        "*0\r\n",
        "*-1\r\n",
        "$0\r\n\r\n",
        "$1\r\na\r\n",
        "$4\r\nPING\r\n",
        "$-1\r\n",
        "$5\r\n",
        "\r\n",
        "\r",
        "\n",
        "PING\r\n",
        "SET a \"b c\"\r\n",
        "'x'",
        "\"\\x41\"",
        "*",
        "$",
        ":1\r\n",
        "99999999999",
    ];
    run("request_parser", request_parser::check, |rng| {
        texts(rng, &parts)
    });
}
