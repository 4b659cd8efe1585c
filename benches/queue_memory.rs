//! Resident memory per queued message, and what is left of it after a drain.
//!
//! `cargo bench --bench queue_memory` prints a table, one process per row, because an allocator
//! that has served one row is not a fresh one. With arguments it measures one row:
//! `queue_memory SIZE MESSAGES` pushes and drains one queue, `queue_memory small SIZE QUEUES`
//! holds many queues of one message.
#![allow(clippy::print_stdout, reason = "its result is what it prints")]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures for people, of a few digits"
)]

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use weir::store::queue::{End, Queue};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages that arrive in one tick: what Redis takes without pipelining, about 100,000 a second.
const TICK_MESSAGES: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds `--bench`.
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    match words[..] {
        ["small", size, queues] => small(number(size), number(queues)),
        [size, messages] => large(number(size), number(messages)),
        _ => table(),
    }
}

fn number(word: &str) -> usize {
    word.parse().unwrap_or_default()
}

fn table() {
    println!("size messages bytes-per-message rss-after-drain-MiB: at once, 1 s, 5 s, collected");
    let rows: [&[&str]; 5] = [
        &["16", "5000000"],
        &["64", "5000000"],
        &["1024", "1000000"],
        &["small", "16", "100000"],
        &["small", "64", "100000"],
    ];
    for row in rows {
        let Ok(program) = std::env::current_exe() else {
            return;
        };
        if Command::new(program).args(row).status().is_err() {
            println!("{row:?} could not be measured");
        }
    }
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).map_or(0, number) * 4096
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn large(size: usize, messages: usize) {
    let message = vec![7; size];
    let before = resident();
    let mut queue = Queue::new();
    for index in 0..messages {
        queue.push(End::Front, &message, (index / TICK_MESSAGES) as u64);
    }
    let full = resident() - before;
    let heap = queue.heap_bytes();
    while queue.pop_with(End::Back, |_, _| ()).is_some() {}
    let mut left = vec![resident()];
    for wait in [1, 4] {
        sleep(Duration::from_secs(wait));
        left.push(resident());
    }
    // An allocation now and then is what lets the allocator notice that time has passed.
    drop(std::hint::black_box(vec![0_u8; 100_000]));
    left.push(resident());
    let left: Vec<String> = left
        .into_iter()
        .map(|bytes| format!("{:.1}", mebibytes(bytes.saturating_sub(before))))
        .collect();
    println!(
        "{size:5} {messages:8} rss {:.2} heap {:.2} full {:.1} MiB, left {}",
        full as f64 / messages as f64,
        heap as f64 / messages as f64,
        mebibytes(full),
        left.join(" "),
    );
}

fn small(size: usize, queues: usize) {
    let message = vec![7; size];
    let mut all: Vec<Queue> = Vec::with_capacity(queues);
    all.resize_with(queues, Queue::new);
    let before = resident();
    for queue in &mut all {
        queue.push(End::Front, &message, 1);
    }
    let held = (resident() - before) as f64 / queues as f64 + size_of::<Queue>() as f64;
    println!(
        "{size:5} {queues:8} queues of one message: rss {held:.1} each, {:.1} beyond the message",
        held - size as f64
    );
}
