//! Long random sequences over several connections, pipelined, one connection at a time: every
//! reply of the two servers is compared.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::command::{Command, Compare};
use crate::compare::agree;
use crate::families::{FAMILIES, Family, groups, streams};
use crate::fit::{is_fit, preface};
use crate::reply::Reply;
use crate::scenarios;
use crate::shrink::shortest;
use crate::vocabulary::Gen;
use crate::wire::{Wire, exchange, patience};

/// Connections in use; each has its own database and RESP version.
const CONNECTIONS: usize = 4;

/// After so many commands everything starts anew, so that a difference can be replayed.
const COMMANDS_PER_ROUND: usize = 20_000;

/// A batch stops growing at this many bytes, well below what a server lets a client send ahead.
const BATCH_BYTES_MAX: usize = 128 * 1024;

/// How long silence may last in a replay: where it is the difference, each one costs this much.
const REPLAY_PATIENCE: Duration = Duration::from_millis(500);

/// A difference seen this often is known well enough; its command is then left out.
const REPEATS_MAX: usize = 20;

/// The two servers.
#[derive(Clone, Copy)]
pub struct Pair {
    /// The one that is right by definition.
    pub oracle: SocketAddr,
    /// The one under test.
    pub subject: SocketAddr,
}

/// One command on one connection.
#[derive(Clone)]
pub struct Step {
    /// Which connection sends it.
    pub connection: usize,
    /// What it sends.
    pub command: Command,
}

/// A reply that differs.
pub struct Mismatch {
    /// What the oracle said; nothing if it fell silent or closed.
    pub oracle: Option<Reply>,
    /// What the subject said.
    pub subject: Option<Reply>,
}

/// The connections of a round, to both servers.
pub struct Connections {
    wires: Vec<[Wire; 2]>,
    /// How long silence may last.
    patience: Duration,
}

impl Connections {
    /// Empties both servers and connects anew.
    pub fn fresh(pair: Pair, patience: Duration) -> Self {
        let open = || [Wire::open(pair.oracle), Wire::open(pair.subject)];
        let mut fresh = Self {
            wires: (0..CONNECTIONS).map(|_| open()).collect(),
            patience,
        };
        let flush = Step {
            connection: 0,
            command: Command::new("FLUSHALL"),
        };
        let found = fresh.run(&[flush]);
        assert!(found.is_none(), "FLUSHALL must work on both");
        fresh
    }

    /// Sends steps that share one connection in one go; gives the first difference.
    pub fn run(&mut self, steps: &[Step]) -> Option<(usize, Mismatch)> {
        let first = steps.first()?;
        let [oracle, subject] = &mut self.wires[first.connection];
        for step in steps {
            let start = oracle.outbox().len();
            step.command.encode(oracle.outbox());
            let sent = oracle.outbox()[start..].to_vec();
            subject.outbox().extend_from_slice(&sent);
        }
        let [ours, theirs] = exchange([&mut *oracle, &mut *subject], steps.len(), self.patience);
        let mut from = [0, 0];
        for (index, step) in steps.iter().enumerate() {
            let reply = |wire: &Wire, ends: &[usize], from: usize| {
                ends.get(index)
                    .map(|&end| wire.received()[from..end].to_vec())
            };
            let one = reply(oracle, &ours, from[0]);
            let other = reply(subject, &theirs, from[1]);
            let same = match (&one, &other) {
                (Some(one), Some(other)) => agree(step.command.compare, one, other),
                _ => false,
            };
            if !same {
                let parse = |bytes: Option<Vec<u8>>| bytes.map(|bytes| Reply::parse(&bytes));
                return Some((
                    index,
                    Mismatch {
                        oracle: parse(one),
                        subject: parse(other),
                    },
                ));
            }
            from = [ours[index], theirs[index]];
        }
        oracle.take_to(from[0]);
        subject.take_to(from[1]);
        None
    }

    /// Sends any steps, batching those that share a connection.
    pub fn run_all(&mut self, steps: &[Step]) -> Option<(usize, Mismatch)> {
        let mut start = 0;
        while start < steps.len() {
            let connection = steps[start].connection;
            let alike = |step: &&Step| step.connection == connection;
            let count = steps[start..].iter().take(100).take_while(alike).count();
            if let Some((index, mismatch)) = self.run(&steps[start..start + count]) {
                return Some((start + index, mismatch));
            }
            start += count;
        }
        None
    }
}

/// What to send and when to stop.
pub struct Plan {
    /// The seed of everything.
    pub seed: u64,
    /// How many commands to compare.
    pub commands: usize,
    /// The families to draw from, empty for all.
    pub families: Vec<String>,
    /// Names (with subcommand) that are left out, while they are known to differ.
    pub skipped: Vec<String>,
    /// Stop after so many distinct differences.
    pub differences_max: usize,
}

