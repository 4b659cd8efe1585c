//! Worker threads: one per core, each a runtime of its own with its own connections.
//!
//! A worker knows neither keys nor commands. It is handed connections, runs what `net` makes of
//! them, and ticks ten times a second for the work that time alone brings.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::Receiver;
use tokio::time::MissedTickBehavior;

use crate::outbox::Bell;

/// How often a worker does what time alone brings; Redis's `hz 10`.
pub const TICK: Duration = Duration::from_millis(100);

/// Address space of a worker's stack, touched only as far as it is used: scripts may nest what they
/// encode and decode thousands deep.
const STACK_BYTES: usize = 16 << 20;

/// What a worker is told to do with what it is handed.
pub trait Duty<T>: Send + Sync + 'static {
    /// Takes charge of a connection: spawns what it needs on the worker's own runtime.
    fn take_charge(&self, runtime: &Handle, arrived: T);
    /// Does what time alone brings, in a millisecond at most.
    fn tick(&self);
    /// Resolves when all that it took charge of is over, after the last arrival.
    fn drained(&self) -> impl Future<Output = ()> + Send;
}

/// Starts a worker thread. It ends when `arrivals` is closed and its duty is over.
pub fn start<T: Send + 'static>(
    index: usize,
    bell: Arc<Bell>,
    arrivals: Receiver<T>,
    duty: impl Duty<T>,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new()
        .name(format!("weir-{index}"))
        .stack_size(STACK_BYTES)
        .spawn(move || run(&runtime, bell, arrivals, duty))
}

fn run<T>(runtime: &Runtime, bell: Arc<Bell>, mut arrivals: Receiver<T>, duty: impl Duty<T>) {
    let handle = runtime.handle().clone();
    let duty = Arc::new(duty);
    handle.spawn(std::future::poll_fn(move |cx| {
        bell.poll_answer(cx).map(drop)
    }));
    let ticking = Arc::clone(&duty);
    handle.spawn(async move {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            ticking.tick();
        }
    });
    runtime.block_on(async move {
        while let Some(arrived) = arrivals.recv().await {
            duty.take_charge(&handle, arrived);
        }
        duty.drained().await;
    });
}
