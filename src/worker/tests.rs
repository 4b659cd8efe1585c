//! A worker's loop beside connections that only call one another.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use crate::clock::Now;
use crate::outbox::{Bell, Mailbox, Seat, WakeList};
use crate::sync::Lock;

use super::{Connection, Duty, Ready, Turn, start};

/// Those who arrived, in order.
type Boxes = Arc<Lock<Vec<Arc<Mailbox>>>>;

/// Calls the connection that arrived first for each byte it reads, and says `.` in each turn.
struct Caller {
    socket: UnixStream,
    boxes: Boxes,
}

impl Connection for Caller {
    fn socket(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn turn(&mut self, _: Ready, _: &mut Now) -> Turn {
        let mut wakes = WakeList::default();
        let mut byte = [0];
        match self.socket.read(&mut byte) {
            Ok(1) => self.boxes.lock()[0].prompt(&mut wakes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Turn::Over,
        }
        wakes.wake();
        match self.socket.write_all(b".") {
            Ok(()) => Turn::Wait { until_us: None },
            Err(_) => Turn::Over,
        }
    }

    fn close(self, _: Now) {}
}

struct Callers {
    bell: Arc<Bell>,
    boxes: Boxes,
}

impl Duty<UnixStream> for Callers {
    type Connection = Caller;

    fn open(&mut self, socket: UnixStream, slot: usize) -> io::Result<Caller> {
        let seat = Seat {
            worker: 0,
            slot,
            bell: Arc::clone(&self.bell),
        };
        let mailbox = Arc::new(Mailbox::new(slot as u64, seat));
        self.boxes.lock().push(mailbox);
        let boxes = Arc::clone(&self.boxes);
        Ok(Caller { socket, boxes })
    }

    fn tick(&mut self) {}
}

#[derive(Default)]
struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An alarm is a write to the system, and one more pass: a hand-off would pay it for each message.
#[test]
fn who_is_called_in_a_turn_of_his_own_worker_needs_no_alarm() {
    let bell = Arc::new(Bell::default());
    let duty = Callers {
        bell: Arc::clone(&bell),
        boxes: Boxes::default(),
    };
    let worker = start(0, Arc::clone(&bell), duty).expect("a worker starts");
    let mut next = [0];
    let mut arrive = || {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        theirs.set_nonblocking(true).expect("a socket");
        worker.door.hand_over(theirs);
        ours.read_exact(&mut next).expect("its first turn");
        ours
    };
    let (mut first, mut other) = (arrive(), arrive());

    let alarm = Arc::new(Counted::default());
    bell.set_alarm(Waker::from(Arc::clone(&alarm)));
    for _ in 0..100 {
        other.write_all(b"!").expect("there is room");
        first.read_exact(&mut next).expect("he has a turn");
    }
    assert_eq!(alarm.0.load(Ordering::Relaxed), 0);

    drop((first, other));
    worker.door.close();
    worker.thread.join().expect("it ends on its tick");
}
