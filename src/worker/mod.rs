//! Worker threads: one per core, each with its own connections.
//!
//! A worker knows neither keys nor commands. It is handed connections through its [`Door`], gives
//! each a turn when its socket, its timer or its mailbox asks for one, and ticks ten times a
//! second for the work that time alone brings. It waits in epoll by itself, without a general
//! runtime, because that is a tenth of the cost of a small request (docs/ARCHITECTURE.md).

#[cfg(test)]
mod tests;
mod turns;

use std::io;
use std::os::fd::RawFd;
use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::Poll;

use crate::clock::Now;
use crate::outbox::Bell;
use crate::sync::Lock;

use turns::Turns;

pub use turns::{serve_others, serve_others_unless_inside};

/// How often a worker does what time alone brings; Redis's `hz 10`.
pub const TICK: Duration = Duration::from_millis(100);

/// Address space of a worker's stack, touched only as far as it is used: scripts may nest what they
/// encode and decode thousands deep.
const STACK_BYTES: usize = 16 << 20;

/// What a worker is told to do with what it is handed.
pub trait Duty<A>: Send + 'static {
    /// What it makes of an arrival.
    type Connection: Connection;
    /// Takes charge of an arrival, which gets the place `slot` among the worker's connections.
    fn open(&mut self, arrived: A, slot: usize) -> io::Result<Self::Connection>;
    /// Does what time alone brings, in a millisecond at most.
    fn tick(&mut self);
    /// Is shown connections that read early and whose turns come next, in that order: what their
    /// turns will need can be asked for together.
    fn foresee(&mut self, _next: &[&Self::Connection]) {}
    /// When it wants to be called before its next tick, in monotonic microseconds. Asked on every
    /// pass over the sockets.
    fn early_us(&self) -> u64 {
        u64::MAX
    }
    /// Does what it wanted to do by then.
    fn hurry(&mut self) {}
    /// How long a worker that had something to do looks for more without sleeping, in microseconds.
    /// Asked on every pass over the sockets.
    fn busy_poll_us(&self) -> u64 {
        0
    }
    /// Is told how long the worker was at work between two waits, in microseconds.
    fn note_pass(&mut self, _us: u64) {}
}

/// One of a worker's connections.
pub trait Connection {
    /// Its socket, which stays open until it is dropped.
    fn socket(&self) -> RawFd;
    /// Reads what came to its socket and keeps it for its turn, if it wants to be foreseen; says
    /// whether it did. Then it has taken note of what is `ready`, and leaves nothing of it.
    fn read_early(&mut self, _ready: &mut Ready) -> bool {
        false
    }
    /// Moves on as far as possible without waiting. `now` is not older than a millisecond or so;
    /// a turn that took longer brings it up to date.
    fn turn(&mut self, ready: Ready, now: &mut Now) -> Turn;
    /// Ends it, after its last turn.
    fn close(self, now: Now);
}

/// What the system said of a socket since the last turn. It says each thing once: a connection
/// remembers it until a call finds otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// There may be something to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The other side has closed, or the connection failed: reading comes to an end.
    pub hung_up: bool,
}

impl Ready {
    /// What was said before and what is said now.
    pub fn add(&mut self, other: Self) {
        self.readable |= other.readable;
        self.writable |= other.writable;
        self.hung_up |= other.hung_up;
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It waits for its socket, its mailbox, or this moment in monotonic microseconds.
    Wait {
        /// When it wants a turn though nothing happened.
        until_us: Option<u64>,
    },
    /// It could go on, and lets others go first.
    Again,
    /// It could go on, right after those whom it has called.
    Behind,
    /// The connection is over.
    Over,
}

/// Where connections are handed to a worker, and told to it no more.
#[derive(Debug)]
pub struct Door<A> {
    arrivals: Lock<Arrivals<A>>,
    /// Connections that the worker has, those at the door included.
    connections_len: AtomicUsize,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Arrivals<A> {
    waiting: Vec<A>,
    is_closed: bool,
}

impl<A> Door<A> {
    fn new(bell: Arc<Bell>) -> Self {
        Self {
            arrivals: Lock::new(Arrivals {
                waiting: Vec::new(),
                is_closed: false,
            }),
            connections_len: AtomicUsize::new(0),
            bell,
        }
    }

    /// How many connections the worker has, those at the door included.
    pub fn connections_len(&self) -> usize {
        self.connections_len.load(Ordering::Relaxed)
    }

    /// Hands the worker a connection.
    pub fn hand_over(&self, arrival: A) {
        self.connections_len.fetch_add(1, Ordering::Relaxed);
        self.arrivals.lock().waiting.push(arrival);
        self.bell.ring();
    }

    /// Says that nothing more comes: the worker ends with the last of its connections.
    pub fn close(&self) {
        self.arrivals.lock().is_closed = true;
        self.bell.ring();
    }

    /// What waits at the door, and whether it is closed.
    fn take(&self) -> (Vec<A>, bool) {
        let mut arrivals = self.arrivals.lock();
        (std::mem::take(&mut arrivals.waiting), arrivals.is_closed)
    }

    fn note_gone(&self) {
        self.connections_len.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Wakes a worker from its sleep.
struct Alarm(mio::Waker);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only when the worker has gone, and then the process is going too.
        let _ = self.0.wake();
    }
}

/// A worker that runs.
#[derive(Debug)]
pub struct Worker<A> {
    /// Where it is handed connections.
    pub door: Arc<Door<A>>,
    /// Ends when the door is closed and its connections are over.
    pub thread: JoinHandle<()>,
}

/// Starts a worker thread, which `bell` wakes.
pub fn start<A: Send + 'static>(
    index: usize,
    bell: Arc<Bell>,
    duty: impl Duty<A>,
) -> io::Result<Worker<A>> {
    let poll = Poll::new()?;
    let waker = mio::Waker::new(poll.registry(), turns::ALARM)?;
    bell.set_alarm(Waker::from(Arc::new(Alarm(waker))));
    let door = Arc::new(Door::new(Arc::clone(&bell)));
    let entrance = Arc::clone(&door);
    let thread = thread::Builder::new()
        .name(format!("weir-{index}"))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let _together = DownTogether;
            Turns::new(poll, bell, entrance, duty).run();
        })?;
    Ok(Worker { door, thread })
}

/// Takes the process down with a worker that panics: its clients would wait for ever otherwise.
struct DownTogether;

impl Drop for DownTogether {
    fn drop(&mut self) {
        if thread::panicking() {
            abort();
        }
    }
}
