//! The simulated server's workers as threads, whose order `sync::orders` tries by chance.
//!
//! Each does what `worker::Turns` does: answers its bell, gives its connections their turns, ticks,
//! and sleeps until it is called. It wakes up by its alarm, a socket or time only, so a wake-up
//! that is lost leaves it asleep, and [`Crew::rest`] finds what was left for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Wake, Waker};

use super::world::{Seated, Served, TICK_MS, World};
use crate::clock::Now;
use crate::command::{Engine, tick};
use crate::outbox::Bell;
use crate::sync::Lock;
use crate::sync::orders::{JoinHandle, Stage, spawn};

/// Who is called, and who sleeps.
#[derive(Debug, Default)]
struct Calls {
    called: Vec<bool>,
    asleep: Vec<bool>,
    is_over: bool,
}

/// What the workers share.
#[derive(Debug)]
struct Hall {
    calls: Stage<Calls>,
    now: Lock<Now>,
    /// The last turns of connections that are over.
    over: Lock<Vec<Served>>,
}

/// Wakes a worker.
#[derive(Debug)]
struct Alarm {
    hall: Arc<Hall>,
    worker: usize,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.hall
            .calls
            .change(|calls| calls.called[self.worker] = true);
    }
}

/// One worker.
struct Hand {
    hall: Arc<Hall>,
    engine: Arc<Engine>,
    worker: usize,
    bell: Arc<Bell>,
    seats: Vec<(usize, Seated)>,
    ticked_ms: u64,
}

impl Hand {
    /// Works until it is told to stop, and hands its connections back.
    fn work(mut self) -> Vec<(usize, Seated)> {
        let mut wanted = VecDeque::new();
        loop {
            self.bell.answer(&mut wanted);
            let now = *self.hall.now.lock();
            let had_work = self.pass(&wanted, now);
            wanted.clear();
            if now.mono_ms() >= self.ticked_ms + TICK_MS {
                self.ticked_ms = now.mono_ms();
                tick::run_at(&self.engine, self.worker, now);
            }
            if !had_work && self.bell.may_sleep() && self.sleep() {
                return self.seats;
            }
        }
    }

    /// Gives a turn to who was called and to who has something to do; says whether anybody had.
    fn pass(&mut self, wanted: &VecDeque<usize>, now: Now) -> bool {
        let mut had_work = false;
        for at in (0..self.seats.len()).rev() {
            let (slot, seated) = &mut self.seats[at];
            if !wanted.contains(slot) && !seated.wants_turn(now) {
                continue;
            }
            had_work = true;
            let served = seated.turn(*slot, now);
            if served.is_over {
                let (_, seated) = self.seats.remove(at);
                seated.close(now);
                self.hall.over.lock().push(served);
            }
        }
        had_work
    }

    /// Sleeps until it is called; says whether that is for good.
    fn sleep(&self) -> bool {
        let worker = self.worker;
        self.hall.calls.change(|calls| calls.asleep[worker] = true);
        self.hall.calls.wait(|calls| {
            if !calls.called[worker] && !calls.is_over {
                return None;
            }
            calls.called[worker] = false;
            calls.asleep[worker] = false;
            Some(calls.is_over)
        })
    }
}

/// All workers, at work.
pub struct Crew {
    hall: Arc<Hall>,
    hands: Vec<JoinHandle<Vec<(usize, Seated)>>>,
}

impl Crew {
    /// Puts the workers of `world` to work on its connections.
    pub fn start(world: &mut World) -> Self {
        let workers = world.engine.workers.len();
        let hall = Arc::new(Hall {
            calls: Stage::default(),
            now: Lock::new(world.now),
            over: Lock::default(),
        });
        hall.calls.change(|calls| {
            calls.called = vec![false; workers];
            calls.asleep = vec![false; workers];
        });
        let mut seats: Vec<Vec<(usize, Seated)>> = (0..workers).map(|_| Vec::new()).collect();
        for (slot, seated) in world.seats.iter_mut().enumerate() {
            if let Some(seated) = seated.take() {
                seats[seated.worker].push((slot, seated));
            }
        }
        let mut crew = Self {
            hall,
            hands: Vec::new(),
        };
        for (worker, seats) in seats.into_iter().enumerate() {
            let bell = Arc::clone(world.bell(worker));
            bell.set_alarm(crew.alarm(worker));
            let hand = Hand {
                hall: Arc::clone(&crew.hall),
                engine: Arc::clone(&world.engine),
                worker,
                bell,
                seats,
                ticked_ms: world.now.mono_ms(),
            };
            crew.hands.push(spawn(move || hand.work()));
        }
        crew
    }

    /// What calls a worker, as the system does when a socket has news.
    pub fn alarm(&self, worker: usize) -> Waker {
        Waker::from(Arc::new(Alarm {
            hall: Arc::clone(&self.hall),
            worker,
        }))
    }

    /// Lets time pass.
    pub fn pass(&self, ms: u64) {
        let mut now = self.hall.now.lock();
        *now = now.after(std::time::Duration::from_millis(ms));
        drop(now);
        self.hall.calls.change(|calls| calls.called.fill(true));
    }

    /// Waits until all workers sleep and nobody calls them.
    pub fn rest(&self) {
        self.hall.calls.wait(|calls| {
            let is_called = calls.called.contains(&true);
            (!is_called && !calls.asleep.contains(&false)).then_some(())
        });
    }

    /// Ends the work: connections and time go back to the world. Gives the last turns of the
    /// connections that are over.
    pub fn stop(self, world: &mut World) -> Vec<Served> {
        self.hall.calls.change(|calls| calls.is_over = true);
        for hand in self.hands {
            let seats = hand.join().expect("a worker that panics ends the test");
            for (slot, seated) in seats {
                world.seats[slot] = Some(seated);
            }
        }
        world.take_bells_back();
        world.now = *self.hall.now.lock();
        std::mem::take(&mut *self.hall.over.lock())
    }
}
