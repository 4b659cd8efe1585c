//! Runs one measurement: connects, sends what is due, reads what comes, and stops.
//!
//! One thread drives all connections. With a rate it does not sleep in the last millisecond before
//! a message is due, because a sleeping thread wakes up late: it wants a core of its own.

use std::time::Duration;

use anyhow::{Result, bail};
use mio::{Events, Poll, Token};

use super::link::{Control, Link, PATIENCE};
use super::options::Plan;
use super::peer::Peer;
use super::progress::Progress;
use super::schedule::Schedule;
use super::shapes::{Shape, shape};
use super::tally::Tally;
use super::verify::Verdict;
use super::wire::Kind;
use crate::clock::mono_us;

/// How long stragglers are awaited, and a server that answers nothing.
const PATIENCE_US: u64 = 5_000_000;
/// How long consumers are given to wait at the server before the first message is due.
const SETTLE_US: u64 = 100_000;
/// What a server may leave untaken before the run is given up: it is too slow for the rate.
const UNSENT_BYTES_MAX: usize = 256 << 20;
/// A thread that sleeps wakes up late, so it sleeps no nearer to the next message than this.
const AWAKE_US: u64 = 1_500;

/// What a run gave.
#[derive(Debug)]
pub struct Measured {
    /// Counts, and times since operations were due.
    pub tally: Tally,
    /// Operations after the warm-up.
    pub operations: u64,
    /// How long those took.
    pub elapsed_us: u64,
    /// Processor time of the server meanwhile.
    pub cpu_ns: Option<u64>,
    /// Whether every message came once and in order.
    pub verdict: Verdict,
}

/// Where the warm-up ended.
#[derive(Clone, Copy)]
struct Warm {
    done: u64,
    at_us: u64,
    cpu_ns: Option<u64>,
}

struct Driver<'a> {
    peer: &'a Peer,
    plan: &'a Plan,
    shape: &'a mut dyn Shape,
    poll: Poll,
    links: Vec<Link>,
    producers: usize,
    tally: Tally,
    schedule: Schedule,
    warm: Option<Warm>,
    /// When something completed last.
    progressed_us: u64,
}

/// Runs `plan` against a server. `run` tells its messages from those of earlier runs.
pub fn run(peer: &Peer, plan: &Plan, run: u16, progress: &mut Progress) -> Result<Measured> {
    let mut shape = shape(plan, run);
    let mut control = Control::open(&peer.target, PATIENCE)?;
    shape.prepare(&mut control)?;
    let mut driver = Driver::connect(peer, plan, shape.as_mut())?;
    driver.begin()?;
    let ended_us = driver.drive(progress)?;
    let cpu_ns = peer.cpu_ns();
    let Driver { tally, warm, .. } = driver;
    let verdict = shape.conclude(&mut control)?;
    let Some(warm) = warm else {
        bail!("nothing was answered within the warm-up");
    };
    Ok(Measured {
        operations: tally.done - warm.done,
        elapsed_us: ended_us.saturating_sub(warm.at_us).max(1),
        cpu_ns: cpu_ns.zip(warm.cpu_ns).map(|(end, begin)| end - begin),
        tally,
        verdict,
    })
}

impl<'a> Driver<'a> {
    fn connect(peer: &'a Peer, plan: &'a Plan, shape: &'a mut dyn Shape) -> Result<Self> {
        let poll = Poll::new()?;
        let (producers, all) = shape.connections();
        let links = (0..all)
            .map(|index| Link::open(&peer.target, poll.registry(), Token(index)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            peer,
            plan,
            shape,
            poll,
            links,
            producers,
            tally: Tally::new(producers),
            schedule: Schedule::new(0, None, 0, 0),
            warm: None,
            progressed_us: mono_us(),
        })
    }

    /// Sends what precedes the start, waits for the answers to it, and sets the start.
    fn begin(&mut self) -> Result<()> {
        for (index, link) in self.links.iter_mut().enumerate() {
            self.shape.begin(index, &mut link.output);
            link.flush()?;
        }
        let mut events = Events::with_capacity(1024);
        let begun_us = mono_us();
        let settled_us = if self.links.len() > self.producers {
            begun_us + SETTLE_US
        } else {
            begun_us
        };
        while !self.shape.is_ready() || mono_us() < settled_us {
            if mono_us() > begun_us + PATIENCE_US {
                bail!("the server does not answer");
            }
            self.poll(&mut events, Duration::from_millis(10))?;
        }
        let plan = self.plan;
        self.progressed_us = mono_us();
        self.schedule = Schedule::new(mono_us(), plan.rate, plan.count, plan.duration_us);
        if let Some(from_us) = self.schedule.measured_from_us() {
            self.tally.measure_from(from_us);
        }
        Ok(())
    }

