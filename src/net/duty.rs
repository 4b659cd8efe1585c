//! What a worker does with the connections that it is handed, and on its ticks.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::clients::{Client, Origin};
use crate::clock;
use crate::command::{self, Engine, Session, tick};
use crate::outbox::{Bell, Seat};
use crate::worker::Duty;

use super::connection::Connection;
use super::stream::{Socket, Stream};

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Arrival {
    /// The socket, which does not block.
    pub socket: Socket,
    /// Where it comes from.
    pub origin: Origin,
    /// What to encrypt it with, if it came by an encrypted port.
    pub encryption: Option<Arc<ServerConfig>>,
}

/// A worker's part in serving the engine's clients.
#[derive(Debug)]
pub struct NetDuty {
    engine: Arc<Engine>,
    worker: usize,
    bell: Arc<Bell>,
}

impl NetDuty {
    /// The duty of one worker, which `bell` wakes.
    pub fn new(engine: Arc<Engine>, worker: usize, bell: Arc<Bell>) -> Self {
        Self {
            engine,
            worker,
            bell,
        }
    }
}

impl Duty<Arrival> for NetDuty {
    type Connection = Connection;

    fn open(&mut self, arrived: Arrival, slot: usize) -> io::Result<Connection> {
        let seat = Seat {
            worker: self.worker,
            slot,
            bell: Arc::clone(&self.bell),
        };
        let now_us = clock::mono_us();
        let stream = match arrived.encryption {
            None => Stream::new(arrived.socket),
            Some(config) => Stream::encrypted(arrived.socket, config, now_us)?,
        };
        let clients = &self.engine.clients;
        let client = Client::new(clients.next_id(), arrived.origin, seat, now_us);
        let client = Arc::new(client);
        clients.insert(&client);
        let session = Session::new(client, !self.engine.asks_who());
        let engine = Arc::clone(&self.engine);
        Ok(Connection::new(engine, self.worker, stream, session))
    }

    fn tick(&mut self) {
        tick::run(&self.engine, self.worker);
    }

    fn foresee(&mut self, next: &[&Connection]) {
        command::ask_together(&self.engine, next.iter().map(|one| one.early_request()));
    }

    fn early_us(&self) -> u64 {
        self.engine.early.of(self.worker)
    }

    fn hurry(&mut self) {
        tick::hurry(&self.engine, self.worker);
    }

    fn busy_poll_us(&self) -> u64 {
        self.engine.config.live().busy_poll_us()
    }

    fn note_pass(&mut self, us: u64) {
        self.engine.workers[self.worker].passes.note(us);
    }
}
