//! One command over and over, each connection for itself: what a server does at most.

use std::collections::VecDeque;

use anyhow::Result;

use super::super::link::Control;
use super::super::options::{Plan, Test};
use super::super::stamp::Stamp;
use super::super::tally::Tally;
use super::super::verify::Verdict;
use super::super::wire::{Answer, Kind, put_arg, put_head, put_length, put_request};
use super::messages::Messages;
use super::{PREFIX, Shape};

/// Messages per request while a queue is filled or drained outside of the measurement.
const PORTION: u64 = 100;

/// LPUSH, RPOP, SET, GET or PUBLISH to one name.
pub struct Single {
    test: Test,
    /// Messages that RPOP is to find.
    fill: u64,
    key: String,
    /// The request up to its message, or all of it where it has none.
    head: Vec<u8>,
    /// What GET is to answer.
    value: Vec<u8>,
    /// By connection: when the requests in flight were due.
    due_us: Vec<VecDeque<u64>>,
    messages: Messages,
}

impl Single {
    /// The shape of `plan.test`.
    pub fn new(plan: &Plan, run: u16) -> Self {
        let key = format!("{PREFIX}{}", plan.test.name());
        let stamp = Stamp {
            run,
            source: 0,
            sequence: 0,
            due_us: 0,
        };
        let mut value = Vec::new();
        stamp.write(plan.size, &mut value);
        let command = plan.test.name().to_ascii_uppercase();
        let mut head = Vec::new();
        match plan.test {
            Test::Rpop | Test::Get => put_request(&[command.as_bytes(), key.as_bytes()], &mut head),
            _ => {
                put_head(3, &mut head);
                put_arg(command.as_bytes(), &mut head);
                put_arg(key.as_bytes(), &mut head);
                put_length(b'$', plan.size, &mut head);
            }
        }
        // What is popped was pushed by one source; there is one consumer more for what is left.
        Self {
            test: plan.test,
            fill: if plan.test == Test::Rpop {
                plan.count
            } else {
                0
            },
            key,
            head,
            value,
            due_us: vec![VecDeque::new(); plan.connections],
            messages: Messages::new(plan, run, 1, 1, plan.connections + 1),
        }
    }

    /// Pushes what RPOP is to find.
    fn fill_queue(&mut self, control: &mut Control) -> Result<()> {
        let mut left = self.fill;
        let mut message = Vec::new();
        while left > 0 {
            let portion = left.min(PORTION);
            left -= portion;
            let mut request = Vec::new();
            put_head(2 + usize::try_from(portion)?, &mut request);
            put_arg(b"LPUSH", &mut request);
            put_arg(self.key.as_bytes(), &mut request);
            for _ in 0..portion {
                message.clear();
                self.messages.put_next(0, 0, &mut message);
                put_arg(&message, &mut request);
            }
            control.send(&request)?;
            control.answer()?;
        }
        Ok(())
    }

    /// Takes what is left in the queue.
    fn drain_queue(&mut self, control: &mut Control) -> Result<()> {
        let portion = PORTION.to_string();
        let consumer = self.messages.producers();
        loop {
            let answer = control.ask(&[b"RPOP", self.key.as_bytes(), portion.as_bytes()])?;
            if answer.kind() != Kind::Array {
                return Ok(());
            }
            for index in 1..answer.tokens().len() {
                self.messages.take(0, consumer, answer.text(index));
            }
        }
    }

    fn is_as_awaited(&self, answer: Answer<'_>) -> bool {
        match self.test {
            Test::Lpush | Test::Publish => answer.kind() == Kind::Integer,
            Test::Set => answer.text(0) == b"OK",
            Test::Get => answer.text(0) == self.value,
            _ => answer.kind() == Kind::Bulk,
        }
    }
}

impl Shape for Single {
    fn connections(&self) -> (usize, usize) {
        (self.messages.producers(), self.messages.producers())
    }

    fn prepare(&mut self, control: &mut Control) -> Result<()> {
        control.delete(std::slice::from_ref(&self.key))?;
        if self.test == Test::Get {
            control.ask(&[b"SET", self.key.as_bytes(), &self.value])?;
        }
        self.fill_queue(control)
    }

    fn begin(&mut self, _link: usize, _output: &mut Vec<u8>) {}

    fn produce(&mut self, producer: usize, due_us: u64, output: &mut Vec<u8>) -> u64 {
        output.extend_from_slice(&self.head);
        match self.test {
            Test::Rpop | Test::Get => {}
            Test::Lpush => {
                self.messages.put_next(producer, due_us, output);
                output.extend_from_slice(b"\r\n");
            }
            _ => {
                output.extend_from_slice(&self.value);
                output.extend_from_slice(b"\r\n");
            }
        }
        self.due_us[producer].push_back(due_us);
        1
    }

    fn answer(
        &mut self,
        link: usize,
        answer: Answer<'_>,
        now_us: u64,
        _output: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        if !self.is_as_awaited(answer) {
            // A queue that ran dry has lost something, which the verdict tells; the rest is wrong.
            let is_told = answer.kind() == Kind::Error
                || self.test == Test::Rpop && answer.kind() == Kind::Null;
            if !is_told {
                self.messages.strange();
            }
        } else if self.test == Test::Rpop {
            self.messages.take(0, link, answer.text(0));
        }
        match self.due_us[link].pop_front() {
            Some(due_us) => tally.complete(link, due_us, now_us),
            None => self.messages.strange(),
        }
    }

    fn conclude(&mut self, control: &mut Control) -> Result<Verdict> {
        if matches!(self.test, Test::Lpush | Test::Rpop) {
            self.drain_queue(control)?;
        }
        control.delete(std::slice::from_ref(&self.key))?;
        Ok(self.messages.verdict(|_, _| true))
    }
}
