//! A worker's loop: who gets a turn, in which order, and when the worker sleeps.
//!
//! Each pass takes what the system says of the sockets, then those who were called by others,
//! then those whose time has come, then those who let others go first in the pass before, in the
//! order in which they did, as far as a short time allows: their turns are long, and somebody who
//! has little to do may have come meanwhile. Nobody gets a second turn before everybody had one,
//! but for those who have little to do.
//!
//! Before the turns of those whose sockets have something, a few at a time may read: what is asked
//! for by several clients at once can be looked for in memory together.
//!
//! A turn may take very long: a script computes, KEYS walks through millions of names. It may then
//! ask for [`serve_others`], which gives the worker's other connections their turns on the same
//! thread, inside that one.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use scoped_tls_hkt::{ReborrowMut, scoped_thread_local};
use slab::Slab;
use smallvec::SmallVec;

use crate::clock::{self, Now};
use crate::outbox::Bell;

use super::{Connection, Door, Duty, Ready, TICK, Turn};

/// The token of the worker's alarm; connections have their slots.
pub(super) const ALARM: Token = Token(usize::MAX);
/// Sockets that one wait tells of; more come with the next.
const EVENTS_MAX: usize = 1024;
/// Turns that share one reading of the clock.
const UNREAD_TURNS_MAX: u32 = 8;

/// For how long those who let others go first have their turns, one after the other, before the
/// system is asked again who else has something to do. One has his in any case.
const AGAIN_US_MAX: u64 = 200;

/// Connections that read before any of them has its turn: about as many as a core can wait for memory
/// for at the same time.
const FORESEEN_MAX: usize = 8;

/// Sockets that one look at the others tells of.
const OTHERS_EVENTS_MAX: usize = 64;

/// A worker's loop, as a turn that takes long sees it.
trait Others {
    fn serve(&mut self);

    /// Whether a turn is inside of another one's already.
    fn is_inside(&self) -> bool;
}