/// A run: what has been sent and what was found.
struct Run<'a> {
    pair: Pair,
    plan: &'a Plan,
    families: Vec<&'static Family>,
    gen_: Gen,
    connections: Connections,
    history: Vec<Step>,
    /// Commands that the families have made; what sweeps and scenarios send comes on top.
    drawn: usize,
    found: BTreeMap<String, Found>,
    /// Commands that differ too often to let a run go on.
    muted: Vec<String>,
}

struct Found {
    count: usize,
    report: String,
}

/// Runs the plan; gives a report of the differences, empty when there are none.
pub fn run(pair: Pair, plan: &Plan) -> String {
    let wanted = |family: &&Family| {
        plan.families.is_empty() || plan.families.iter().any(|name| name == family.name)
    };
    let mut run = Run {
        pair,
        plan,
        families: FAMILIES.iter().filter(wanted).collect(),
        gen_: Gen::new(plan.seed),
        connections: Connections::fresh(pair, patience()),
        history: Vec::new(),
        drawn: 0,
        found: BTreeMap::new(),
        muted: Vec::new(),
    };
    assert!(
        !run.families.is_empty(),
        "no family is named {:?}",
        plan.families
    );
    run.start_round();
    while run.drawn < plan.commands && run.found.len() < plan.differences_max {
        if run.history.len() >= COMMANDS_PER_ROUND {
            run.start_round();
        }
        run.batch();
        if run.gen_.rng.permyriad(300) {
            run.sweep();
        }
        if run.gen_.rng.permyriad(200) {
            run.scenario();
        }
    }
    println!(
        "plain: {} commands, {} differences",
        run.drawn,
        run.found.len()
    );
    run.report()
}

