//! How long a message waits to be handed to a consumer that is blocked in BRPOP.
//!
//! Open loop: message number `i` is due at `i / RATE` and is timed from that moment, whether or
//! not the server, or this client, was ready for it then. A stall is so counted against every
//! message it delayed (no coordinated omission). The producer keeps its own time in microseconds
//! by looping over the sockets without sleeping, so it needs a core of its own: the script pins
//! it away from the server.
//!
//! `handoff PORT KEYS CONSUMERS RATE SECONDS`: consumer `c` blocks on key `c % KEYS`, message `i`
//! goes to key `i % KEYS`. Prints one line of `name=value` pairs and fails if a message is missing
//! or came twice.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result, Write};
use std::pin::Pin;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use weir::clock::mono_us;

/// Digits of the message's number; the rest of the 64 bytes is padding.
const NUMBER_DIGITS: usize = 16;
const MESSAGE_BYTES: usize = 64;
/// How long stragglers are awaited after the last message was due.
const PATIENCE_US: u64 = 5_000_000;

struct Plan {
    port: u16,
    keys: u64,
    consumers: u64,
    rate: u64,
    messages: u64,
}

impl Plan {
    fn from_arguments() -> Result<Self> {
        let usage = "usage: handoff PORT KEYS CONSUMERS RATE SECONDS";
        let wrong = || Error::new(ErrorKind::InvalidInput, usage);
        let numbers: Vec<u64> = std::env::args()
            .skip(1)
            .map(|text| text.parse().map_err(|_| wrong()))
            .collect::<Result<_>>()?;
        let [port, keys, consumers, rate, seconds] = numbers[..] else {
            return Err(wrong());
        };
        if keys == 0 || rate == 0 || consumers < keys {
            return Err(wrong());
        }
        Ok(Self {
            port: u16::try_from(port).map_err(|_| wrong())?,
            keys,
            consumers,
            rate,
            messages: rate * seconds,
        })
    }

    /// When message `number` is due, in microseconds after the start.
    fn due_us(&self, number: u64) -> u64 {
        number * 1_000_000 / self.rate
    }
}

/// What the consumers saw.
struct Record {
    plan: Plan,
    start_us: u64,
    seen: Vec<bool>,
    received: u64,
    /// Messages that came a second time, or were never sent.
    strangers: u64,
    latency: Histogram,
}

fn main() -> Result<()> {
    let plan = Plan::from_arguments()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, measure(plan))
}

async fn measure(plan: Plan) -> Result<()> {
    let mut producer = connect(plan.port).await?;
    let mut consumers = Vec::new();
    for consumer in 0..plan.consumers {
        consumers.push((connect(plan.port).await?, consumer % plan.keys));
    }
    let record = Rc::new(RefCell::new(Record {
        seen: vec![false; usize::try_from(plan.messages).map_err(Error::other)?],
        start_us: 0,
        received: 0,
        strangers: 0,
        latency: Histogram::new(),
        plan,
    }));
    for (stream, key) in consumers {
        tokio::task::spawn_local(consume(stream, key, record.clone()));
    }
    // Every consumer is blocked at the server before the first message is due.
    let settled_us = mono_us() + 200_000;
    while mono_us() < settled_us {
        tokio::task::yield_now().await;
    }
    record.borrow_mut().start_us = mono_us();
    let late = produce(&mut producer, &record).await?;
    report(&record.borrow(), &late)
}

/// Sends each message as soon as it is due; those that fell due together go in one write.
/// Returns how late the sends were.
async fn produce(stream: &mut TcpStream, record: &RefCell<Record>) -> Result<Histogram> {
    let mut late = Histogram::new();
    let start_us = record.borrow().start_us;
    let messages = record.borrow().plan.messages;
    let patience_us = record.borrow().plan.due_us(messages) + PATIENCE_US;
    let mut next = 0;
    let mut output = Vec::new();
    let mut replies = vec![0; 64 * 1024];
    while record.borrow().received < messages {
        let passed_us = mono_us() - start_us;
        if passed_us > patience_us {
            break;
        }
        {
            let plan = &record.borrow().plan;
            while next < messages && plan.due_us(next) <= passed_us {
                push_request(&mut output, next % plan.keys, next)?;
                late.add(passed_us - plan.due_us(next));
                next += 1;
            }
        }
        write_all(stream, &output).await?;
        output.clear();
        // Replies to LPUSH are lengths nobody needs; they only must not fill the socket.
        match stream.try_read(&mut replies) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        tokio::task::yield_now().await;
    }
    Ok(late)
}

