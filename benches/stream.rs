//! What streams cost: adding, ranges, group reads, acknowledging, claims, trimming.
//!
//! Figures are per entry unless the name says otherwise. Entries have one field and a value of
//! 64 bytes, four to a millisecond.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use weir::store::stream::{
    AutoclaimOptions, ClaimOptions, NewId, NodeLimits, References, Stream, StreamId, Trim, TrimTo,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u32 = 20_000;
const VALUE: [u8; 64] = [b'x'; 64];
const START_MS: u64 = 1_700_000_000_000;

fn add(stream: &mut Stream, index: u32) -> StreamId {
    let pairs: [&[u8]; 2] = [b"field", &VALUE];
    let now_ms = START_MS + u64::from(index / 4);
    let limits = NodeLimits::default();
    stream
        .add(NewId::Auto, black_box(&pairs), limits, now_ms)
        .unwrap_or_default()
}

fn filled(entries: u32) -> Stream {
    let mut stream = Stream::new();
    for index in 0..entries {
        add(&mut stream, index);
    }
    stream
}

/// A stream whose entries are all pending with one consumer, the first `due` of every
/// `entries / due` of them for a long time.
fn pending(entries: u32, due: u32) -> Stream {
    let mut stream = filled(entries);
    stream.create_group(b"group", StreamId::MIN, None);
    let now_ms = START_MS + u64::from(entries);
    let mut old = Vec::new();
    if let Some(mut group) = stream.group_mut(b"group") {
        let (reader, _) = group.consumer(b"reader", now_ms);
        let mut index = 0;
        group.read_new(reader, u64::MAX, false, now_ms, |entry| {
            if due > 0 && index % (entries / due) == 0 {
                old.push(entry.id);
            }
            index += 1;
        });
        let options = ClaimOptions {
            min_idle_ms: 0,
            delivered_ms: now_ms - 1_000_000,
            deliveries: None,
            force: false,
            just_id: true,
        };
        group.claim(reader, &old, options, now_ms);
    }
    stream
}

fn adding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("add");
    group.throughput(Throughput::Elements(u64::from(ENTRIES)));
    group.bench_function("unbounded", |bencher| {
        bencher.iter_with_large_drop(|| filled(ENTRIES));
    });
    let trim = |approximate| Trim {
        to: TrimTo::MaxLen(1000),
        approximate,
        limit: if approximate { 10_000 } else { 0 },
        references: References::Keep,
    };
    for (name, trim) in [
        ("maxlen ~ 1000", trim(true)),
        ("maxlen = 1000", trim(false)),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_with_large_drop(|| {
                let mut stream = Stream::new();
                for index in 0..ENTRIES {
                    add(&mut stream, index);
                    let _ = black_box(stream.trim(trim));
                }
                stream
            });
        });
    }
    group.finish();
}

fn ranges(criterion: &mut Criterion) {
    let stream = filled(ENTRIES);
    let middle = StreamId::new(START_MS + u64::from(ENTRIES / 8), 0);
    let mut group = criterion.benchmark_group("range of 100");
    group.bench_function("forward", |bencher| {
        bencher.iter(|| {
            let entries = stream
                .log()
                .range(black_box(middle), StreamId::MAX)
                .take(100);
            entries.fold(0, |sum, entry| {
                sum + entry.fields.map(|(_, value)| value.len()).sum::<usize>()
            })
        });
    });
    group.bench_function("reverse", |bencher| {
        bencher.iter(|| {
            let entries = stream
                .log()
                .range_rev(StreamId::MIN, black_box(middle))
                .take(100);
            entries.fold(0, |sum, entry| {
                sum + entry.fields.map(|(_, value)| value.len()).sum::<usize>()
            })
        });
    });
    group.bench_function("one entry", |bencher| {
        bencher.iter(|| stream.log().get(black_box(middle)).is_some());
    });
    group.finish();
}

fn groups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("group");
    group.throughput(Throughput::Elements(u64::from(ENTRIES)));
    for count in [1, 100] {
        group.bench_function(format!("read {count}"), |bencher| {
            let fresh = || {
                let mut stream = filled(ENTRIES);
                stream.create_group(b"group", StreamId::MIN, None);
                stream
            };
            bencher.iter_batched_ref(
                fresh,
                |stream| {
                    let now_ms = START_MS;
                    while let Some(mut group) = stream.group_mut(b"group") {
                        let (reader, _) = group.consumer(b"reader", now_ms);
                        let visit = |entry| {
                            black_box(entry);
                        };
                        if group.read_new(reader, count, false, now_ms, visit) == 0 {
                            break;
                        }
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    let ids: Vec<StreamId> = filled(ENTRIES)
        .log()
        .range(StreamId::MIN, StreamId::MAX)
        .map(|entry| entry.id)
        .collect();
    let mut mixed = ids.clone();
    // Far strides: acknowledged in no order that a cache could like.
    for index in 0..mixed.len() {
        let other = index * 7919 % mixed.len();
        mixed.swap(index, other);
    }
    for (name, ids) in [("ack in order", &ids), ("ack in disorder", &mixed)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || pending(ENTRIES, 0),
                |stream| {
                    for &id in ids {
                        if let Some(mut group) = stream.group_mut(b"group") {
                            black_box(group.ack(id));
                        }
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn claims(criterion: &mut Criterion) {
    const PENDING: u32 = 1_000_000;
    let stream = pending(PENDING, 10);
    let now_ms = START_MS + u64::from(PENDING);
    let mut group = criterion.benchmark_group("of a million pending, ten due");
    let mut copy = stream.clone();
    group.bench_function("autoclaim the ten", |bencher| {
        bencher.iter(|| {
            let Some(mut group) = copy.group_mut(b"group") else {
                return 0;
            };
            let (claimer, _) = group.consumer(b"claimer", now_ms);
            let options = AutoclaimOptions {
                count: 100,
                min_idle_ms: 500_000,
                just_id: true,
            };
            let due = group.autoclaim(claimer, StreamId::MIN, options, now_ms);
            let ids: Vec<StreamId> = due.entries.iter().map(|e| e.entry.id).collect();
            assert_eq!(ids.len(), 10);
            // Due again for the next round; this costs about as much as the claim itself.
            let options = ClaimOptions {
                min_idle_ms: 0,
                delivered_ms: now_ms - 1_000_000,
                deliveries: None,
                force: false,
                just_id: true,
            };
            group.claim(claimer, &ids, options, now_ms).entries.len()
        });
    });
    group.bench_function("claim by time, none due", |bencher| {
        bencher.iter(|| {
            let mut group = copy.group_mut(b"group")?;
            let (claimer, _) = group.consumer(b"claimer", now_ms);
            Some(
                group
                    .claim_due(claimer, 2_000_000, 100, now_ms)
                    .entries
                    .len(),
            )
        });
    });
    group.finish();
}

criterion_group!(benches, adding, ranges, groups, claims);
criterion_main!(benches);
