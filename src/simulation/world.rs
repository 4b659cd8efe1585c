//! The server's side of the simulation: workers, connections over virtual sockets, and time.
//!
//! The connections, sessions and the engine are the real ones. What `worker::Turns` does with epoll
//! and threads is done here by dice: who gets the next turn, and when a worker sleeps. A worker
//! that sleeps wakes up by its alarm, a socket or a timer only, so a lost wake-up shows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use crate::clients::{Client, Origin, Wait};
use crate::clock::Now;
use crate::command::{Engine, Session, ask_together, tick};
use crate::config::Config;
use crate::net::{Connection, Socket, Stream, VirtualSocket};
use crate::outbox::{Bell, Seat};
use crate::store::stream::dice::Dice;
use crate::worker::{Connection as _, Ready, Turn};

/// Between two ticks of a worker.
pub const TICK_MS: u64 = 100;

#[derive(Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Worker {
    bell: Arc<Bell>,
    alarm: Arc<Alarm>,
    /// It found nothing to do, and will sleep if that is still so when it looks again.
    is_drowsy: bool,
    is_asleep: bool,
    /// Slots that others called and that had no turn for it yet.
    wanted: VecDeque<usize>,
}

/// A connection and what its worker keeps for it.
pub struct Seated {
    connection: Connection,
    /// Its socket.
    pub socket: VirtualSocket,
    /// What others see of it.
    pub client: Arc<Client>,
    /// Its worker.
    pub worker: usize,
    is_again: bool,
    /// What was said of its socket and it had no turn for, less what it took note of.
    told: Option<Ready>,
    until_us: Option<u64>,
}

impl Seated {
    /// Has it read before its turn, if there is something and it wants to.
    fn read_early(&mut self) -> bool {
        let Some(mut ready) = self.socket.news() else {
            return false;
        };
        let has_read = self.connection.read_early(&mut ready);
        self.told.get_or_insert_default().add(ready);
        has_read
    }

    /// Whether it has something to do of which no bell tells.
    pub fn wants_turn(&self, now: Now) -> bool {
        let is_due = self
            .until_us
            .is_some_and(|until_us| until_us <= now.mono_us);
        self.is_again || self.told.is_some() || is_due || self.socket.has_news()
    }

    /// Gives it a turn. One that is over waits to be closed.
    pub fn turn(&mut self, slot: usize, mut now: Now) -> Served {
        self.is_again = false;
        if self
            .until_us
            .is_some_and(|until_us| until_us <= now.mono_us)
        {
            self.until_us = None;
        }
        let mut ready = self.told.take().unwrap_or_default();
        ready.add(self.socket.news().unwrap_or_default());
        let was_blocked = !matches!(*self.client.wait.lock(), Wait::None);
        let mut served = Served {
            slot,
            is_over: false,
            was_blocked,
            at_stake: self.at_stake(),
        };
        match self.connection.turn(ready, &mut now) {
            Turn::Wait { until_us } => self.until_us = until_us,
            Turn::Again | Turn::Behind => self.is_again = true,
            Turn::Over => served.is_over = true,
        }
        served
    }

    /// Ends it.
    pub fn close(self, now: Now) {
        self.connection.close(now);
    }

    /// Bytes of requests and of replies that the connection holds, and those it has sent.
    pub fn buffered(&self) -> (usize, usize, u64) {
        self.connection.buffered()
    }

    /// Messages taken for the client, of whose reply no byte is written.
    pub fn at_stake(&self) -> Vec<Vec<u8>> {
        let wait = self.client.wait.lock();
        let served = match &*wait {
            Wait::Served(served) => &served.taken[..],
            _ => &[],
        };
        let in_flight = self.connection.in_flight();
        let all = served.iter().chain(in_flight);
        all.flat_map(|taken| &taken.messages)
            .map(|taken| taken.message.clone())
            .collect()
    }
}

/// How the turn of a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Whose turn it was.
    pub slot: usize,
    /// The connection is over.
    pub is_over: bool,
    /// It stood in lines, or was served and had not looked, as its last turn began.
    pub was_blocked: bool,
    /// Messages taken for it, of whose reply no byte was written as its last turn began.
    pub at_stake: Vec<Vec<u8>>,
}

/// The server.
pub struct World {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The moment.
    pub now: Now,
    workers: Vec<Worker>,
    /// Connections by slot; slots are taken again.
    pub seats: Vec<Option<Seated>>,
    ticked_ms: u64,
}

impl World {
    /// A server with so many workers. All that is random in it follows from `seed`.
    pub fn new(config: Arc<Config>, workers_len: usize, seed: u64) -> Self {
        let now = Now {
            unix_ms: 1_700_000_000_000,
            mono_us: 1_000_000,
        };
        let worker = |_| {
            let alarm = Arc::new(Alarm::default());
            let bell = Arc::new(Bell::default());
            bell.set_alarm(Waker::from(Arc::clone(&alarm)));
            Worker {
                bell,
                alarm,
                is_drowsy: false,
                is_asleep: false,
                wanted: VecDeque::new(),
            }
        };
        Self {
            engine: Arc::new(Engine::new(config, workers_len, seed, now)),
            now,
            workers: (0..workers_len).map(worker).collect(),
            seats: Vec::new(),
            ticked_ms: now.mono_ms(),
        }
    }

