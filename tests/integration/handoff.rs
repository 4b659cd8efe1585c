//! From producers to waiting consumers: every message exactly once, in order, first come first
//! served.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::thread;

use crate::amount;
use crate::raw::{Raw, request, wait_for_blocked};
use crate::server::Server;

const CONSUMERS: usize = 100;

/// A consumer that always has one BLPOP on its way.
struct Consumer {
    raw: Raw,
    ask: Vec<u8>,
    inbox: Vec<u8>,
    received: Vec<u32>,
}

impl Consumer {
    fn new(address: SocketAddr, key: &str) -> Self {
        let mut raw = Raw::open(address);
        let ask = request(&["BLPOP", key, "0"]);
        raw.send(&ask);
        raw.stream.set_nonblocking(true).unwrap();
        Self {
            raw,
            ask,
            inbox: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Takes the message that has arrived, if it is whole, and asks for the next.
    fn take(&mut self) -> bool {
        let mut chunk = [0; 256];
        match self.raw.stream.read(&mut chunk) {
            Ok(0) => panic!("the server closed a consumer's connection"),
            Ok(count) => self.inbox.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("{error}"),
        }
        // *2, then length and bytes of the key, then length and bytes of the message.
        let ends = memchr::memchr_iter(b'\n', &self.inbox).count();
        if ends < 5 {
            return false;
        }
        assert_eq!(ends, 5, "two replies to one request");
        let text = String::from_utf8(std::mem::take(&mut self.inbox)).unwrap();
        let message = text.lines().nth(4).unwrap().parse().unwrap();
        self.received.push(message);
        self.raw.stream.write_all(&self.ask).unwrap();
        true
    }
}

/// Serves the consumers until `total` messages have arrived.
fn consume(mut consumers: Vec<Consumer>, total: usize) -> Vec<Vec<u32>> {
    let mut fds: Vec<libc::pollfd> = consumers
        .iter()
        .map(|consumer| libc::pollfd {
            fd: consumer.raw.stream.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let mut left = total;
    while left > 0 {
        let count = libc::nfds_t::try_from(fds.len()).unwrap();
        // SAFETY: `fds` is a live array of `count` entries for the whole call.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), count, 60_000) };
        assert!(ready > 0, "{left} of {total} messages never arrived");
        for (consumer, fd) in consumers.iter_mut().zip(&fds) {
            if fd.revents != 0 && consumer.take() {
                left -= 1;
            }
        }
    }
    consumers
        .into_iter()
        .map(|consumer| consumer.received)
        .collect()
}

/// Pushes messages `first, first + step, ...` below `total` to the key that each one names.
fn produce(address: SocketAddr, total: usize, first: usize, step: usize, key: fn(usize) -> String) {
    const BATCH: usize = 64;
    let mut raw = Raw::open(address);
    let mut messages: VecDeque<usize> = (first..total).step_by(step).collect();
    while !messages.is_empty() {
        let batch = messages
            .drain(..BATCH.min(messages.len()))
            .collect::<Vec<_>>();
        let mut bytes = Vec::new();
        for message in &batch {
            bytes.extend(request(&["RPUSH", &key(*message), &message.to_string()]));
        }
        raw.send(&bytes);
        for _ in &batch {
            let line = raw.read_line();
            assert!(line.starts_with(':'), "{line}");
        }
    }
}

#[test]
fn a_hundred_consumers_of_one_queue_get_every_message_once() {
    let server = Server::weir(&[]);
    let address = server.address;
    let total = amount(20_000, 1_000_000);
    let consumers = (0..CONSUMERS)
        .map(|_| Consumer::new(address, "hot"))
        .collect();
    let producers: Vec<_> = (0..2)
        .map(|first| thread::spawn(move || produce(address, total, first, 2, |_| "hot".into())))
        .collect();
    let received = consume(consumers, total);
    for producer in producers {
        producer.join().unwrap();
    }
    let mut seen = vec![false; total];
    for messages in &received {
        // What one producer pushed in order reaches any consumer in that order.
        for parity in 0..2 {
            let of_one: Vec<u32> = messages
                .iter()
                .copied()
                .filter(|message| message % 2 == parity)
                .collect();
            assert!(of_one.is_sorted(), "a consumer got messages out of order");
        }
        for &message in messages {
            assert!(
                !std::mem::replace(&mut seen[message as usize], true),
                "{message} came twice"
            );
        }
    }
    assert!(seen.into_iter().all(|seen| seen), "a message never came");
}

#[test]
fn a_hundred_queues_keep_their_order() {
    let server = Server::weir(&[]);
    let address = server.address;
    let total = amount(20_000, 1_000_000);
    let key = |message: usize| format!("q{}", message % CONSUMERS);
    let consumers = (0..CONSUMERS)
        .map(|index| Consumer::new(address, &key(index)))
        .collect();
    let producers: Vec<_> = (0..2)
        .map(|first| thread::spawn(move || produce(address, total, first, 2, key)))
        .collect();
    let received = consume(consumers, total);
    for producer in producers {
        producer.join().unwrap();
    }
    for (index, messages) in received.iter().enumerate() {
        let expected: Vec<u32> = (index..total)
            .step_by(CONSUMERS)
            .map(|message| u32::try_from(message).unwrap())
            .collect();
        assert_eq!(*messages, expected, "queue {index}");
    }
}

#[test]
fn who_waited_first_is_served_first() {
    let server = Server::weir(&[]);
    let mut control = Raw::open(server.address);
    let mut waiters: Vec<Raw> = Vec::new();
    for count in 1..=CONSUMERS {
        let mut raw = Raw::open(server.address);
        raw.send(&request(&["BLPOP", "line", "0"]));
        waiters.push(raw);
        wait_for_blocked(&mut control, count);
    }
    // Half of them by single pushes, the others by one push of many.
    for message in 0..CONSUMERS / 2 {
        control.ask(&["RPUSH", "line", &format!("{message:03}")], ":1\r\n");
    }
    let many: Vec<String> = (CONSUMERS / 2..CONSUMERS)
        .map(|message| format!("{message:03}"))
        .collect();
    let mut push = vec!["RPUSH", "line"];
    push.extend(many.iter().map(String::as_str));
    control.ask(&push, &format!(":{}\r\n", CONSUMERS / 2));
    for (message, waiter) in waiters.iter_mut().enumerate() {
        waiter.expect(format!("*2\r\n$4\r\nline\r\n$3\r\n{message:03}\r\n").as_bytes());
    }
    control.ask(&["LLEN", "line"], ":0\r\n");
}

#[test]
fn a_consumer_that_leaves_takes_nothing_with_it() {
    let server = Server::weir(&[]);
    let mut control = Raw::open(server.address);
    for _ in 0..20 {
        let mut leaver = Raw::open(server.address);
        leaver.send(&request(&["BLPOP", "left", "0"]));
        wait_for_blocked(&mut control, 1);
        drop(leaver);
        wait_for_blocked(&mut control, 0);
        control.ask(&["RPUSH", "left", "message"], ":1\r\n");
        control.ask(&["LPOP", "left"], "$7\r\nmessage\r\n");
    }
}
