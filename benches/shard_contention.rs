//! What the locks of the keyspace cost two threads: on one shard, on shards of their own, and on
//! shards chosen by key. Each operation takes a key's shard, pushes a message, pops it again and
//! lets go, as a batch of one command does. `cargo bench --bench shard_contention`, alone on the
//! machine.
//!
//! Times are per operation of each thread: two threads that did not hinder each other would take
//! as long as one.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark reads the clock itself, and panics"
)]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir::store::{End, Keyspace, SHARDS, ShardSet};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 7;
const MESSAGE: [u8; 64] = [7; 64];
/// Keys of a thread where they are spread.
const SPREAD: usize = 256;

/// A name for each shard, and the names of the spread keys.
fn names_by_shard(keyspace: &Keyspace) -> Vec<String> {
    let mut found = vec![None; SHARDS as usize];
    for n in 0.. {
        let name = format!("queue:{n}");
        let shard = keyspace.shard_of(&keyspace.key(0, name.as_bytes())) as usize;
        found[shard].get_or_insert(name);
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found.into_iter().flatten().collect()
}

/// Pushes to and pops from the queues in turn, `count` times.
fn work(keyspace: &Keyspace, names: &[String], count: u64) {
    let mut held = keyspace.hold();
    for name in names.iter().cycle().take(usize::try_from(count).unwrap()) {
        let key = keyspace.key(0, name.as_bytes());
        held.need(ShardSet::one(keyspace.shard_of(&key)));
        let queue = held.shard_of(&key).slot_or_new(&key, 0).unwrap().queue;
        queue.push(End::Back, black_box(&MESSAGE), 0);
        black_box(queue.pop(End::Front));
        held.release();
    }
}

/// Time until every thread has done its `count` operations on its names.
fn together(keyspace: &Keyspace, names: &[Vec<String>], count: u64) -> Duration {
    let start = Barrier::new(names.len() + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = names
            .iter()
            .map(|names| {
                scope.spawn(|| {
                    start.wait();
                    work(keyspace, names, count);
                })
            })
            .collect();
        start.wait();
        let began = Instant::now();
        for thread in threads {
            thread.join().unwrap();
        }
        began.elapsed()
    })
}

fn contention(criterion: &mut Criterion) {
    let keyspace = Keyspace::new(SEED);
    let by_shard = names_by_shard(&keyspace);
    let one = vec![by_shard[0].clone()];
    let other = vec![by_shard[1].clone()];
    let spread = |from: usize| -> Vec<String> {
        (from..from + SPREAD)
            .map(|n| format!("spread:{n}"))
            .collect()
    };
    let cases = [
        ("one-thread", vec![one.clone()]),
        ("two-on-one-shard", vec![one.clone(), one.clone()]),
        ("two-on-two-shards", vec![one, other]),
        ("two-spread", vec![spread(0), spread(SPREAD)]),
    ];
    let mut group = criterion.benchmark_group("shard_contention");
    group.throughput(Throughput::Elements(1));
    for (name, names) in cases {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| together(&keyspace, &names, count));
        });
    }
    group.finish();
}

/// Taking all shards, as FLUSHALL and a transaction on many keys do.
fn all_shards(criterion: &mut Criterion) {
    let keyspace = Keyspace::new(SEED);
    criterion.bench_function("all-shards", |bencher| {
        bencher.iter(|| {
            let mut held = keyspace.hold();
            held.need(ShardSet::ALL);
            black_box(held.set())
        });
    });
}

criterion_group!(benches, contention, all_shards);
criterion_main!(benches);