fn push_request(output: &mut Vec<u8>, key: u64, number: u64) -> Result<()> {
    let key = format!("handoff:{key}");
    write!(
        output,
        "*3\r\n$5\r\nLPUSH\r\n${}\r\n{key}\r\n${MESSAGE_BYTES}\r\n{number:0NUMBER_DIGITS$}{:.<pad$}\r\n",
        key.len(),
        "",
        pad = MESSAGE_BYTES - NUMBER_DIGITS,
    )
}

/// Pops for ever; every reply is one message, since the next BRPOP is sent only after it.
async fn consume(mut stream: TcpStream, key: u64, record: Rc<RefCell<Record>>) -> Result<()> {
    let key = format!("handoff:{key}");
    let request = format!(
        "*3\r\n$5\r\nBRPOP\r\n${}\r\n{key}\r\n$1\r\n0\r\n",
        key.len()
    );
    let header = format!("*2\r\n${}\r\n{key}\r\n${MESSAGE_BYTES}\r\n", key.len());
    let reply_bytes = header.len() + MESSAGE_BYTES + 2;
    let mut input = vec![0; reply_bytes];
    loop {
        write_all(&mut stream, request.as_bytes()).await?;
        let mut filled = 0;
        while filled < reply_bytes {
            filled += read(&mut stream, &mut input[filled..]).await?;
        }
        let now_us = mono_us();
        let number = std::str::from_utf8(&input[header.len()..header.len() + NUMBER_DIGITS])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or(ErrorKind::InvalidData)?;
        record.borrow_mut().take(number, now_us);
    }
}

impl Record {
    fn take(&mut self, number: u64, now_us: u64) {
        let seen = usize::try_from(number)
            .ok()
            .and_then(|index| self.seen.get_mut(index));
        let Some(seen @ false) = seen else {
            self.strangers += 1;
            return;
        };
        *seen = true;
        self.received += 1;
        let waited_us = now_us.saturating_sub(self.start_us + self.plan.due_us(number));
        self.latency.add(waited_us);
    }
}

fn report(record: &Record, late: &Histogram) -> Result<()> {
    let Record {
        plan,
        latency,
        received,
        strangers,
        ..
    } = record;
    let missing = plan.messages - received;
    writeln!(
        std::io::stdout(),
        "messages={} missing={missing} strangers={strangers} p50_us={} p99_us={} p999_us={} \
         max_us={} late_p50_us={} late_p99_us={}",
        plan.messages,
        latency.share(500),
        latency.share(990),
        latency.share(999),
        latency.share(1000),
        late.share(500),
        late.share(990),
    )?;
    if missing + strangers > 0 {
        return Err(Error::other("not every message came exactly once"));
    }
    Ok(())
}

/// Counts by size with 64 steps to each doubling, so a figure read from it is at most 1.6% high.
struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    const STEP_BITS: u32 = 6;

    fn new() -> Self {
        Self {
            counts: vec![0; 64 << Self::STEP_BITS],
            total: 0,
        }
    }

    fn add(&mut self, value: u64) {
        let shift = (value | 1).ilog2().saturating_sub(Self::STEP_BITS);
        let bucket = (u64::from(shift) << Self::STEP_BITS) + (value >> shift);
        if let Some(count) = usize::try_from(bucket)
            .ok()
            .and_then(|bucket| self.counts.get_mut(bucket))
        {
            *count += 1;
            self.total += 1;
        }
    }

    /// The largest value of the bucket that holds the given share, in thousandths, of all values.
    fn share(&self, thousandths: u64) -> u64 {
        let wanted = (self.total * thousandths).div_ceil(1000).max(1);
        let mut passed = 0;
        for (bucket, count) in (0u64..).zip(&self.counts) {
            passed += count;
            if passed >= wanted {
                let shift = (bucket >> Self::STEP_BITS).saturating_sub(1);
                let step = bucket - (shift << Self::STEP_BITS);
                return ((step + 1) << shift) - 1;
            }
        }
        0
    }
}

async fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads at least one byte, or fails.
async fn read(stream: &mut TcpStream, bytes: &mut [u8]) -> Result<usize> {
    let mut buffer = ReadBuf::new(bytes);
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await?;
    match buffer.filled().len() {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

async fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}
