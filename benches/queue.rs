//! Push and pop at both ends, beside a `VecDeque` of boxed messages. Every figure is per message.

use std::collections::VecDeque;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use weir::store::queue::{End, Queue};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of one measured batch: deep enough for many segments, small enough for the L2 cache
/// to matter little.
const MESSAGES: u32 = 20_000;
const SIZES: [usize; 3] = [16, 64, 1024];
/// Messages that arrive in one tick: a million a second.
const TICK_MESSAGES: u32 = 1000;

fn filled(end: End, size: usize) -> Queue {
    let (mut queue, message) = (Queue::new(), vec![7; size]);
    for index in 0..MESSAGES {
        queue.push(end, &message, u64::from(index / TICK_MESSAGES));
    }
    queue
}

fn push(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("push");
    group.throughput(Throughput::Elements(u64::from(MESSAGES)));
    for size in SIZES {
        let message = vec![7; size];
        for end in [End::Front, End::Back] {
            group.bench_function(format!("{end:?}/{size}"), |bencher| {
                bencher.iter_with_large_drop(|| {
                    let mut queue = Queue::new();
                    for index in 0..MESSAGES {
                        let tick = u64::from(index / TICK_MESSAGES);
                        queue.push(end, black_box(&message), tick);
                    }
                    queue
                });
            });
        }
        group.bench_function(format!("boxes/{size}"), |bencher| {
            bencher.iter_with_large_drop(|| {
                let mut queue: VecDeque<(Box<[u8]>, u64)> = VecDeque::new();
                for index in 0..MESSAGES {
                    let tick = u64::from(index / TICK_MESSAGES);
                    queue.push_back((black_box(&message[..]).into(), tick));
                }
                queue
            });
        });
    }
    group.finish();
}

fn pop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pop");
    group.throughput(Throughput::Elements(u64::from(MESSAGES)));
    for size in SIZES {
        for (pushed, popped) in [
            (End::Front, End::Back),
            (End::Back, End::Front),
            (End::Back, End::Back),
        ] {
            group.bench_function(format!("{pushed:?}-{popped:?}/{size}"), |bencher| {
                let mut reply = [0; 1024];
                bencher.iter_batched_ref(
                    || filled(pushed, size),
                    |queue| {
                        // Copies the message as a reply does.
                        while let Some(arrival) = queue.pop_with(popped, |message, arrival| {
                            let bytes = message.bytes();
                            reply[..bytes.len()].copy_from_slice(bytes);
                            arrival
                        }) {
                            black_box((arrival, &mut reply));
                        }
                    },
                    BatchSize::PerIteration,
                );
            });
        }
        group.bench_function(format!("boxes/{size}"), |bencher| {
            let mut reply = [0; 1024];
            bencher.iter_batched_ref(
                || {
                    let message = vec![7; size];
                    let messages = (0..MESSAGES).map(|_| (Box::from(&message[..]), 1_u64));
                    messages.collect::<VecDeque<(Box<[u8]>, u64)>>()
                },
                |queue| {
                    while let Some((message, arrival)) = queue.pop_front() {
                        reply[..message.len()].copy_from_slice(&message);
                        black_box((arrival, &mut reply));
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A producer and a consumer that keep up with each other at some depth.
fn steady(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("steady");
    group.throughput(Throughput::Elements(u64::from(MESSAGES)));
    let message = [7; 64];
    for depth in [0, 10, 1000, 10_000] {
        let mut queue = Queue::new();
        for _ in 0..depth {
            queue.push(End::Front, &message, 0);
        }
        let mut reply = [0; 64];
        group.bench_function(format!("64/depth-{depth}"), |bencher| {
            bencher.iter(|| {
                for _ in 0..MESSAGES {
                    queue.push(End::Front, black_box(&message), 0);
                    queue.pop_with(End::Back, |message, _| {
                        reply.copy_from_slice(message.bytes());
                    });
                    black_box(&mut reply);
                }
            });
        });
    }
    group.finish();
}

/// What walks: LRANGE, LINDEX in the middle, LSET, LINSERT, a wide LREM.
fn middle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("middle");
    let mut queue = filled(End::Back, 64);
    let half = queue.len() / 2;
    group.bench_function("get", |bencher| {
        bencher.iter(|| queue.get(black_box(half)).map(|message| message.bytes()[0]));
    });
    group.bench_function("range of 100", |bencher| {
        bencher.iter(|| {
            queue
                .range(black_box(half), 100)
                .map(|m| m.bytes().len())
                .sum::<usize>()
        });
    });
    group.bench_function("set", |bencher| {
        bencher.iter(|| queue.set(black_box(half), &[8; 64]));
    });
    group.bench_function("insert and remove", |bencher| {
        bencher.iter(|| {
            queue.insert_before(black_box(half), b"pivot", 0);
            queue.remove_matching(b"pivot", End::Front, 1, |_, _| ())
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1))
        .sample_size(20);
    targets = push, pop, steady, middle
}
criterion_main!(benches);
