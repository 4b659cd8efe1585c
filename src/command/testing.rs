//! Runs commands against an engine without sockets, for the tests of the families.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clients::{Client, Origin, Wait};
use crate::clock::Now;
use crate::config::Config;
use crate::outbox::{Seat, WakeList};
use crate::protocol::{OwnedArgs, Reply, Resp};

use super::{Call, Engine, Outcome, Session, execute, finish};

/// An engine with any number of clients, at a moment that the test moves.
pub struct Bench {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The moment of the next command.
    pub now: Now,
}

/// A client of a [`Bench`].
pub struct Player {
    /// What the server remembers of it.
    pub session: Session,
    reply: Reply,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// An empty engine at a fixed moment.
    pub fn new() -> Self {
        Self::with_config(Arc::new(Config::default()))
    }

    /// The same with settings of the test's own.
    pub fn with_config(config: Arc<Config>) -> Self {
        let now = Now {
            unix_ms: 1_700_000_000_000,
            mono_us: 1_000_000,
        };
        Self {
            engine: Arc::new(Engine::new(config, 1, 7, now)),
            now,
        }
    }

    /// A client that speaks RESP2.
    pub fn client(&self) -> Player {
        let origin = Origin {
            address: "127.0.0.1:1".into(),
            local_address: "127.0.0.1:2".into(),
            ip: None,
            fd: 3,
            by_unix_socket: false,
        };
        let id = self.engine.clients.next_id();
        let client = Client::new(id, origin, Seat::default(), self.now.mono_us);
        let client = Arc::new(client);
        self.engine.clients.insert(&client);
        let session = Session::new(client, !self.engine.asks_who());
        Player {
            session,
            reply: Reply::new(Resp::V2),
        }
    }

    /// Moves the clocks, and does what a worker's tick does for queues.
    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.after(std::time::Duration::from_millis(ms));
        super::returned::put_back_late(&self.engine, 0, self.now);
        while super::tick::age(&self.engine, 0, self.now) {}
    }

    /// Does what a tick does about clients that hold too much.
    pub fn look_at_clients(&self) {
        super::excess::end_excess(&self.engine, self.now);
    }

    /// Looks at all queues for alerts, as a second of ticks does, in no time.
    pub fn watch(&self) {
        for _ in 0..10 {
            super::alerts::watch(&self.engine, self.now);
        }
    }

    /// What a new client gets for one command, with `\r\n` shown as a blank.
    pub fn run(&self, command: &str) -> String {
        self.play(&mut self.client(), command)
    }

    /// Everything that a scan returns, page by page, each item once; `{}` in the command stands for
    /// the cursor.
    pub fn scan(&self, command: &str) -> BTreeSet<String> {
        let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
        loop {
            let page = self.run(&command.replace("{}", &cursor));
            let words: Vec<&str> = page.split(' ').collect();
            words[2].clone_into(&mut cursor);
            let items = words[4..].iter().skip(1).step_by(2);
            seen.extend(items.map(|word| (*word).to_owned()));
            if cursor == "0" {
                return seen;
            }
        }
    }

    /// What a client gets for one command; words are split at blanks, and `''` is the empty one.
    pub fn play(&self, player: &mut Player, command: &str) -> String {
        let words = command
            .split(' ')
            .map(|word| if word == "''" { "" } else { word });
        self.play_args(
            player,
            &words
                .map(|word| word.as_bytes().to_vec())
                .collect::<Vec<_>>(),
        )
    }

    /// What a new client gets for one command, as it goes on the wire.
    pub fn wire(&self, args: &[Vec<u8>]) -> Vec<u8> {
        let mut player = self.client();
        let request: OwnedArgs = args.iter().map(Vec::as_slice).collect();
        self.with_call(&mut player, |call| execute(call, request.as_args()));
        player.reply.to_bytes()
    }

    /// What a client gets for one command of any bytes; `(blocked)` if it now waits, `(postponed)` if
    /// it is to try again.
    pub fn play_args(&self, player: &mut Player, args: &[Vec<u8>]) -> String {
        let request: OwnedArgs = args.iter().map(Vec::as_slice).collect();
        let outcome = self.with_call(player, |call| execute(call, request.as_args()));
        match outcome {
            Outcome::Blocked => "(blocked)".into(),
            Outcome::Paused | Outcome::Postponed => "(postponed)".into(),
            Outcome::Close => player.take_reply() + "(close)",
            _ => player.take_reply(),
        }
    }

    /// Runs something for a client outside its commands, as its connection does when it goes.
    pub fn with_call<R>(&self, player: &mut Player, act: impl FnOnce(&mut Call<'_, '_>) -> R) -> R {
        let mut held = self.engine.keyspace.hold();
        let mut wakes = WakeList::default();
        let Player { session, reply } = player;
        let mut call = Call::new(
            &self.engine,
            &mut held,
            session,
            reply,
            &mut wakes,
            self.now,
            0,
        );
        let result = act(&mut call);
        finish(&mut call);
        result
    }

    /// Forgets a client that has gone.
    pub fn leave(&self, player: &Player) {
        self.engine.clients.remove(player.session.client.id);
    }

    /// Ends a client that was served, before a byte of its reply is written.
    pub fn lose(&self, mut player: Player) {
        let wait = std::mem::take(&mut *player.session.client.wait.lock());
        let Wait::Served(served) = wait else { return };
        self.with_call(&mut player, |call| {
            super::put_back(call, served.taken.into_vec());
        });
    }
}

impl Player {
    /// What has been written for this client since the last look: served waits, published messages.
    pub fn look(&mut self) -> String {
        let wait = std::mem::take(&mut *self.session.client.wait.lock());
        match wait {
            Wait::Served(mut served) => {
                self.session.blocked = None;
                self.reply.append(&mut served.reply);
            }
            standing => *self.session.client.wait.lock() = standing,
        }
        let _ = self
            .session
            .client
            .mailbox
            .drain(&mut self.reply, usize::MAX);
        self.take_reply()
    }

    fn take_reply(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.reply.to_bytes()).replace("\r\n", " ");
        self.reply.clear();
        text.trim_end().to_owned()
    }
}
