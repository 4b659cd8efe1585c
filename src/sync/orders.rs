//! Orders in which threads may go on, tried by chance; only in tests.
//!
//! Inside of [`explore`] threads are made by [`spawn`], take turns on one thread of the system, and
//! change places at every [`Lock`](super::Lock) and [`Flag`](super::Flag) as shuttle's schedulers
//! want it: half of the orders by plain chance, half with few changes at places that matter. Code
//! under test is built as for all other tests. Flags are taken to be sequentially consistent; what
//! a weaker order permits is reasoned out where it is used.
//!
//! Who waits for what never comes shows: by shuttle's word of a deadlock, or, where threads try a
//! lock over and over, by too many steps.

use std::cell::Cell;
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

pub use shuttle::thread::{JoinHandle, spawn};

/// Changes of place that bring most faults to light; PCT's depth.
const CHANGES: usize = 4;
/// Steps of one order, far more than any that ends takes: a client that reads 60 bytes at a time
/// what was left for it makes hundreds of thousands.
const STEPS_MAX: usize = 3_000_000;
/// The stack of a thread: a command in a debug build, with room to spare.
const STACK_BYTES: usize = 2 << 20;

thread_local! {
    static IS_EXPLORING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, which spawns threads and joins them, in so many orders of each kind.
pub fn explore(seed: u64, orders: usize, body: impl Fn() + Send + Sync + 'static) {
    let body = Arc::new(body);
    run(RandomScheduler::new_from_seed(seed, orders), &body);
    run(
        PctScheduler::new_from_seed(seed, CHANGES, orders.max(1)),
        &body,
    );
}

fn run(scheduler: impl Scheduler + 'static, body: &Arc<impl Fn() + Send + Sync + 'static>) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    let body = Arc::clone(body);
    let _exploring = Exploring::begin();
    Runner::new(scheduler, config).run(move || body());
}

/// While it stands, locks and flags of this thread of the system are places to change.
struct Exploring;

impl Exploring {
    fn begin() -> Self {
        IS_EXPLORING.set(true);
        Self
    }
}

impl Drop for Exploring {
    fn drop(&mut self) {
        IS_EXPLORING.set(false);
    }
}

/// A place at which another thread may go on.
pub(super) fn point() {
    if IS_EXPLORING.get() {
        // It takes no time here: it is the change of place that does not put this thread last.
        shuttle::thread::sleep(std::time::Duration::ZERO);
    }
}

/// Tries until it succeeds, and lets others go on in between; `None` outside of [`explore`].
pub(super) fn insist<R>(attempt: impl Fn() -> Option<R>) -> Option<R> {
    if !IS_EXPLORING.get() {
        return None;
    }
    point();
    loop {
        if let Some(result) = attempt() {
            return Some(result);
        }
        shuttle::thread::yield_now();
    }
}

/// Something on which threads wait for each other. For tests themselves: who waits here for what
/// never comes is told of as a deadlock.
#[derive(Debug, Default)]
pub struct Stage<T> {
    state: shuttle::sync::Mutex<T>,
    changed: shuttle::sync::Condvar,
}

impl<T> Stage<T> {
    /// Changes the state, and has all who wait look again.
    ///
    /// # Panics
    /// When another thread of the test panicked in here.
    pub fn change<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        let mut state = self.state.lock().expect("no thread of a test panics");
        let result = act(&mut state);
        self.changed.notify_all();
        result
    }

    /// Waits until `look` finds what it wants.
    ///
    /// # Panics
    /// When another thread of the test panicked in here.
    pub fn wait<R>(&self, mut look: impl FnMut(&mut T) -> Option<R>) -> R {
        let mut state = self.state.lock().expect("no thread of a test panics");
        loop {
            if let Some(result) = look(&mut state) {
                self.changed.notify_all();
                return result;
            }
            let waited = self.changed.wait(state);
            state = waited.expect("no thread of a test panics");
        }
    }
}

/// Runs something that needs no other thread without places to change.
pub fn alone<R>(act: impl FnOnce() -> R) -> R {
    let was_exploring = IS_EXPLORING.replace(false);
    let result = act();
    IS_EXPLORING.set(was_exploring);
    result
}

/// A number by chance, the same when an order is tried again.
pub fn chance() -> u64 {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().r#gen()
}
