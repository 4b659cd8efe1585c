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
    println!(
        "per message: resident and accounted; left after a drain, in MiB: at once, after 2 s,"
    );
    println!("and after 2 s with one mi_collect(false), and how long that took");
    let rows: [&[&str]; 5] = [
        &["16", "5000000"],
        &["64", "5000000"],
        &["1024", "1000000"],
        &["small", "16", "100000"],
        &["small", "64", "100000"],
    ];
    for (huge_pages, heading) in [
        ("0", "4 KiB pages"),
        ("1", "mimalloc's default, huge pages"),
    ] {
        println!("{heading}");
        for row in rows {
            let Ok(program) = std::env::current_exe() else {
                return;
            };
            let mut command = Command::new(program);
            command.args(row).env("MIMALLOC_ALLOW_THP", huge_pages);
            if command.status().is_err() {
                println!("{row:?} could not be measured");
            }
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
    let left = || mebibytes(resident().saturating_sub(before));
    let at_once = left();
    sleep(Duration::from_secs(2));
    let later = left();
    let start = weir::clock::mono_us();
    // SAFETY: takes no pointers and may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(false) };
    let took = weir::clock::mono_us() - start;
    println!(
        "{size:5} {messages:8} rss {:.2} heap {:.2}, left of {:.1}: {at_once:.1} {later:.1} {:.1} in {took} us",
        full as f64 / messages as f64,
        heap as f64 / messages as f64,
        mebibytes(full),
        left(),
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
