//! Random commands under policies that change while time moves and clients go: after every step
//! the ledger balances, per queue and in total, agrees with what clients were told, and bounds hold.
//!
//! `WEIR_MODEL_STEPS` sets how many steps, `WEIR_MODEL_SEED` where they begin.

mod streams;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::mem;

use crate::clients::Wait;
use crate::command::testing::{Bench, Player};
use crate::command::{cancel, put_back, tick};
use crate::overflow::QueueOverflow;
use crate::store::{Cause, Key, Ledger, ShardSet, Tally, Value};

/// The names in use: few, so that they meet.
const NAMES: [&str; 8] = ["a", "b", "ab", "q1", "q2", "dead", "dead2", "text"];
const PATTERNS: [&str; 6] = ["*", "a*", "q?", "q1", "b", "dead"];
const CLIENTS_MAX: usize = 4;
const STEPS: u64 = 20_000;
/// What happened last, kept for who is told of a failure.
const LOG_LEN: usize = 30;

/// splitmix64: tests must repeat.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn name(&mut self) -> &'static str {
        self.pick(&NAMES)
    }

    fn message(&mut self) -> String {
        let len = match self.below(400) {
            0 => 20_000,
            1..20 => 200,
            _ => 1 + self.below(12),
        };
        let letter = char::from(b'a' + u8::try_from(self.below(3)).unwrap());
        std::iter::repeat_n(letter, usize::try_from(len).unwrap()).collect()
    }
}

/// What clients were told, added up.
#[derive(Debug, Default)]
struct Told {
    came: Tally,
    out: Tally,
    /// Entries that were added to streams, and that XACKDEL took.
    entries: Tally,
    done: Tally,
}

struct Model {
    bench: Bench,
    player: Player,
    random: Random,
    told: Told,
    blocked: Vec<Player>,
    /// Clients that wait for streams.
    readers: Vec<Player>,
    log: VecDeque<String>,
}

/// Payloads in a reply: the words behind a length.
fn payloads(reply: &str) -> Vec<&str> {
    let words: Vec<&str> = reply.split(' ').collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if word.starts_with('$') && *word != "$-1" {
            found.push(words[at + 1]);
        }
    }
    found
}

fn is_served(player: &Player) -> bool {
    matches!(*player.session.client.wait.lock(), Wait::Served(_))
}

impl Model {
    fn new(seed: u64) -> Self {
        let bench = Bench::new();
        bench.run("WEIR.ROUTE ADD news s1");
        Self {
            player: bench.client(),
            bench,
            random: Random(seed),
            told: Told::default(),
            blocked: Vec::new(),
            readers: Vec::new(),
            log: VecDeque::new(),
        }
    }

    fn run(&mut self, command: &str) -> String {
        let reply = self.bench.play(&mut self.player, command);
        let shown = |text: &str| text.chars().take(120).collect::<String>();
        self.note(format!("{} => {}", shown(command), shown(&reply)));
        reply
    }