    /// Sends and receives until all is done, or nothing comes any more. Gives when that was.
    fn drive(&mut self, progress: &mut Progress) -> Result<u64> {
        let mut events = Events::with_capacity(1024);
        loop {
            let now_us = mono_us();
            self.send(now_us)?;
            let (done, is_over) = (self.tally.done, self.schedule.is_over(now_us));
            let is_done = self.tally.outstanding() == 0 && self.shape.is_settled();
            if is_over && is_done {
                return Ok(self.progressed_us);
            }
            let is_stuck = now_us > self.progressed_us + PATIENCE_US;
            if is_stuck && (is_over || self.tally.outstanding() > 0) {
                return Ok(self.progressed_us);
            }
            progress.show(self.schedule.thousandths(now_us), done, now_us);
            self.poll(&mut events, self.pause(now_us))?;
            if self.tally.done > done {
                self.progressed_us = mono_us();
            }
            self.warm_up();
        }
    }

    fn pause(&self, now_us: u64) -> Duration {
        let until_us = self.schedule.until_next_us(now_us).unwrap_or(u64::MAX);
        let pause_us = until_us.saturating_sub(AWAKE_US).min(50_000);
        Duration::from_micros(pause_us)
    }

    fn warm_up(&mut self) {
        let now_us = mono_us();
        if self.warm.is_none() && self.schedule.is_warm(self.tally.done, now_us) {
            if !self.schedule.is_open_loop() {
                self.tally.measure_from(now_us);
            }
            self.warm = Some(Warm {
                done: self.tally.done,
                at_us: now_us,
                cpu_ns: self.peer.cpu_ns(),
            });
        }
    }

    /// Sends what is due: by the clock, or from each producer that has nothing in flight.
    fn send(&mut self, now_us: u64) -> Result<()> {
        if !self.schedule.is_open_loop() {
            return self.go_on(now_us);
        }
        while let Some((number, due_us)) = self.schedule.take(now_us) {
            let producers = self.producers as u64;
            let producer = usize::try_from(number % producers)?;
            self.produce(producer, due_us, now_us);
            let link = &mut self.links[producer];
            link.flush()?;
            if link.unsent() > UNSENT_BYTES_MAX / self.producers {
                bail!("the server takes less than the rate sends");
            }
        }
        Ok(())
    }

    /// Fills the pipelines of all producers with nothing in flight.
    fn go_on(&mut self, now_us: u64) -> Result<()> {
        if self.schedule.is_open_loop() || self.schedule.is_over(now_us) {
            return Ok(());
        }
        while let Some(producer) = self.tally.take_idle() {
            for _ in 0..self.plan.pipeline {
                let Some((_, due_us)) = self.schedule.take(now_us) else {
                    break;
                };
                self.produce(producer, due_us, now_us);
            }
            self.links[producer].flush()?;
        }
        Ok(())
    }

    fn produce(&mut self, producer: usize, due_us: u64, now_us: u64) {
        let output = &mut self.links[producer].output;
        let operations = self.shape.produce(producer, due_us, output);
        self.tally.sent(producer, operations, due_us, now_us);
    }

    /// Waits for the sockets, then reads and goes on with each that has something.
    fn poll(&mut self, events: &mut Events, pause: Duration) -> Result<()> {
        match self.poll.poll(events, Some(pause)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(error.into());
            }
            _ => {}
        }
        for event in events.iter() {
            let Token(index) = event.token();
            if event.is_writable() {
                self.links[index].writable();
                self.links[index].flush()?;
            }
            if event.is_readable() || event.is_read_closed() {
                self.read(index)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        let mut is_more = true;
        while is_more {
            is_more = self.links[index].fill()?;
            let now_us = mono_us();
            while let Some((answer, output)) = self.links[index].next()? {
                if answer.kind() == Kind::Error {
                    self.tally.error(answer.text(0));
                }
                self.shape
                    .answer(index, answer, now_us, output, &mut self.tally);
            }
        }
        self.links[index].flush()?;
        // At once, as a client would that does not wait for the others.
        self.go_on(mono_us())
    }
}