impl Run<'_> {
    /// Empties everything; half of the connections speak RESP3.
    fn start_round(&mut self) {
        self.connections = Connections::fresh(self.pair, patience());
        self.history.clear();
        let hello = |connection| Step {
            connection,
            command: Command::words("HELLO 3").compared(Compare::Hello),
        };
        self.history.extend((0..CONNECTIONS).step_by(2).map(hello));
        let settings = streams::opening(&mut self.gen_).map(|command| Step {
            connection: 0,
            command,
        });
        self.history.extend(settings);
        let found = self.connections.run_all(&self.history);
        assert!(found.is_none(), "HELLO 3 and CONFIG SET must work on both");
    }

    fn batch(&mut self) {
        let connection = self.gen_.rng.below(CONNECTIONS);
        let count = 50 + self.gen_.rng.below(150);
        let mut steps = Vec::with_capacity(count);
        let mut bytes = 0;
        while (steps.len() < count && bytes < BATCH_BYTES_MAX) || !self.gen_.queued.is_empty() {
            let command = self.command();
            bytes += command.args.iter().map(Vec::len).sum::<usize>();
            steps.push(Step {
                connection,
                command,
            });
        }
        self.drawn += steps.len();
        self.send(steps);
    }

    fn command(&mut self) -> Command {
        loop {
            if let Some(command) = self.gen_.queued.pop_front() {
                return command;
            }
            let family = self
                .gen_
                .rng
                .weighted(self.families.iter().map(|family| family.weight));
            let commands = self.families[family].commands;
            let entry = self
                .gen_
                .rng
                .weighted(commands.iter().map(|(weight, _)| *weight));
            let mut command = commands[entry].1(&mut self.gen_);
            if command.damageable && self.gen_.rng.percent(4) {
                self.gen_.damage(&mut command);
            }
            // An empty line asks for nothing, and an inline line has a length of its own limit.
            let bytes: usize = command.args.iter().map(Vec::len).sum();
            let speaks = command.args.first().is_some_and(|name| !name.is_empty());
            if self.gen_.rng.percent(3) && bytes < 4_000 && speaks {
                command.inline = true;
            }
            if is_fit(&command) && !self.is_left_out(&command.full_name()) {
                if let Some(preface) = preface(&command) {
                    self.gen_.queued.push_front(command);
                    return preface;
                }
                return command;
            }
            self.gen_.queued.clear();
        }
    }

    fn is_left_out(&self, name: &String) -> bool {
        self.plan.skipped.contains(name) || self.muted.contains(name)
    }

    /// Compares everything that is stored, in the databases that the run uses.
    fn sweep(&mut self) {
        let mut steps = Vec::new();
        let mut add = |command| {
            steps.push(Step {
                connection: 1,
                command,
            });
        };
        for database in ["0", "1", "2", "15"] {
            add(Command::new("SELECT").arg(database));
            add(Command::new("DBSIZE"));
            add(Command::new("KEYS").arg("*").compared(Compare::AnyOrder));
            for key in Gen::all_keys() {
                add(Command::new("GET").arg(&key));
                add(Command::new("LRANGE").arg(&key).arg("0").arg("-1"));
                add(Command::new("HGETALL").arg(&key).compared(Compare::Pairs));
                add(Command::new("SMEMBERS")
                    .arg(&key)
                    .compared(Compare::AnyOrder));
                let sorted = Command::new("ZRANGE").arg(&key).arg("0").arg("-1");
                add(sorted.arg("WITHSCORES"));
                add(Command::words("XINFO STREAM")
                    .arg(&key)
                    .args(["FULL", "COUNT", "0"])
                    .compared(Compare::Clocked(groups::SLACK_MS)));
                add(Command::new("PTTL")
                    .arg(&key)
                    .compared(Compare::Within(3000)));
            }
        }
        self.send(steps);
    }

    fn scenario(&mut self) {
        let differences = scenarios::run_one(self.pair, &mut self.gen_);
        for (name, text) in differences {
            self.note(name, text);
        }
    }

    /// Sends steps of one connection each and records the first difference.
    fn send(&mut self, steps: Vec<Step>) {
        let start = self.history.len();
        self.history.extend(steps);
        let Some((index, mismatch)) = self.connections.run_all(&self.history[start..]) else {
            return;
        };
        self.history.truncate(start + index + 1);
        let command = &self.history[start + index].command;
        let name = signature(command, &mismatch);
        let known = self.found.contains_key(&name);
        let report = if known {
            String::new()
        } else {
            self.explain(&mismatch)
        };
        let is_unknown = name.ends_with("/ ERR unknown command ");
        let command = command.full_name();
        if self.note(name, report) > REPEATS_MAX || is_unknown {
            self.muted.push(command);
        }
        self.start_round();
    }

    /// Counts a difference; gives how often it has been seen.
    fn note(&mut self, name: String, report: String) -> usize {
        if !self.found.contains_key(&name) {
            println!("== {name}\n{report}");
        }
        let found = self.found.entry(name).or_insert(Found { count: 0, report });
        found.count += 1;
        found.count
    }

    /// The difference as a reader needs it: command, replies, and the shortest way there.
    fn explain(&self, mismatch: &Mismatch) -> String {
        let mut text = String::new();
        let last = self.history.last().expect("a step that differs");
        let step = self.drawn;
        let _ = writeln!(text, "seed {} near step {step}", self.plan.seed);
        let _ = writeln!(text, "  command  {}", last.command.shown());
        let _ = write!(text, "{}", shown(mismatch));
        // At once: a server that hangs or has gone ends the replays.
        println!("{text}");
        let differs = |steps: &[Step]| {
            let (index, mismatch) =
                Connections::fresh(self.pair, REPLAY_PATIENCE).run_all(steps)?;
            (index + 1 == steps.len()).then_some(mismatch)
        };
        if let Some((steps, mismatch)) = shortest(&self.history, differs) {
            let _ = writeln!(text, "  shortest script:");
            write_steps(&mut text, steps.iter());
            let _ = write!(text, "{}", shown(&mismatch));
            return text;
        }
        let _ = writeln!(
            text,
            "  (a replay does not differ) the last commands nearby:"
        );
        let key = last.command.args.get(1);
        let near = |step: &&Step| key.is_none_or(|key| step.command.args[1..].contains(key));
        let near: Vec<&Step> = self.history.iter().filter(near).collect();
        write_steps(
            &mut text,
            near[near.len().saturating_sub(15)..].iter().copied(),
        );
        text
    }

    fn report(self) -> String {
        let mut text = String::new();
        for (name, found) in self.found {
            let _ = writeln!(text, "== {name} ({} times)\n{}", found.count, found.report);
        }
        text
    }
}

fn write_steps<'a>(text: &mut String, steps: impl Iterator<Item = &'a Step>) {
    for step in steps {
        let _ = writeln!(text, "    [{}] {}", step.connection, step.command.shown());
    }
}

fn shown(mismatch: &Mismatch) -> String {
    let show = |reply: &Option<Reply>| match reply {
        Some(reply) => reply.to_string().chars().take(600).collect(),
        None => "(no reply: closed or silent)".to_owned(),
    };
    format!(
        "  oracle   {}\n  subject  {}\n",
        show(&mismatch.oracle),
        show(&mismatch.subject)
    )
}

/// What makes two differences the same one: the command and how the replies begin.
fn signature(command: &Command, mismatch: &Mismatch) -> String {
    let head = |reply: &Option<Reply>| match reply {
        None => "none".to_owned(),
        Some(Reply::Line(b'-', line)) => {
            let text = String::from_utf8_lossy(line).into_owned();
            let end = text
                .find(|c: char| c == '\'' || c.is_ascii_digit())
                .unwrap_or(text.len());
            text.chars().take(end.min(50)).collect()
        }
        Some(reply) => char::from(reply.kind()).to_string(),
    };
    let name: String = command.full_name().chars().take(30).collect();
    format!(
        "{name}: {} / {}",
        head(&mismatch.oracle),
        head(&mismatch.subject)
    )
}
