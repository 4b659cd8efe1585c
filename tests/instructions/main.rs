//! How many instructions the hot paths take, counted by callgrind and held against
//! `bench-results/instructions.txt`, so that a change that makes one longer is seen where it is
//! made. Counts do not depend on how busy the machine is, as times do.
//!
//! `cargo test` only walks the paths. `WEIR_INSTRUCTIONS=1 cargo test --profile quick --test
//! instructions` counts them, with valgrind; `WEIR_BLESS=1` besides makes what was counted the
//! baseline. Only the release code of the `quick` profile is comparable with it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test panics, and prints what it counted"
)]

mod baseline;
mod counting;
mod paths;
mod stage;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use baseline::Counts;

/// As in the server: what an allocation takes is part of a path.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs of each path whose mean is its count.
const RUNS: u32 = 1000;
/// Runs before those: commands are timed one by one until they have run this often.
const WARM_UP_RUNS: u32 = 200;

/// Every path does what it says, at any profile and without valgrind. This is also what valgrind
/// runs.
#[test]
fn paths_lead_where_they_say() {
    let is_counted = env::var_os(counting::UNDER_VALGRIND).is_some();
    let (warm_up, runs) = if is_counted {
        (WARM_UP_RUNS, RUNS)
    } else {
        (3, 30)
    };
    for (name, mut path) in paths::all(warm_up + runs) {
        for _ in 0..warm_up {
            path();
        }
        counting::begin();
        for _ in 0..runs {
            path();
        }
        counting::end();
        println!("{}{name}", counting::PATH_MARK);
    }
}

#[test]
fn counts_stay_near_the_baseline() {
    if env::var_os("WEIR_INSTRUCTIONS").is_none() {
        println!("not asked for: see the head of tests/instructions/main.rs");
        return;
    }
    let is_release = !cfg!(debug_assertions);
    assert!(
        is_release,
        "only release code is worth counting: --profile quick"
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("bench-results/instructions.txt");
    let counted = Counts {
        compiler: compiler(),
        paths: counting::count("paths_lead_where_they_say", RUNS),
    };
    if env::var_os("WEIR_BLESS").is_some() {
        fs::write(&file, counted.to_text()).unwrap();
        return;
    }
    let known = Counts::parse(&fs::read_to_string(&file).unwrap());
    print!("{}", known.beside(&counted));
    let complaints = known.complaints(&counted);
    assert!(
        complaints.is_empty(),
        "hot paths that take more instructions than bench-results/instructions.txt says:\n  {}\n\
         Shorten them, or keep the new counts with WEIR_BLESS=1 and say in the commit what they \
         pay for.",
        complaints.join("\n  ")
    );
}

/// What the code was compiled with.
fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    format!("{}, {}", version.trim(), env::consts::ARCH)
}
