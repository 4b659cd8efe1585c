//! An engine with fixed seeds at a fixed moment, clients without sockets, and connections on
//! socket pairs whose other end the path holds.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use weir::clients::{Client, Origin};
use weir::clock::Now;
use weir::command::{self, Call, Engine, Outcome, Session};
use weir::config::Config;
use weir::net::{Arrival, NetDuty, Socket};
use weir::outbox::{Bell, Seat, WakeList};
use weir::protocol::{OwnedArgs, Reply, Resp};
use weir::worker::{Connection as _, Duty, Ready, Turn};

use crate::counting::counted;

const NOW: Now = Now {
    unix_ms: 1_700_000_000_000,
    mono_us: 1_000_000,
};

/// What the system says of a socket to which something came.
const READABLE: Ready = Ready {
    readable: true,
    writable: false,
    hung_up: false,
};

/// A server without threads.
pub struct Stage {
    engine: Arc<Engine>,
    bell: Arc<Bell>,
}

impl Stage {
    pub fn new() -> Self {
        Self {
            engine: Arc::new(Engine::new(Arc::new(Config::default()), 1, 7, NOW)),
            bell: Arc::default(),
        }
    }

    /// A client without a socket.
    pub fn player(&self) -> Player {
        let id = self.engine.clients.next_id();
        let client = Client::new(id, Origin::default(), Seat::default(), NOW.mono_us);
        Player {
            engine: Arc::clone(&self.engine),
            session: Session::new(Arc::new(client), true),
            reply: Reply::new(Resp::V2),
        }
    }

    /// A client with one.
    pub fn wire(&self) -> Wire {
        let (socket, far) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut duty = NetDuty::new(Arc::clone(&self.engine), 0, Arc::clone(&self.bell));
        let arrival = Arrival {
            socket: Socket::Unix(socket),
            origin: Origin::default(),
            encryption: None,
        };
        Wire {
            connection: duty.open(arrival, 0).unwrap(),
            far,
            now: NOW,
        }
    }
}

/// A client whose requests are executed without being sent.
pub struct Player {
    engine: Arc<Engine>,
    session: Session,
    reply: Reply,
}

impl Player {
    fn execute(&mut self, request: &OwnedArgs) {
        let (engine, mut wakes) = (&*self.engine, WakeList::default());
        let mut held = engine.keyspace.hold();
        let (session, reply) = (&mut self.session, &mut self.reply);
        let mut call = Call::new(engine, &mut held, session, reply, &mut wakes, NOW, 0);
        let outcome = command::execute(&mut call, request.as_args());
        command::finish(&mut call);
        assert!(matches!(outcome, Outcome::Done));
    }

    /// Executes a request, counted, whose reply must begin like this.
    pub fn count(&mut self, request: &OwnedArgs, reply: &[u8]) {
        counted(&mut || self.execute(request));
        self.expect(reply);
    }

    /// Executes a request and returns the reply.
    pub fn ask(&mut self, request: &str) -> Vec<u8> {
        self.execute(&words(request));
        let reply = self.reply.to_bytes();
        self.reply.clear();
        reply
    }

    fn expect(&mut self, reply: &[u8]) {
        let written = self.reply.to_bytes();
        assert!(
            written.starts_with(reply),
            "{}",
            String::from_utf8_lossy(&written)
        );
        self.reply.clear();
    }
}

/// A connection as a worker has it, and what its client holds.
pub struct Wire {
    connection: <NetDuty as Duty<Arrival>>::Connection,
    far: UnixStream,
    now: Now,
}

impl Wire {
    /// What the client sends, for the next turn.
    pub fn send(&mut self, bytes: &[u8]) {
        self.far.write_all(bytes).unwrap();
    }

    /// Gives the connection a turn because its socket can be read.
    pub fn turn(&mut self) {
        self.turn_for(READABLE, Turn::Wait { until_us: None });
    }

    /// The same, in which it hands a message on: its reply goes in the turn after that.
    pub fn turn_to_hand_on(&mut self) {
        self.turn_for(READABLE, Turn::Behind);
    }

    /// Gives the connection a turn because somebody left something for it.
    pub fn called(&mut self) {
        self.turn_for(Ready::default(), Turn::Wait { until_us: None });
    }

    fn turn_for(&mut self, ready: Ready, ends: Turn) {
        let turn = self.connection.turn(ready, &mut self.now);
        assert_eq!(turn, ends);
    }

    /// Reads what the client must have got by now.
    pub fn expect(&mut self, reply: &[u8]) {
        let mut got = vec![0; reply.len()];
        self.far.read_exact(&mut got).unwrap();
        assert_eq!(got, reply);
    }

    /// Sends a request, gives it a turn that is not counted, and expects the reply.
    pub fn ask(&mut self, request: &str, reply: &[u8]) {
        self.send(&encoded(&words(request)));
        self.turn();
        self.expect(reply);
    }
}

/// A request of words.
pub fn words(request: &str) -> OwnedArgs {
    request.split(' ').map(str::as_bytes).collect()
}

/// A request as it goes on the wire.
pub fn encoded(request: &OwnedArgs) -> Vec<u8> {
    let args = request.as_args();
    let mut reply = Reply::new(Resp::V2);
    reply.array(args.len());
    for argument in args {
        reply.bulk(argument);
    }
    reply.to_bytes()
}