    /// Seats a new client, whose socket holds so many bytes on their way to it. Gives its slot.
    pub fn connect(&mut self, worker: usize, outbound_max: usize) -> usize {
        let free = self.seats.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.seats.len());
        let seat = Seat {
            worker,
            slot,
            bell: Arc::clone(&self.workers[worker].bell),
        };
        let id = self.engine.clients.next_id();
        let client = Arc::new(Client::new(id, Origin::default(), seat, self.now.mono_us));
        self.engine.clients.insert(&client);
        let session = Session::new(Arc::clone(&client), true);
        let socket = VirtualSocket::new(outbound_max);
        let stream = Stream::new(Socket::Virtual(socket.clone()));
        let engine = Arc::clone(&self.engine);
        let seated = Seated {
            connection: Connection::new(engine, worker, stream, session),
            socket,
            client,
            worker,
            is_again: false,
            told: None,
            until_us: None,
        };
        if slot == self.seats.len() {
            self.seats.push(Some(seated));
        } else {
            self.seats[slot] = Some(seated);
        }
        slot
    }

    /// Gives one connection a turn; `None` if nobody has anything to do.
    pub fn serve(&mut self, dice: &mut Dice) -> Option<Served> {
        if dice.chance(50) {
            self.foresee(dice);
        }
        let slot = self.next(dice)?;
        Some(self.turn(slot))
    }

    /// Some of those who have something to do read before anybody has a turn.
    fn foresee(&mut self, dice: &mut Dice) {
        let mut readers = Vec::new();
        for (slot, seated) in self.seats.iter_mut().enumerate() {
            if let Some(seated) = seated
                && dice.chance(50)
                && seated.read_early()
            {
                readers.push(slot);
            }
        }
        let readers = readers
            .into_iter()
            .filter_map(|slot| self.seats[slot].as_ref());
        let requests = readers.map(|seated| seated.connection.early_request());
        ask_together(&self.engine, requests);
    }

    /// Gives turns until nobody has anything to do.
    pub fn serve_all(&mut self, dice: &mut Dice) {
        while self.serve(dice).is_some() {}
    }

    /// Who gets the next turn, of any worker that is awake or wakes up.
    pub fn next(&mut self, dice: &mut Dice) -> Option<usize> {
        let first = index(dice, self.workers.len());
        (0..self.workers.len())
            .map(|at| (first + at) % self.workers.len())
            .collect::<Vec<_>>()
            .into_iter()
            .find_map(|worker| self.next_of(worker, dice))
    }

    fn next_of(&mut self, worker: usize, dice: &mut Dice) -> Option<usize> {
        let mut candidates: Vec<usize> = Vec::new();
        for (slot, seated) in self.seated() {
            if seated.worker == worker && seated.wants_turn(self.now) {
                candidates.push(slot);
            }
        }
        let worker = &mut self.workers[worker];
        let is_rung = worker.alarm.0.swap(false, Ordering::Relaxed);
        if worker.is_asleep && !is_rung && candidates.is_empty() {
            return None;
        }
        worker.is_asleep = false;
        if candidates.is_empty() && std::mem::take(&mut worker.is_drowsy) {
            worker.is_asleep = worker.bell.may_sleep();
            if worker.is_asleep {
                return None;
            }
        }
        worker.bell.answer(&mut worker.wanted);
        candidates.extend(&worker.wanted);
        // Others may have their turns between this look and the sleep.
        worker.is_drowsy = candidates.is_empty();
        if worker.is_drowsy {
            return None;
        }
        Some(candidates[index(dice, candidates.len())])
    }

    /// Gives a connection its turn.
    pub fn turn(&mut self, slot: usize) -> Served {
        for worker in &mut self.workers {
            worker.wanted.retain(|wanted| *wanted != slot);
        }
        // A slot may have been left since it was called.
        let Some(seated) = self.seats[slot].as_mut() else {
            return Served {
                slot,
                is_over: false,
                was_blocked: false,
                at_stake: Vec::new(),
            };
        };
        let served = seated.turn(slot, self.now);
        if served.is_over
            && let Some(seated) = self.seats[slot].take()
        {
            seated.close(self.now);
        }
        served
    }

    /// Has the bells wake the workers here again, after others had them.
    pub fn take_bells_back(&mut self) {
        for worker in &self.workers {
            worker
                .bell
                .set_alarm(Waker::from(Arc::clone(&worker.alarm)));
        }
    }

    /// The bell of a worker.
    pub fn bell(&self, worker: usize) -> &Arc<Bell> {
        &self.workers[worker].bell
    }

    /// Lets time pass, with the ticks that fall into it.
    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.after(std::time::Duration::from_millis(ms));
        if self.now.mono_ms() >= self.ticked_ms + TICK_MS {
            self.ticked_ms = self.now.mono_ms();
            for worker in 0..self.workers.len() {
                tick::run_at(&self.engine, worker, self.now);
            }
        }
    }

    /// Whether a client's wait is over and it has not looked yet.
    pub fn is_served(&self, slot: usize) -> bool {
        let seated = self.seats[slot].as_ref();
        seated.is_some_and(|seated| matches!(*seated.client.wait.lock(), Wait::Served(_)))
    }

    /// Nobody was served, or sent something, without being told of it.
    pub fn check_told(&self) {
        for (slot, seated) in self.seated() {
            assert!(
                !self.is_served(slot),
                "{slot} was served and nobody told it"
            );
            let held = seated.client.mailbox.ledger().held.messages;
            assert_eq!(held, 0, "{slot} was sent something and nobody told it");
        }
    }

    /// The connections that there are.
    pub fn seated(&self) -> impl Iterator<Item = (usize, &Seated)> {
        self.seats
            .iter()
            .enumerate()
            .filter_map(|(slot, seated)| Some((slot, seated.as_ref()?)))
    }
}

/// A position in something of this length, which is not 0.
pub fn index(dice: &mut Dice, len: usize) -> usize {
    usize::try_from(dice.below(len as u64)).unwrap_or(0)
}

/// One of several.
pub fn pick<T: Copy>(dice: &mut Dice, from: &[T]) -> T {
    from[index(dice, from.len())]
}
