//! How callgrind is told what to count, and what it counted.
//!
//! It counts inside of [`counted`] only, forgets what it counted at [`begin`] and writes it down
//! at [`end`]: one file for each path, in order. The bodies of the three differ, or they would
//! become one function.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

/// Set in the process that valgrind runs.
pub const UNDER_VALGRIND: &str = "WEIR_UNDER_VALGRIND";
/// Stands before the name of a path that was counted, at the start of a line.
pub const PATH_MARK: &str = "path: ";

/// Counts what `act` does.
#[inline(never)]
pub fn counted(act: &mut dyn FnMut()) {
    act();
    black_box(0);
}

/// The counts of a path begin.
#[inline(never)]
pub fn begin() {
    black_box(1);
}

/// The counts of a path are complete.
#[inline(never)]
pub fn end() {
    black_box(2);
}

/// Runs a test of this binary under callgrind: the paths that it names, and the instructions of
/// each for one of so many runs.
pub fn count(test: &str, runs: u32) -> Vec<(String, f64)> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg("--toggle-collect=*counting::counted*")
        .arg("--zero-before=*counting::begin*")
        .arg("--dump-before=*counting::end*")
        .arg(format!(
            "--callgrind-out-file={}",
            folder.path().join("out").display()
        ))
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(UNDER_VALGRIND, "1")
        .env_remove("WEIR_INSTRUCTIONS")
        .output()
        .expect("valgrind runs (Debian: valgrind)");
    let (said, warned) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{warned}");
    let names = said.lines().filter_map(|line| line.split(PATH_MARK).nth(1));
    let paths = names.zip(1..).map(|(name, part)| {
        let total = total(&folder.path().join(format!("out.{part}")));
        (name.to_owned(), total / f64::from(runs))
    });
    let paths: Vec<_> = paths.collect();
    assert!(!paths.is_empty(), "nothing was counted: {said}{warned}");
    paths
}

/// The instructions in one of callgrind's files.
fn total(file: &Path) -> f64 {
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let totals = line.expect("a file of callgrind's has totals");
    totals.split_whitespace().next().unwrap().parse().unwrap()
}
