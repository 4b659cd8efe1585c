//! Resident memory per stream entry and per pending entry, and what is left after trimming.
//!
//! `cargo bench --bench stream_memory` prints a table, one process per row, because an allocator
//! that has served one row is not a fresh one.
#![allow(clippy::print_stdout, reason = "its result is what it prints")]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures for people, of a few digits"
)]

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use weir::store::stream::{NewId, NodeLimits, References, Stream, StreamId, Trim, TrimTo};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Entries added in one millisecond: what Redis takes with some pipelining.
const ENTRIES_PER_MS: u64 = 400;
const START_MS: u64 = 1_700_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds `--bench`.
    let numbers: Vec<usize> = arguments
        .iter()
        .filter_map(|word| word.parse().ok())
        .collect();
    if let [size, entries] = numbers[..] {
        row(size, entries);
        return;
    }
    println!("value entries: rss and heap per entry, per pending entry, left after trimming");
    for row in [
        ["16", "2000000"],
        ["64", "1000000"],
        ["1024", "200000"],
        ["64", "1"],
    ] {
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
    let pages: Option<usize> = statm.split(' ').nth(1).and_then(|word| word.parse().ok());
    pages.unwrap_or_default() * 4096
}

fn row(size: usize, entries: usize) {
    // A single entry is measured as many streams of one.
    let streams = if entries == 1 { 100_000 } else { 1 };
    let value = vec![b'x'; size];
    let pairs: [&[u8]; 2] = [b"field", &value];
    let mut all: Vec<Stream> = Vec::with_capacity(streams);
    all.resize_with(streams, Stream::new);
    let held = (entries * streams) as f64;
    let before = resident();
    for stream in &mut all {
        for index in 0..entries as u64 {
            let now_ms = START_MS + index / ENTRIES_PER_MS;
            let added = stream.add(NewId::Auto, &pairs, NodeLimits::default(), now_ms);
            assert!(added.is_ok());
        }
    }
    let full = resident();
    for stream in &mut all {
        stream.create_group(b"group", StreamId::MIN, None);
        if let Some(mut group) = stream.group_mut(b"group") {
            for now_ms in START_MS.. {
                let (reader, _) = group.consumer(b"reader", now_ms);
                if group.read_new(reader, 100, false, now_ms, |_| ()) == 0 {
                    break;
                }
            }
        }
    }
    let pending = resident();
    let heap: u64 = all.iter().map(|stream| stream.log().heap_bytes()).sum();
    let heap_pending: u64 = all.iter().map(Stream::heap_bytes).sum::<u64>() - heap;
    for stream in &mut all {
        stream.destroy_group(b"group");
        let everything = Trim {
            to: TrimTo::MaxLen(0),
            approximate: false,
            limit: 0,
            references: References::Keep,
        };
        assert_eq!(stream.trim(everything).messages, entries as u64);
    }
    // An allocator gives back after a while, and notices that time has passed when it is used.
    sleep(Duration::from_secs(1));
    // SAFETY: takes no pointers and may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(false) };
    println!(
        "{size:5} {entries:8} x {streams}: entry rss {:.1} heap {:.1}, pending rss {:.1} heap {:.1}, left {:.1} MiB of {:.1}",
        (full - before) as f64 / held,
        heap as f64 / held,
        (pending - full) as f64 / held,
        heap_pending as f64 / held,
        resident().saturating_sub(before) as f64 / f64::from(1 << 20),
        (pending - before) as f64 / f64::from(1 << 20),
    );
}