struct AtWork<'a>(&'a mut (dyn Others + 'a));

impl<'short> ReborrowMut<'short> for AtWork<'_> {
    type Result = AtWork<'short>;

    fn reborrow_mut(&'short mut self) -> AtWork<'short> {
        AtWork(&mut *self.0)
    }
}

scoped_thread_local!(static mut OTHERS: for<'a> AtWork<'a>);

/// Gives the other connections of this worker their turns, as far as there is something to do, and
/// comes back. For a turn that takes long; does nothing outside of one.
pub fn serve_others() {
    if OTHERS.is_set() {
        OTHERS.with(|others| others.0.serve());
    }
}

/// The same, but where this turn is inside of another one's: what many clients may ask for at once
/// must not pile their turns up on the stack.
pub fn serve_others_unless_inside() {
    if OTHERS.is_set() {
        OTHERS.with(|others| {
            if !others.0.is_inside() {
                others.0.serve();
            }
        });
    }
}

/// A connection with what the worker keeps for it.
#[derive(Debug)]
struct Seated<C> {
    /// `None` during its turn.
    connection: Option<Box<C>>,
    /// What was said of its socket during its turn.
    missed: Option<Ready>,
    /// Its entry in `Turns::timers`.
    until_us: Option<u64>,
    /// Whether it stands in `Turns::again`.
    is_again: bool,
}

/// A worker at work.
pub(super) struct Turns<A, D: Duty<A>> {
    poll: Poll,
    bell: Arc<Bell>,
    door: Arc<Door<A>>,
    duty: D,
    seated: Slab<Seated<D::Connection>>,
    /// Who wants a turn at which moment, in monotonic microseconds.
    timers: BTreeSet<(u64, usize)>,
    /// Who wants a turn in the next pass.
    again: VecDeque<usize>,
    /// What the system said of sockets whose connections had no turn for it yet. Kept here because
    /// it is said once: a turn may be inside of another one's.
    told: VecDeque<(usize, Ready)>,
    /// How many of these, from the first on, were foreseen.
    foreseen_len: usize,
    /// Whom others called and who had no turn for it yet.
    wanted: VecDeque<usize>,
    now: Now,
    /// The moment of the next tick, in monotonic microseconds.
    tick_us: u64,
    /// Turns since the clock was read.
    unread: u32,
    /// The end of the last pass in which anybody had a turn, in monotonic microseconds.
    busy_us: u64,
    /// Somebody rang for the worker itself, which has not looked yet.
    is_rung: bool,
    /// The door was found closed.
    is_closed: bool,
    /// A turn has others served.
    is_inside: bool,
}

impl<A, D: Duty<A>> Turns<A, D> {
    pub(super) fn new(poll: Poll, bell: Arc<Bell>, door: Arc<Door<A>>, duty: D) -> Self {
        let now = clock::now();
        Self {
            poll,
            bell,
            door,
            duty,
            seated: Slab::new(),
            timers: BTreeSet::new(),
            again: VecDeque::new(),
            told: VecDeque::new(),
            foreseen_len: 0,
            wanted: VecDeque::new(),
            now,
            tick_us: now.mono_us,
            unread: 0,
            busy_us: 0,
            is_rung: false,
            is_closed: false,
            is_inside: false,
        }
    }

    /// Works until the door is closed and nobody is left.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut rested_us = self.now.mono_us;
        while !(self.is_closed && self.seated.is_empty()) {
            let early_us = self.duty.early_us();
            self.wait(&mut events, self.tick_us.min(early_us), rested_us);
            self.read_clock();
            let began_us = self.now.mono_us;
            self.pass(&events);
            let is_busy = self.unread > 0;
            self.do_duty(early_us);
            rested_us = clock::mono_us();
            self.duty.note_pass(rested_us.saturating_sub(began_us));
            if is_busy {
                self.busy_us = rested_us;
            }
        }
    }

    /// Does what time alone brings, as far as the moment for it has come.
    fn do_duty(&mut self, early_us: u64) {
        if self.now.mono_us >= self.tick_us {
            self.duty.tick();
            self.read_clock();
            self.tick_us = self.now.mono_us + micros(TICK);
        } else if self.now.mono_us >= early_us {
            self.duty.hurry();
            self.read_clock();
        }
    }

    /// Everybody who has something to do gets a turn.
    fn pass(&mut self, events: &Events) {
        for event in events {
            if event.token() != ALARM {
                let ready = Ready {
                    readable: event.is_readable(),
                    writable: event.is_writable(),
                    hung_up: event.is_read_closed() || event.is_error(),
                };
                self.told.push_back((event.token().0, ready));
            }
        }
        loop {
            if self.foreseen_len == 0 {
                self.foresee();
            }
            let Some((slot, ready)) = self.told.pop_front() else {
                break;
            };
            self.foreseen_len = self.foreseen_len.saturating_sub(1);
            self.turn(slot, ready);
        }
        self.serve_wanted();
        self.run_timers();
        self.run_again();
        if mem::take(&mut self.is_rung) {
            self.open_door();
        }
    }

    /// Lets those whose turns come next read, as far as they want to, and the duty look at them.
    fn foresee(&mut self) {
        let len = self.told.len().min(FORESEEN_MAX);
        if len < 2 {
            return;
        }
        self.foreseen_len = len;
        let mut readers: SmallVec<[usize; FORESEEN_MAX]> = SmallVec::new();
        for (slot, ready) in self.told.iter_mut().take(len) {
            let seated = self.seated.get_mut(*slot);
            if let Some(connection) = seated.and_then(|seated| seated.connection.as_mut())
                && connection.read_early(ready)
            {
                readers.push(*slot);
            }
        }
        if readers.len() < 2 {
            return;
        }
        let next: SmallVec<[&D::Connection; FORESEEN_MAX]> = readers
            .iter()
            .filter_map(|slot| self.seated.get(*slot)?.connection.as_deref())
            .collect();
        self.duty.foresee(&next);
    }

    /// Waits until something happens to a socket, somebody rings, or time has come. Does not wait
    /// when there is something to do, but looks at the sockets all the same.
    fn wait(&mut self, events: &mut Events, tick_us: u64, mut now_us: u64) {
        let until_us = self
            .timers
            .first()
            .map_or(tick_us, |(us, _)| tick_us.min(*us));
        let linger_us = self.duty.busy_poll_us();
        if linger_us > 0 && self.again.is_empty() {
            let end_us = until_us.min(self.busy_us.saturating_add(linger_us));
            while now_us < end_us {
                self.look(events, Duration::ZERO);
                if !events.is_empty() || self.bell.is_wanted() {
                    return;
                }
                now_us = clock::mono_us();
            }
        }
        if !self.again.is_empty() || !self.bell.may_sleep() {
            self.look(events, Duration::ZERO);
            return;
        }
        self.look(
            events,
            Duration::from_micros(until_us.saturating_sub(now_us)),
        );
        // Awake from here on: who is called in the turns to come needs no alarm, which is a write to
        // the system and one more thing that it tells of.
        self.is_rung |= self.bell.answer(&mut self.wanted);
    }

    /// Has the system say what happened to sockets, within `timeout`.
    fn look(&mut self, events: &mut Events, timeout: Duration) {
        if let Err(error) = self.poll.poll(events, Some(timeout)) {
            events.clear();
            // A signal cut it short: whatever happened will be told next time.
            debug_assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        }
    }

    fn read_clock(&mut self) {
        self.now = clock::now();
        self.unread = 0;
    }

    /// Gives a connection a turn, and another one behind those whom it has called if it wants that.
    fn turn(&mut self, slot: usize, ready: Ready) {
        if self.has_turn(slot, ready) {
            // One of them may compute for long, and the others be served meanwhile: it is among these.
            self.put_again(slot);
            self.serve_wanted();
            self.hasten(slot);
        }
    }

    /// Gives the connection that was put again last its turn now. Another one keeps its place.
    fn hasten(&mut self, slot: usize) {
        if self.again.back() == Some(&slot) {
            self.again.pop_back();
            if let Some(seated) = self.seated.get_mut(slot) {
                seated.is_again = false;
            }
            if self.has_turn(slot, Ready::default()) {
                self.put_again(slot);
            }
        }
    }

    /// Those whom others have called get their turns.
    fn serve_wanted(&mut self) {
        self.is_rung |= self.bell.answer(&mut self.wanted);
        while let Some(slot) = self.wanted.pop_front() {
            if self.has_turn(slot, Ready::default()) {
                self.put_again(slot);
            }
        }
    }

    /// It gets a turn in the next pass, or at the end of this one.
    fn put_again(&mut self, slot: usize) {
        let seated = &mut self.seated[slot];
        if !mem::replace(&mut seated.is_again, true) {
            self.again.push_back(slot);
        }
    }

    /// Gives a connection a turn, and says whether it wants to go on behind those whom it has called.
    /// A slot that was left since it was called is passed over; if another took it, that gets a turn
    /// for nothing.
    fn has_turn(&mut self, slot: usize, ready: Ready) -> bool {
        let Some(seated) = self.seated.get_mut(slot) else {
            return false;
        };
        if self.unread == UNREAD_TURNS_MAX {
            self.now = clock::now();
            self.unread = 0;
        }
        self.unread += 1;
        let Some(mut connection) = seated.connection.take() else {
            // Its turn is not over: it computes, and the others are served meanwhile.
            seated.missed.get_or_insert_default().add(ready);
            return false;
        };
        let mut now = self.now;
        let turn = OTHERS.set(AtWork(self), || connection.turn(ready, &mut now));
        self.now = now;
        let seated = &mut self.seated[slot];
        seated.connection = Some(connection);
        if seated.missed.is_some() {
            self.put_again(slot);
        }
        match turn {
            Turn::Wait { until_us } => {
                let seated = &mut self.seated[slot];
                if seated.until_us != until_us {
                    let old = mem::replace(&mut seated.until_us, until_us);
                    if let Some(old_us) = old {
                        self.timers.remove(&(old_us, slot));
                    }
                    if let Some(until_us) = until_us {
                        self.timers.insert((until_us, slot));
                    }
                }
            }
            Turn::Again => self.put_again(slot),
            Turn::Behind => return true,
            Turn::Over => self.leave(slot),
        }
        false
    }

    fn run_timers(&mut self) {
        while let Some(&(until_us, slot)) = self.timers.first()
            && until_us <= self.now.mono_us
        {
            self.timers.pop_first();
            if let Some(seated) = self.seated.get_mut(slot) {
                seated.until_us = None;
            }
            self.turn(slot, Ready::default());
        }
    }

    fn run_again(&mut self) {
        if self.again.is_empty() {
            return;
        }
        let until_us = clock::mono_us() + AGAIN_US_MAX;
        for _ in 0..self.again.len() {
            let Some(slot) = self.again.pop_front() else {
                return;
            };
            let mut ready = Ready::default();
            if let Some(seated) = self.seated.get_mut(slot) {
                seated.is_again = false;
                if seated.connection.is_some() {
                    ready = seated.missed.take().unwrap_or_default();
                }
            }
            self.turn(slot, ready);
            if clock::mono_us() >= until_us {
                return;
            }
        }
    }

    /// Seats those who wait at the door, and notes whether it is closed.
    fn open_door(&mut self) {
        let (arrived, is_closed) = self.door.take();
        for arrival in arrived {
            if let Err(error) = self.seat(arrival) {
                tracing::warn!("cannot serve a connection: {error}");
                self.door.note_gone();
            }
        }
        self.is_closed |= is_closed;
    }

    fn seat(&mut self, arrival: A) -> io::Result<()> {
        let vacant = self.seated.vacant_entry();
        let slot = vacant.key();
        let connection = self.duty.open(arrival, slot)?;
        let socket = connection.socket();
        vacant.insert(Seated {
            connection: Some(Box::new(connection)),
            missed: None,
            until_us: None,
            is_again: false,
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut SourceFd(&socket), Token(slot), interest) {
            let seated = self.seated.remove(slot);
            if let Some(connection) = seated.connection {
                connection.close(self.now);
            }
            return Err(error);
        }
        Ok(())
    }

    fn leave(&mut self, slot: usize) {
        let seated = self.seated.remove(slot);
        if let Some(until_us) = seated.until_us {
            self.timers.remove(&(until_us, slot));
        }
        if let Some(connection) = seated.connection {
            // Closing the socket takes it off the poll as well; this keeps the two from differing.
            let socket = connection.socket();
            let _ = self.poll.registry().deregister(&mut SourceFd(&socket));
            connection.close(self.now);
        }
        self.door.note_gone();
    }
}

impl<A, D: Duty<A>> Others for Turns<A, D> {
    fn serve(&mut self) {
        let was_inside = mem::replace(&mut self.is_inside, true);
        let mut events = Events::with_capacity(OTHERS_EVENTS_MAX);
        self.look(&mut events, Duration::ZERO);
        self.read_clock();
        self.pass(&events);
        self.do_duty(self.duty.early_us());
        // Whose turn this is inside of has an old reading.
        self.unread = UNREAD_TURNS_MAX;
        self.is_inside = was_inside;
    }

    fn is_inside(&self) -> bool {
        self.is_inside
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
