//! Several clients at once, one action after the other: who receives what, on both servers.
//!
//! After every action the oracle is brought to rest, so that it is known which clients have
//! received something and which wait. The subject must come to the same state; how long it takes
//! is not judged (there is a patience, far beyond what it should need).

use std::fmt::Write;
use std::time::Duration;

use crate::command::{Command, Compare};
use crate::frames::{is_pong, is_unsubscribe_all, same_frames, shown};
use crate::plain::Pair;
use crate::reply::Reply;
use crate::wire::{Patience, Wire, patience, wait_any};

/// In place of a client's id, which each server gives by itself.
pub fn id_of(client: usize) -> Vec<u8> {
    format!("@id:{client}").into_bytes()
}

/// How to know that a server is at rest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// As many clients are blocked as have an answer due.
    Blocked,
    /// Every client has answered a PING that came after the action.
    Pinged,
}

/// What one client does.
#[derive(Clone)]
pub enum Action {
    /// Sends commands in one write.
    Send(usize, Vec<Command>),
    /// Closes its connection; a new one takes its place.
    Leave(usize),
}

struct Client {
    wires: [Wire; 2],
    ids: [Vec<u8>; 2],
    /// Replies due from each server (`Rest::Blocked`).
    due: [usize; 2],
    /// What has arrived since the last action.
    arrived: [Vec<Vec<u8>>; 2],
}

/// The clients, and one more connection to each server that asks how things are.
pub struct Crowd {
    pair: Pair,
    rest: Rest,
    clients: Vec<Client>,
    controls: [Wire; 2],
    patience: Duration,
    pings: usize,
}

