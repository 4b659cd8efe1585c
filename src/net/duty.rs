//! What a worker does with the connections that it is handed, and on its ticks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::clients::{Client, Clients, Origin};
use crate::clock;
use crate::command::{Engine, Session, tick};
use crate::outbox::Bell;
use crate::worker::Duty;

use super::connection::Connection;
use super::stream::Stream;

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Arrival {
    /// The socket, not yet registered with any runtime.
    pub socket: Socket,
    /// Where it comes from.
    pub origin: Origin,
}

/// An accepted socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// Unix domain.
    Unix(std::os::unix::net::UnixStream),
}

/// A worker's part in serving the engine's clients.
#[derive(Debug)]
pub struct NetDuty {
    engine: Arc<Engine>,
    index: usize,
    bell: Arc<Bell>,
    connections: Arc<Connections>,
}

/// How many connections a worker has, and who waits for there to be none.
#[derive(Debug, Default)]
pub struct Connections {
    len: AtomicUsize,
    none_left: Notify,
}

impl Connections {
    /// How many there are, those on their way to the worker included.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts one that is on its way.
    pub fn add(&self) {
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    fn remove(&self) {
        if self.len.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none_left.notify_waiters();
        }
    }
}

impl NetDuty {
    /// The duty of one worker.
    pub fn new(
        engine: Arc<Engine>,
        index: usize,
        bell: Arc<Bell>,
        connections: Arc<Connections>,
    ) -> Self {
        Self {
            engine,
            index,
            bell,
            connections,
        }
    }
}

impl Duty<Arrival> for NetDuty {
    fn take_charge(&self, runtime: &Handle, arrived: Arrival) {
        let stream = match arrived.socket {
            Socket::Tcp(tcp) => tokio::net::TcpStream::from_std(tcp).map(Stream::Tcp),
            Socket::Unix(unix) => tokio::net::UnixStream::from_std(unix).map(Stream::Unix),
        };
        let Ok(stream) = stream else {
            self.connections.remove();
            return;
        };
        let clients: &Clients = &self.engine.clients;
        let bell = Arc::clone(&self.bell);
        let now_us = clock::mono_us();
        let client = Client::new(clients.next_id(), arrived.origin, self.index, bell, now_us);
        let client = Arc::new(client);
        clients.insert(&client);
        let session = Session::new(client, !self.engine.has_password());
        let connection = Connection::new(Arc::clone(&self.engine), self.index, stream, session);
        let connections = Arc::clone(&self.connections);
        runtime.spawn(async move {
            connection.run().await;
            connections.remove();
        });
    }

    fn tick(&self) {
        tick::run(&self.engine, self.index);
    }

    async fn drained(&self) {
        loop {
            let none_left = self.connections.none_left.notified();
            if self.connections.is_empty() {
                return;
            }
            none_left.await;
        }
    }
}