    /// Notes what happens, for who is told of a failure.
    fn note(&mut self, line: String) {
        if self.log.len() == LOG_LEN {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    /// What the list at a name holds, if it is one.
    fn held(&self, name: &str) -> Option<Tally> {
        self.with_value(name, |value| match value {
            Value::Queue(queue) => Some(queue.held()),
            _ => None,
        })?
    }

    fn with_value<R>(&self, name: &str, look: impl FnOnce(&Value) -> R) -> Option<R> {
        let key = self.bench.engine.keyspace.key(0, name.as_bytes());
        let mut held = self.bench.engine.keyspace.hold();
        held.need(ShardSet::one(self.bench.engine.keyspace.shard_of(&key)));
        let now_ms = self.bench.now.unix_ms;
        // A look must not have the key expire: nobody would serve who waits for it.
        let entry = held.shard_of(&key).standing(&key)?;
        (!entry.is_due(now_ms)).then(|| look(&entry.value))
    }

    fn came(&mut self, message: &str) {
        self.told.came += Tally::one(message.len());
    }

    fn out(&mut self, reply: &str, names: usize) {
        for message in payloads(reply).into_iter().skip(names) {
            self.told.out += Tally::one(message.len());
        }
    }

    fn push(&mut self) {
        let (name, ms) = (self.random.name(), 1 + self.random.below(30));
        let mut command = match self.random.below(10) {
            0 => format!("WEIR.PUSH {name} TTL {ms}"),
            1 => format!("WEIR.PUSH {name} LEFT DELAY {ms}"),
            2 => format!("WEIR.PUSH {name} TTL 5 DELAY {ms}"),
            3..6 => format!("LPUSH {name}"),
            _ => format!("RPUSH {name}"),
        };
        let messages: Vec<String> = (0..=self.random.below(3))
            .map(|_| self.random.message())
            .collect();
        for message in &messages {
            let _ = write!(command, " {message}");
        }
        if self.run(&command).starts_with(':') {
            for message in &messages {
                self.came(message);
            }
        }
    }

    fn pop(&mut self) {
        let name = self.random.name();
        let (command, names) = match self.random.below(4) {
            0 => (format!("LPOP {name}"), 0),
            1 => (format!("RPOP {name} {}", 1 + self.random.below(4)), 0),
            2 => {
                let other = self.random.name();
                (format!("LMPOP 2 {name} {other} LEFT COUNT 2"), 1)
            }
            _ => (format!("RPOP {name}"), 0),
        };
        let reply = self.run(&command);
        if !reply.starts_with('-') {
            self.out(&reply, names);
        }
    }

    fn moved(&mut self, reply: &str) {
        if let [message] = payloads(reply)[..] {
            self.told.out += Tally::one(message.len());
            self.came(message);
        }
    }

    fn transfer(&mut self) {
        let (from, to) = (self.random.name(), self.random.name());
        let ends = self.random.pick(&["LEFT RIGHT", "RIGHT LEFT", "LEFT LEFT"]);
        let reply = self.run(&format!("LMOVE {from} {to} {ends}"));
        if reply.starts_with('$') {
            self.moved(&reply);
        }
    }

    fn edit(&mut self) {
        let (name, other) = (self.random.name(), self.random.name());
        match self.random.below(9) {
            0 => {
                let message = self.random.message();
                if self.run(&format!("LSET {name} 0 {message}")) == "+OK" {
                    self.came(&message);
                }
            }
            1 => {
                let message = self.random.message();
                self.run(&format!("LREM {name} 0 {message}"));
            }
            2 => {
                self.run(&format!("LTRIM {name} 1 -2"));
            }
            3 => {
                self.run(&format!("RENAME {name} {other}"));
            }
            4 => {
                // What time has ended goes first: a copy leaves it behind.
                self.run(&format!("RENAME {name} {name}"));
                let copied = self.held(name);
                if self.run(&format!("COPY {name} {other} REPLACE")) == ":1" {
                    self.told.came += copied.unwrap_or_default();
                }
            }
            5 => {
                self.run(&format!("DEL {name} {other}"));
            }
            6 => {
                let ms = 1 + self.random.below(50);
                self.run(&format!("PEXPIRE {name} {ms}"));
            }
            7 => {
                self.run("SET text value");
            }
            _ if self.random.below(20) == 0 => {
                self.run("FLUSHDB");
            }
            _ => {}
        }
    }

    fn transact(&mut self) {
        let (name, other) = (self.random.name(), self.random.name());
        let (first, second) = (self.random.message(), self.random.message());
        let mut client = self.bench.client();
        let commands = [
            "MULTI".to_owned(),
            format!("RPUSH {name} {first}"),
            format!("LPUSH {other} {second}"),
            "EXEC".to_owned(),
        ];
        let mut reply = String::new();
        for command in &commands {
            reply = self.bench.play(&mut client, command);
        }
        self.bench.leave(&client);
        self.note(format!("{} | {} => {reply}", commands[1], commands[2]));
        let replies = reply.split(' ').skip(1);
        let mut outcomes = replies.filter(|word| word.starts_with(':') || word.starts_with('-'));
        for message in [first, second] {
            if outcomes.next().is_some_and(|word| word.starts_with(':')) {
                self.came(&message);
            }
        }
    }

    fn govern(&mut self) {
        let pattern = self.random.pick(&PATTERNS);
        if self.random.below(3) == 0 {
            self.run(&format!("WEIR.POLICY DEL {pattern}"));
            return;
        }
        let mut command = format!("WEIR.POLICY SET {pattern}");
        if self.random.below(2) == 0 {
            let _ = write!(command, " MAX-LENGTH {}", 1 + self.random.below(6));
        }
        if self.random.below(3) == 0 {
            let _ = write!(command, " MAX-BYTES {}", 1 + self.random.below(60));
        }
        if self.random.below(3) == 0 {
            let _ = write!(command, " MAX-AGE {}", 1 + self.random.below(40));
        }
        if self.random.below(4) == 0 {
            let _ = write!(command, " EXPIRE-IDLE {}", 1 + self.random.below(60));
        }
        if self.random.below(2) == 0 {
            let way = self.random.pick(&["reject", "drop-oldest", "drop-newest"]);
            let _ = write!(command, " OVERFLOW {way}");
        }
        if self.random.below(3) == 0 {
            let grave = self.random.pick(&["dead", "dead2"]);
            let _ = write!(command, " DEAD-LETTER {grave}");
        }
        self.run(&command);
    }

    fn block(&mut self) {
        if self.blocked.len() == CLIENTS_MAX {
            return;
        }
        let (name, other) = (self.random.name(), self.random.name());
        let command = match self.random.below(3) {
            0 => format!("BLPOP {name} {other} 0"),
            1 => format!("BRPOP {name} 0"),
            _ => format!("BLMOVE {name} {other} LEFT RIGHT 0"),
        };
        let mut player = self.bench.client();
        let reply = self.bench.play(&mut player, &command);
        self.note(format!("{command} => {reply}"));
        if reply == "(blocked)" {
            self.blocked.push(player);
        } else {
            self.bench.leave(&player);
            self.count_served(&reply);
        }
    }

    fn count_served(&mut self, reply: &str) {
        match payloads(reply)[..] {
            [_] => self.moved(reply),
            [_, message] => self.told.out += Tally::one(message.len()),
            _ => {}
        }
    }

    /// Clients read what they were served, or turn out to be gone.
    fn read_or_go(&mut self) {
        for mut player in mem::take(&mut self.blocked) {
            let is_served = is_served(&player);
            let goes = self.random.below(if is_served { 4 } else { 40 }) == 0;
            if goes {
                self.note("a client goes".to_owned());
                let wait = mem::take(&mut *player.session.client.wait.lock());
                let taken = match wait {
                    Wait::Served(served) if served.taken.is_empty() => {
                        // What moved from list to list has moved.
                        let reply = String::from_utf8_lossy(&served.reply.to_bytes()).into_owned();
                        self.count_served(&reply.replace("\r\n", " "));
                        Vec::new()
                    }
                    Wait::Served(served) => {
                        // It was popped, and will be given back or be lost.
                        served.taken.into_vec()
                    }
                    standing => {
                        *player.session.client.wait.lock() = standing;
                        Vec::new()
                    }
                };
                self.bench.with_call(&mut player, |call| {
                    let client = call.session.client.clone();
                    cancel(call, &client);
                    put_back(call, taken);
                });
                self.bench.leave(&player);
            } else if is_served {
                let reply = player.look();
                self.bench.leave(&player);
                self.count_served(&reply);
            } else {
                self.blocked.push(player);
            }
        }
    }

    fn step(&mut self) {
        match self.random.below(26) {
            20.. => self.stream_step(),
            0..7 => self.push(),
            7..11 => self.pop(),
            11 => self.transfer(),
            12..14 => self.edit(),
            14 => self.transact(),
            15 => self.govern(),
            16 | 17 => self.block(),
            _ => {
                let ms = self.random.below(20);
                self.note(format!("{ms} ms pass"));
                self.bench.pass(ms);
                tick::tend(&self.bench.engine, 0, self.bench.now);
                self.check_ages();
            }
        }
        self.read_or_go();
        // What comes back from one client may serve another.
        while self.blocked.iter().any(is_served) {
            self.read_or_go();
        }
        self.check();
        self.check_streams();
    }

    fn keys(&self) -> [Key<'static>; NAMES.len()] {
        NAMES.map(|name| self.bench.engine.keyspace.key(0, name.as_bytes()))
    }

    /// Ages are bounded when the tick has been there.
    fn check_ages(&self) {
        let tick = self.bench.now.mono_ms();
        for name in NAMES {
            self.with_value(name, |value| {
                if let Value::Queue(queue) = value {
                    let oldest = queue.oldest_arrival().unwrap();
                    let stale_before = queue.stale_before(tick);
                    assert!(oldest >= stale_before, "{name}: {oldest} < {stale_before}");
                    assert!(!queue.is_forgotten(tick), "{name} is forgotten");
                }
            });
        }
    }

    fn check(&mut self) {
        let mut set = ShardSet::EMPTY;
        let keyspace = &self.bench.engine.keyspace;
        for key in self.keys() {
            set.insert(keyspace.shard_of(&key));
        }
        let mut held = keyspace.hold();
        held.need(set);
        held.check_ledgers();
        let mut total = Ledger::default();
        for (_, shard) in held.shards() {
            assert!(shard.unsettled.is_empty() && shard.ready.is_empty());
            total.add(shard.ledger(0));
        }
        assert!(total.is_settled(), "{total:?}");
        let mut sum = Tally::default();
        let now_ms = self.bench.now.unix_ms;
        for key in self.keys() {
            let Some(entry) = held.shard_of(&key).peek(&key, now_ms) else {
                continue;
            };
            let Value::Queue(queue) = &entry.value else {
                continue;
            };
            assert!(!queue.is_empty() && queue.is_balanced());
            let ledger = queue.ledger();
            assert_eq!(ledger.held(), queue.held(), "{:?}: {ledger:?}", key.name);
            sum += queue.held();
            if let Some(bounds) = queue.bounds()
                && bounds.overflow != QueueOverflow::Reject
            {
                assert!(!queue.is_over(), "{:?} is over {bounds:?}", key.name);
            }
        }
        let mut came = self.told.came;
        came += total.lost.of(Cause::DeadLettered);
        // What expired is still held while nobody has looked.
        let mut accepted = total.came;
        accepted += total.delayed;
        assert_eq!(accepted, came, "what came");
        assert_eq!(total.out, self.told.out, "what went out");
        for (_, shard) in held.shards() {
            shard.check_ledgers();
        }
        assert!(total.held().messages >= sum.messages);
    }
}

#[test]
fn the_ledger_balances_whatever_happens() {
    let read = |name: &str| std::env::var(name).ok()?.parse().ok();
    let steps = read("WEIR_MODEL_STEPS").unwrap_or(STEPS);
    let seed = read("WEIR_MODEL_SEED").unwrap_or(1);
    let mut model = Model::new(seed);
    for step in 0..steps {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| model.step()));
        if let Err(panic) = result {
            let log = Vec::from(model.log).join("\n  ");
            panic!(
                "step {step} of seed {seed}:\n  {log}\n{:?}",
                panic.downcast_ref::<String>()
            );
        }
    }
}