impl Crowd {
    /// Empties both servers and connects; every other client speaks RESP3.
    pub fn fresh(pair: Pair, rest: Rest, count: usize, patience: Duration) -> Self {
        let mut controls = [Wire::open(pair.oracle), Wire::open(pair.subject)];
        for control in &mut controls {
            assert!(
                ask(control, "FLUSHALL").is_some(),
                "FLUSHALL must work on both"
            );
            let quiet = Command::words("CONFIG SET notify-keyspace-events").arg("");
            quiet.encode(control.outbox());
            assert!(answer(control).is_some(), "CONFIG SET must work on both");
        }
        let clients = (0..count).map(|index| Client::join(pair, index)).collect();
        Self {
            pair,
            rest,
            clients,
            controls,
            patience,
            pings: 0,
        }
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether a client has an answer due, and so cannot be asked anything else.
    pub fn waits(&self, client: usize) -> bool {
        self.clients[client].due[0] > 0
    }

    /// Carries out an action on both servers; says how the outcome differs.
    pub fn act(&mut self, action: &Action) -> Option<String> {
        let (actor, compare, unordered) = match action {
            Action::Send(client, commands) => {
                if self.waits(*client) {
                    return None;
                }
                self.send(*client, commands);
                (
                    *client,
                    commands[0].compare,
                    commands.iter().any(is_unsubscribe_all),
                )
            }
            Action::Leave(client) => {
                self.clients[*client] = Client::join(self.pair, *client);
                (*client, Compare::Exact, false)
            }
        };
        let everyone: Vec<usize> = (0..self.len()).collect();
        let rested = match self.rest {
            Rest::Blocked => self.rest_by_count(actor, answers_itself(action)),
            Rest::Pinged => self.rest_by_ping(&[actor]) && self.rest_by_ping(&everyone),
        };
        let mut text = String::new();
        if !rested {
            let _ = writeln!(text, "  the two do not come to the same rest");
        }
        for (index, client) in self.clients.iter_mut().enumerate() {
            let [oracle, subject] = std::mem::take(&mut client.arrived);
            let closed = [client.wires[0].closed, client.wires[1].closed];
            let compare = if index == actor {
                compare
            } else {
                Compare::Exact
            };
            let same = closed[0] == closed[1]
                && same_frames(&oracle, &subject, compare, unordered && index == actor);
            if !same || !rested {
                let _ = writeln!(text, "  client {index}");
                let _ = writeln!(text, "    oracle   {}", shown(&oracle, closed[0]));
                let _ = writeln!(text, "    subject  {}", shown(&subject, closed[1]));
            }
            if closed[0] {
                *client = Client::join(self.pair, index);
            }
        }
        (!text.is_empty()).then_some(text)
    }

    fn send(&mut self, client: usize, commands: &[Command]) {
        for side in 0..2 {
            let mut bytes = Vec::new();
            for command in commands {
                let mut command = command.clone();
                for arg in &mut command.args {
                    let marked = arg.strip_prefix(b"@id:".as_slice());
                    if let Some(digit) = marked.and_then(|digits| digits.first()) {
                        let other = usize::from(digit - b'0') % self.clients.len();
                        arg.clone_from(&self.clients[other].ids[side]);
                    }
                }
                command.encode(&mut bytes);
            }
            let client = &mut self.clients[client];
            client.wires[side].outbox().extend_from_slice(&bytes);
            client.due[side] += commands.len();
        }
    }

    /// Takes in what has arrived from one server; gives how many replies are still due.
    fn collect(&mut self, side: usize) -> usize {
        let mut waiting = 0;
        for client in &mut self.clients {
            let wire = &mut client.wires[side];
            wire.turn();
            while let Some(frame) = wire.take() {
                client.arrived[side].push(frame);
                client.due[side] = client.due[side].saturating_sub(1);
            }
            if wire.closed {
                client.due[side] = 0;
            }
            waiting += usize::from(client.due[side] > 0);
        }
        waiting
    }

    /// At rest, every client with a reply due is blocked; the same clients on both servers. An
    /// actor that cannot block must have its answer.
    fn rest_by_count(&mut self, actor: usize, must_answer: bool) -> bool {
        for side in 0..2 {
            let mut patience = Patience::new(self.patience);
            loop {
                // Counted before collecting: who is unblocked in between is seen as due no more.
                let waiting = self.collect(side);
                let blocked = blocked_clients(&mut self.controls[side]);
                let still = self.collect(side);
                let alike = side == 0
                    || self
                        .clients
                        .iter()
                        .all(|client| client.due[0] == client.due[1]);
                let answered = !must_answer || self.clients[actor].due[side] == 0;
                if waiting == still && blocked == Some(still) && alike && answered {
                    break;
                }
                if patience.is_out(still) {
                    return false;
                }
            }
        }
        true
    }

    /// At rest, these clients have seen the answer to their last PING, and on the subject as
    /// much besides as on the oracle.
    fn rest_by_ping(&mut self, pinged: &[usize]) -> bool {
        self.pings += 1;
        let token = format!("rest-{}", self.pings).into_bytes();
        for side in 0..2 {
            for client in &mut self.clients {
                client.wires[side].turn();
            }
            for &client in pinged {
                let wire = &mut self.clients[client].wires[side];
                Command::new("PING").arg(&token).encode(wire.outbox());
            }
            let mut answered: Vec<bool> = (0..self.len())
                .map(|client| !pinged.contains(&client))
                .collect();
            let mut patience = Patience::new(self.patience);
            loop {
                self.collect(side);
                for (client, answered) in self.clients.iter_mut().zip(&mut answered) {
                    let before = client.arrived[side].len();
                    client.arrived[side].retain(|frame| !is_pong(frame, &token));
                    *answered |= client.arrived[side].len() < before || client.wires[side].closed;
                }
                let as_much = |client: &Client| {
                    side == 0 || client.arrived[1].len() >= client.arrived[0].len()
                };
                if answered.iter().all(|answered| *answered) && self.clients.iter().all(as_much) {
                    break;
                }
                let seen = self
                    .clients
                    .iter()
                    .map(|client| client.arrived[side].len())
                    .sum();
                if patience.is_out(seen) {
                    return false;
                }
                let wires: Vec<&Wire> = self
                    .clients
                    .iter()
                    .map(|client| &client.wires[side])
                    .collect();
                wait_any(&wires);
            }
        }
        for client in &mut self.clients {
            client.due = [0, 0];
        }
        true
    }
}

/// Whether an action is answered by itself: it cannot block, or for a moment only. (The oracle
/// counts a client as blocked while a FLUSHALL of its frees memory in the background.)
fn answers_itself(action: &Action) -> bool {
    let Action::Send(_, commands) = action else {
        return false;
    };
    let blocks = |command: &Command| {
        let of_lists =
            command.args[0].starts_with(b"B") && command.args.iter().all(|arg| arg != b"0.001");
        let of_streams = |pair: &[Vec<u8>]| pair[0] == b"BLOCK" && pair[1] != b"3";
        of_lists || command.args.windows(2).any(of_streams)
    };
    commands[0].args[0] == b"MULTI" || !commands.iter().any(blocks)
}

impl Client {
    fn join(pair: Pair, index: usize) -> Self {
        let mut wires = [Wire::open(pair.oracle), Wire::open(pair.subject)];
        let ids = wires.each_mut().map(|wire| {
            if index % 2 == 1 {
                assert!(ask(wire, "HELLO 3").is_some(), "HELLO 3 must work on both");
            }
            let id = ask(wire, "CLIENT ID").and_then(|reply| reply.integer());
            id.expect("CLIENT ID must work on both")
                .to_string()
                .into_bytes()
        });
        Self {
            wires,
            ids,
            due: [0, 0],
            arrived: [Vec::new(), Vec::new()],
        }
    }
}

/// Sends a command and waits for its reply.
fn ask(wire: &mut Wire, line: &str) -> Option<Reply> {
    Command::words(line).encode(wire.outbox());
    answer(wire)
}

/// Waits for a reply.
fn answer(wire: &mut Wire) -> Option<Reply> {
    let mut patience = Patience::new(patience());
    loop {
        wire.turn();
        if let Some(frame) = wire.take() {
            return Some(Reply::parse(&frame));
        }
        if wire.closed || patience.is_out(0) {
            return None;
        }
        wait_any(&[wire]);
    }
}

fn blocked_clients(control: &mut Wire) -> Option<usize> {
    let reply = ask(control, "INFO clients")?;
    let text = String::from_utf8_lossy(reply.text()?).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("blocked_clients:")?.trim().parse().ok())
}
