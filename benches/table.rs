//! The keyspace's table against a plain `hashbrown` one: what a lookup costs, and how long a
//! single insertion or removal can take while a table grows to five million elements and back.
//!
//! `cargo bench --bench table` for lookups, `cargo bench --bench table -- --pauses` for pauses.
//! Part sizes and directory sizes in `src/store/table/directory.rs` were chosen with this.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints, and reads the clock itself"
)]

use ahash::RandomState;
use criterion::{BenchmarkId, Criterion, Throughput};
use hashbrown::HashTable;
use std::hint::black_box;
use std::time::{Duration, Instant};
use weir::store::table::{Table, position_of, shard_of_position};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GROWN_LEN: u64 = 5_000_000;

/// Lookups per measured round.
const LOOKUPS: u64 = 4096;

/// Three words, as a key and a value of the keyspace are.
type Inline = [u64; 3];

/// A key that hashing has to fetch from elsewhere.
type Boxed = Box<[u8; 24]>;

fn seeded() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

fn hash_inline(element: &Inline) -> u64 {
    seeded().hash_one(element[0])
}

fn hash_boxed(element: &Boxed) -> u64 {
    seeded().hash_one(element.as_slice())
}

fn boxed(key: u64) -> Boxed {
    let mut bytes = [b'k'; 24];
    bytes[..8].copy_from_slice(&key.to_le_bytes());
    Box::new(bytes)
}

fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    group.throughput(Throughput::Elements(LOOKUPS));
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    for len in [10_u64, 1_000, 20_000, 1_000_000, 4_000_000] {
        let mut table = Table::new(0);
        let mut plain = HashTable::new();
        for key in 0..len {
            let element = [key, 0, 0];
            table.insert_unique(hash_inline(&element), element, hash_inline);
            plain.insert_unique(hash_inline(&element), element, hash_inline);
        }
        for (what, first) in [("hit", 0), ("miss", 1 << 40)] {
            let mut next = 0_u64;
            let mut keys = move || {
                next += LOOKUPS;
                // Far apart, so that no lookup finds its neighbour's cache lines.
                (next..next + LOOKUPS).map(move |n| first + n.wrapping_mul(0x9e37_79b1) % len)
            };
            group.bench_function(BenchmarkId::new(format!("table/{what}"), len), |bench| {
                bench.iter(|| {
                    for key in keys() {
                        let hash = hash_inline(&[key, 0, 0]);
                        black_box(table.find(hash, |element| element[0] == key));
                    }
                });
            });
            group.bench_function(BenchmarkId::new(format!("plain/{what}"), len), |bench| {
                bench.iter(|| {
                    for key in keys() {
                        let hash = hash_inline(&[key, 0, 0]);
                        black_box(plain.find(hash, |element| element[0] == key));
                    }
                });
            });
        }
    }
    group.finish();
}

/// A million keys in 64 shards, as the keyspace has them.
fn sharded_lookups(criterion: &mut Criterion) {
    const SHARD_BITS: u32 = 6;
    const LEN: u64 = 1_000_000;
    let shard_of = |hash| shard_of_position(position_of(hash), SHARD_BITS);
    let mut tables: Vec<_> = (0..64).map(|_| Table::new(SHARD_BITS)).collect();
    let mut plains: Vec<_> = (0..64).map(|_| HashTable::new()).collect();
    for key in 0..LEN {
        let element = [key, 0, 0];
        let hash = hash_inline(&element);
        tables[shard_of(hash)].insert_unique(hash, element, hash_inline);
        plains[shard_of(hash)].insert_unique(hash, element, hash_inline);
    }
    let mut group = criterion.benchmark_group("find in 64 shards");
    group.throughput(Throughput::Elements(LOOKUPS));
    group.measurement_time(Duration::from_secs(2));
    let mut next = 0_u64;
    let mut keys = move || {
        next += LOOKUPS;
        (next..next + LOOKUPS).map(move |n| n.wrapping_mul(0x9e37_79b1) % LEN)
    };
    group.bench_function("table/hit", |bench| {
        bench.iter(|| {
            for key in keys() {
                let hash = hash_inline(&[key, 0, 0]);
                black_box(tables[shard_of(hash)].find(hash, |element| element[0] == key));
            }
        });
    });
    group.bench_function("plain/hit", |bench| {
        bench.iter(|| {
            for key in keys() {
                let hash = hash_inline(&[key, 0, 0]);
                black_box(plains[shard_of(hash)].find(hash, |element| element[0] == key));
            }
        });
    });
    // The next key depends on what was found, so that nothing overlaps: a lookup's whole wait.
    let mut last = 0;
    group.bench_function("table/hit, one by one", |bench| {
        bench.iter(|| {
            for key in keys() {
                let key = key ^ last;
                let hash = hash_inline(&[key, 0, 0]);
                let found = tables[shard_of(hash)].find(hash, |element| element[0] == key);
                last = found.map_or(0, |element| element[1]);
            }
        });
    });
    group.bench_function("plain/hit, one by one", |bench| {
        bench.iter(|| {
            for key in keys() {
                let key = key ^ last;
                let hash = hash_inline(&[key, 0, 0]);
                let found = plains[shard_of(hash)].find(hash, |element| element[0] == key);
                last = found.map_or(0, |element| element[1]);
            }
        });
    });
    group.finish();
}

