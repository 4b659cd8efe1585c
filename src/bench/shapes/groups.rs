//! Streams between producers and consumer groups: each message goes to one consumer of each group,
//! and is acknowledged.

use anyhow::Result;

use super::super::link::Control;
use super::super::options::Plan;
use super::super::tally::Tally;
use super::super::verify::Verdict;
use super::super::wire::{Answer, Kind, put_arg, put_head, put_request};
use super::messages::Messages;
use super::{Shape, numbered};

/// Entries that a consumer asks for at once.
const READ_MAX: &[u8] = b"100";
const BLOCK_MS: &[u8] = b"1000";
/// Tokens of an entry with one field: itself, its id, its fields, name and value.
const ENTRY_TOKENS: usize = 5;
/// Where entries begin in a reply of XREADGROUP about one stream.
const FIRST_ENTRY: usize = 4;

/// XADD, XREADGROUP and XACK; consumers are spread over the groups of all streams.
pub struct Groups {
    streams: Vec<String>,
    /// Names of the groups that every stream has.
    names: Vec<String>,
    consumers: usize,
    message: Vec<u8>,
    delivered: u64,
    acknowledged: u64,
    messages: Messages,
}

impl Groups {
    /// The shape; every group of every stream has a consumer.
    pub fn new(plan: &Plan, run: u16) -> Self {
        let audiences = plan.keys * plan.groups;
        let consumers = plan.consumers.max(audiences);
        Self {
            streams: numbered("stream", plan.keys),
            names: (0..plan.groups).map(|group| format!("g{group}")).collect(),
            consumers,
            message: Vec::new(),
            delivered: 0,
            acknowledged: 0,
            messages: Messages::new(plan, run, plan.keys, audiences, consumers),
        }
    }

    /// The audience of a consumer: a group of a stream.
    fn audience(&self, consumer: usize) -> usize {
        consumer % (self.streams.len() * self.names.len())
    }

    /// Stream and group of an audience.
    fn stream_and_group(&self, audience: usize) -> (&str, &str) {
        let stream = audience % self.streams.len();
        (
            &self.streams[stream],
            &self.names[audience / self.streams.len()],
        )
    }

    fn put_read(&self, consumer: usize, output: &mut Vec<u8>) {
        let (stream, group) = self.stream_and_group(self.audience(consumer));
        let name = format!("c{consumer}");
        let args: [&[u8]; 11] = [
            b"XREADGROUP",
            b"GROUP",
            group.as_bytes(),
            name.as_bytes(),
            b"COUNT",
            READ_MAX,
            b"BLOCK",
            BLOCK_MS,
            b"STREAMS",
            stream.as_bytes(),
            b">",
        ];
        put_request(&args, output);
    }

    /// Takes the entries of a reply, and acknowledges them.
    fn receive(
        &mut self,
        consumer: usize,
        answer: Answer<'_>,
        now_us: u64,
        output: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        let audience = self.audience(consumer);
        let entries = answer.tokens().len().saturating_sub(FIRST_ENTRY) / ENTRY_TOKENS;
        let (stream, group) = self.stream_and_group(audience);
        put_head(3 + entries, output);
        put_arg(b"XACK", output);
        put_arg(stream.as_bytes(), output);
        put_arg(group.as_bytes(), output);
        for entry in 0..entries {
            let at = FIRST_ENTRY + entry * ENTRY_TOKENS;
            put_arg(answer.text(at + 1), output);
            self.delivered += 1;
            let whom = (audience, consumer);
            self.messages
                .complete(whom, answer.text(at + 4), now_us, tally);
        }
    }
}

impl Shape for Groups {
    fn connections(&self) -> (usize, usize) {
        let producers = self.messages.producers();
        (producers, producers + self.consumers)
    }

    fn prepare(&mut self, control: &mut Control) -> Result<()> {
        control.delete(&self.streams)?;
        for audience in 0..self.streams.len() * self.names.len() {
            let (stream, group) = self.stream_and_group(audience);
            control.ask(&[
                b"XGROUP",
                b"CREATE",
                stream.as_bytes(),
                group.as_bytes(),
                b"0",
                b"MKSTREAM",
            ])?;
        }
        Ok(())
    }

    fn begin(&mut self, link: usize, output: &mut Vec<u8>) {
        if let Some(consumer) = link.checked_sub(self.messages.producers()) {
            self.put_read(consumer, output);
        }
    }

    fn produce(&mut self, producer: usize, due_us: u64, output: &mut Vec<u8>) -> u64 {
        let lane = self.messages.next_lane(producer);
        self.message.clear();
        self.messages.put_next(producer, due_us, &mut self.message);
        let stream = self.streams[lane].as_bytes();
        put_request(&[b"XADD", stream, b"*", b"m", &self.message], output);
        self.names.len() as u64
    }

    fn answer(
        &mut self,
        link: usize,
        answer: Answer<'_>,
        now_us: u64,
        output: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        let Some(consumer) = link.checked_sub(self.messages.producers()) else {
            return;
        };
        match answer.kind() {
            Kind::Array => {
                self.receive(consumer, answer, now_us, output, tally);
                self.put_read(consumer, output);
            }
            Kind::Null => self.put_read(consumer, output),
            // XACK says how many were pending.
            Kind::Integer => {
                let number = answer.tokens()[0].number;
                self.acknowledged += u64::try_from(number).unwrap_or(0);
            }
            _ => self.messages.strange(),
        }
    }

    fn is_settled(&self) -> bool {
        self.acknowledged >= self.delivered
    }

    fn conclude(&mut self, control: &mut Control) -> Result<Verdict> {
        for audience in 0..self.streams.len() * self.names.len() {
            let (stream, group) = self.stream_and_group(audience);
            let answer = control.ask(&[b"XPENDING", stream.as_bytes(), group.as_bytes()])?;
            let pending = answer.tokens().get(1).map_or(0, |token| token.number);
            if pending != 0 {
                self.messages.strange();
            }
        }
        control.delete(&self.streams)?;
        let streams = self.streams.len();
        let hears = |audience: usize, lane| lane == audience % streams;
        Ok(self.messages.verdict(hears))
    }
}
