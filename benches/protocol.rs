//! Cost of reading a request and of writing a reply, per item, beside the decoder and encoder of
//! `redis-protocol`. Run with `cargo bench --bench protocol`, alone on the machine.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_protocol::resp2;
use redis_protocol::resp2::types::BytesFrame;
use weir::protocol::number::{add_decimal, parse_f64, parse_i64};
use weir::protocol::reply::SHARED_BYTES_MIN;
use weir::protocol::{Limits, OwnedArgs, Parsed, Parser, Reply, Resp};

/// Requests in one read, as with `redis-benchmark -P 64`.
const PIPELINE: usize = 64;

fn request(arguments: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        wire.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        wire.extend_from_slice(argument);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// Reads all requests and looks at each one's name, as dispatch does.
fn parse_all(parser: &mut Parser, mut buf: &[u8], limits: &Limits) -> usize {
    let mut requests = 0;
    loop {
        match parser.parse(buf, limits) {
            Parsed::Request { consumed } => {
                black_box(parser.args(buf).at(0));
                requests += 1;
                buf = &buf[consumed..];
            }
            Parsed::Empty { consumed } => buf = &buf[consumed..],
            Parsed::Incomplete | Parsed::Error(_) => return requests,
        }
    }
}

fn decode_all(mut buf: &[u8]) -> usize {
    let mut requests = 0;
    while let Ok(Some((frame, consumed))) = resp2::decode::decode_range(buf) {
        black_box(frame);
        requests += 1;
        buf = &buf[consumed..];
    }
    requests
}

fn requests(criterion: &mut Criterion) {
    let value = [b'x'; 64];
    let cases: [(&str, Vec<u8>); 5] = [
        ("lpush_64b", request(&[b"LPUSH", b"mylist", &value])),
        ("get", request(&[b"GET", b"key:000000000042"])),
        ("ping", request(&[b"PING"])),
        ("ping_inline", b"PING\r\n".to_vec()),
        (
            "xadd_8_fields",
            request(&[
                &b"XADD"[..],
                b"orders",
                b"*",
                b"id",
                b"1234567",
                b"customer",
                b"42",
                b"amount",
                b"19.95",
                b"currency",
                b"EUR",
                b"status",
                b"new",
                b"source",
                b"web",
                b"region",
                b"eu-west-1",
                b"note",
                b"",
            ]),
        ),
    ];
    let limits = Limits::default();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    for (name, wire) in &cases {
        let batch = wire.repeat(PIPELINE);
        let mut parser = Parser::default();
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                assert_eq!(parse_all(&mut parser, black_box(&batch), &limits), PIPELINE);
            });
        });
        if wire[0] == b'*' {
            group.bench_function(format!("{name}/redis-protocol"), |bencher| {
                bencher.iter(|| assert_eq!(decode_all(black_box(&batch)), PIPELINE));
            });
        }
    }
    group.finish();
}

/// Measures one writer, `PIPELINE` replies to a flush.
fn writer(criterion: &mut Criterion, name: &str, mut write: impl FnMut(&mut Reply)) {
    let mut group = criterion.benchmark_group("reply");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    let mut reply = Reply::new(Resp::V2);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for _ in 0..PIPELINE {
                write(black_box(&mut reply));
            }
            reply.advance(reply.len());
        });
    });
    group.finish();
}

fn replies(criterion: &mut Criterion) {
    let value = [b'x'; 64];
    writer(criterion, "ok", Reply::ok);
    writer(criterion, "integer_small", |reply| {
        reply.integer(black_box(42));
    });
    writer(criterion, "integer_large", |reply| {
        reply.integer(black_box(1_234_567));
    });
    writer(criterion, "bulk_64b", |reply| reply.bulk(black_box(&value)));
    writer(criterion, "bulk_5b", |reply| {
        reply.bulk(black_box(b"hello"));
    });
    writer(criterion, "null", Reply::null);
    // Around the size from which values go by reference.
    let large = Bytes::from(vec![b'x'; SHARED_BYTES_MIN]);
    for size in [2 << 10, 4 << 10, 8 << 10] {
        writer(criterion, &format!("bulk_{size}b_copied"), |reply| {
            reply.bulk(black_box(&large[..size]));
        });
    }
    writer(criterion, "bulk_large_shared", |reply| {
        reply.bulk_shared(black_box(&large));
    });
    writer(criterion, "double", |reply| reply.double(black_box(3.25)));
    writer(criterion, "array_later_of_2", |reply| {
        let later = reply.array_later();
        reply.bulk(black_box(b"mylist"));
        reply.bulk(black_box(&value));
        reply.close_array(later, 2);
    });

    let mut group = criterion.benchmark_group("reply");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    for (name, frame) in [
        (
            "integer_large/redis-protocol",
            BytesFrame::Integer(1_234_567),
        ),
        (
            "bulk_64b/redis-protocol",
            BytesFrame::BulkString(value.to_vec().into()),
        ),
    ] {
        let mut out = BytesMut::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for _ in 0..PIPELINE {
                    let frame = black_box(&frame);
                    let _ = black_box(resp2::encode::extend_encode(&mut out, frame, false));
                }
                out.clear();
            });
        });
    }
    group.finish();
}

fn numbers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("number");
    group.bench_function("parse_i64", |bencher| {
        bencher.iter(|| parse_i64(black_box(b"1234567")));
    });
    group.bench_function("parse_f64", |bencher| {
        bencher.iter(|| parse_f64(black_box(b"1234.567")));
    });
    group.bench_function("add_decimal", |bencher| {
        bencher.iter(|| add_decimal(black_box(b"10.5"), black_box(b"0.1")));
    });
    group.finish();
    let owned: OwnedArgs = ["LPUSH", "mylist", "value"].into_iter().collect();
    criterion.bench_function("args/to_vec", |bencher| {
        bencher.iter(|| black_box(owned.as_args()).to_vec());
    });
}

criterion_group!(benches, requests, replies, numbers);
criterion_main!(benches);