fn changes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change");
    group.throughput(Throughput::Elements(LOOKUPS));
    group.measurement_time(Duration::from_secs(2));
    for len in [100_u64, 1_000_000] {
        let mut table = Table::new(0);
        let mut plain = HashTable::new();
        for key in 0..len {
            let element = [key, 0, 0];
            table.insert_unique(hash_inline(&element), element, hash_inline);
            plain.insert_unique(hash_inline(&element), element, hash_inline);
        }
        // Removes the oldest and adds a new one.
        let mut oldest = 0;
        group.bench_function(BenchmarkId::new("table/churn", len), |bench| {
            bench.iter(|| {
                for key in oldest..oldest + LOOKUPS {
                    let hash = hash_inline(&[key, 0, 0]);
                    black_box(table.remove(hash, |element| element[0] == key, hash_inline));
                    let element = [key + len, 0, 0];
                    table.insert_unique(hash_inline(&element), element, hash_inline);
                }
                oldest += LOOKUPS;
            });
        });
        let mut oldest = 0;
        group.bench_function(BenchmarkId::new("plain/churn", len), |bench| {
            bench.iter(|| {
                for key in oldest..oldest + LOOKUPS {
                    let hash = hash_inline(&[key, 0, 0]);
                    let entry = plain.find_entry(hash, |element| element[0] == key);
                    black_box(entry.map(|entry| entry.remove().0).ok());
                    let element = [key + len, 0, 0];
                    plain.insert_unique(hash_inline(&element), element, hash_inline);
                }
                oldest += LOOKUPS;
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("walk");
    group.measurement_time(Duration::from_secs(2));
    let mut table = Table::new(0);
    for key in 0..1_000_000 {
        let element = [key, 0, 0];
        table.insert_unique(hash_inline(&element), element, hash_inline);
    }
    for count in [10_usize, 1000] {
        let mut cursor = 0;
        group.bench_function(BenchmarkId::new("scan", count), |bench| {
            bench.iter(|| {
                cursor = table.scan(cursor, count, hash_inline, |element| {
                    black_box(element);
                });
            });
        });
    }
    let mut r = 0;
    group.bench_function("random", |bench| {
        bench.iter(|| {
            r += 1;
            black_box(table.random(r));
        });
    });
    group.finish();
}

/// Time of each of many operations: the least of several runs that do the same work, so that what
/// the machine did meanwhile does not count.
struct Pauses(Vec<u32>);

impl Pauses {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// Runs `operation` for every key and notes its times.
    fn run(&mut self, mut operation: impl FnMut(u64)) {
        self.0.resize(usize::try_from(GROWN_LEN).unwrap(), u32::MAX);
        for (key, least) in (0..).zip(&mut self.0) {
            let start = Instant::now();
            operation(key);
            let nanos = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
            *least = nanos.min(*least);
        }
    }

    fn print(mut self, what: &str) {
        self.0.sort_unstable();
        let at = |rank: usize| f64::from(self.0[(self.0.len() - 1) * rank / 1_000_000]) / 1e3;
        println!(
            "{what:<32} p50 {:6.2}  p99 {:6.2}  p99.9 {:6.2}  p99.99 {:6.2}  max {:9.2} us",
            at(500_000),
            at(990_000),
            at(999_000),
            at(999_900),
            at(1_000_000),
        );
    }
}

fn pauses_of<T>(name: &str, make: impl Fn(u64) -> T, hash: impl Fn(&T) -> u64 + Copy)
where
    T: PartialEq,
{
    let (mut grow, mut shrink, mut plain) = (Pauses::new(), Pauses::new(), Pauses::new());
    for _ in 0..4 {
        let mut table = Table::new(0);
        grow.run(|key| {
            let element = make(key);
            table.insert_unique(hash(&element), element, hash);
        });
        let bytes_grown = table.heap_bytes();
        shrink.run(|key| {
            let element = make(key);
            table.remove(hash(&element), |other| *other == element, hash);
        });
        black_box((bytes_grown, table.heap_bytes()));
        let mut table = HashTable::new();
        plain.run(|key| {
            let element = make(key);
            table.insert_unique(hash(&element), element, hash);
        });
    }
    grow.print(&format!("{name}, table, insert"));
    shrink.print(&format!("{name}, table, remove"));
    plain.print(&format!("{name}, plain, insert"));
}

fn main() {
    if std::env::args().any(|arg| arg == "--pauses") {
        pauses_of("inline 24 bytes", |key| [key, 0, 0], hash_inline);
        pauses_of("boxed key", boxed, hash_boxed);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    lookups(&mut criterion);
    sharded_lookups(&mut criterion);
    changes(&mut criterion);
    criterion.final_summary();
}
