//! An engine and a client of it, without sockets.

use std::sync::Arc;

use weir::clients::{Client, Origin};
use weir::clock::Now;
use weir::command::{Call, Engine, Outcome, Session, execute, finish};
use weir::config::Config;
use weir::outbox::{Seat, WakeList};
use weir::protocol::{OwnedArgs, Reply, Resp};

use super::reply::{self, end_of_reply};

/// A server with one client.
pub struct Server {
    engine: Arc<Engine>,
    session: Session,
    now: Now,
}

impl Server {
    /// An empty one; `seed` decides in which shard a key lies.
    pub fn new(seed: u64) -> Self {
        let now = Now {
            unix_ms: 1_700_000_000_000,
            mono_us: 1_000_000,
        };
        let engine = Arc::new(Engine::new(Arc::new(Config::default()), 1, seed, now));
        let id = engine.clients.next_id();
        let client = Client::new(id, Origin::default(), Seat::default(), now.mono_us);
        let client = Arc::new(client);
        engine.clients.insert(&client);
        let session = Session::new(client, true);
        Self {
            engine,
            session,
            now,
        }
    }

    /// Executes a command; `None` if the client waits now or its connection is to end. Anything
    /// else must come with exactly one well-formed reply.
    pub fn run(&mut self, args: &[&[u8]], resp: Resp) -> Option<Vec<u8>> {
        let mut held = self.engine.keyspace.hold();
        let mut wakes = WakeList::default();
        let mut reply = Reply::new(resp);
        let request: OwnedArgs = args.iter().copied().collect();
        let mut call = Call::new(
            &self.engine,
            &mut held,
            &mut self.session,
            &mut reply,
            &mut wakes,
            self.now,
            0,
        );
        let outcome = execute(&mut call, request.as_args());
        finish(&mut call);
        let bytes = reply.to_bytes().clone();
        match outcome {
            Outcome::Done => {
                assert!(is_one_reply(&bytes), "not one: {}", bytes.escape_ascii());
                Some(bytes)
            }
            _ => None,
        }
    }
}

/// Whether bytes are exactly one reply, of whose lines none holds another.
fn is_one_reply(bytes: &[u8]) -> bool {
    matches!(end_of_reply(bytes, 0), Ok(Some(end)) if end == bytes.len())
        && has_whole_lines(&reply::Reply::parse(bytes))
}

fn has_whole_lines(reply: &reply::Reply) -> bool {
    match reply {
        reply::Reply::Line(_, line) => !line.iter().any(|byte| matches!(byte, b'\r' | b'\n')),
        reply::Reply::Bulk(..) => true,
        reply::Reply::Many(_, members) => members.iter().flatten().all(has_whole_lines),
    }
}
