//! A client and its connection, without sockets and without a worker.

use std::sync::Arc;

use crate::clock::Now;
use crate::command::testing::Bench;
use crate::worker::{Connection as _, Turn};

use super::{Connection, Socket, Stream, VirtualSocket};

/// A client, and its connection.
pub struct Wire {
    /// The client's end.
    pub socket: VirtualSocket,
    /// The server's.
    pub connection: Connection,
    /// When its turns are.
    pub now: Now,
}

impl Wire {
    /// A connection that takes so many bytes before the client reads them.
    pub fn new(bench: &Bench, outbound_max: usize) -> Self {
        let socket = VirtualSocket::new(outbound_max);
        let stream = Stream::new(Socket::Virtual(socket.clone()));
        let (engine, session) = (Arc::clone(&bench.engine), bench.client().session);
        Self {
            socket,
            connection: Connection::new(engine, 0, stream, session),
            now: bench.now,
        }
    }

    /// Lets it read before its turn; whether it did.
    pub fn read_early(&mut self) -> bool {
        let mut ready = self.socket.news().unwrap_or_default();
        self.connection.read_early(&mut ready)
    }

    /// Gives it a turn with what the system has to say.
    pub fn turn_ends(&mut self) -> Turn {
        let ready = self.socket.news().unwrap_or_default();
        self.connection.turn(ready, &mut self.now)
    }

    /// The same, after which it waits; what it sent.
    pub fn turn(&mut self) -> Vec<u8> {
        assert_eq!(self.turn_ends(), Turn::Wait { until_us: None });
        self.socket.receive(usize::MAX)
    }
}
