//! Channels between publishers and subscribers: each message goes to all of its channel.

use std::collections::VecDeque;

use anyhow::Result;

use super::super::link::Control;
use super::super::options::Plan;
use super::super::tally::Tally;
use super::super::verify::Verdict;
use super::super::wire::{Answer, put_arg, put_head, put_request};
use super::messages::Messages;
use super::{Shape, numbered};

/// PUBLISH and SUBSCRIBE; subscriber `s` hears channel `s % channels`.
pub struct Fanout {
    channels: Vec<String>,
    subscribers: usize,
    subscribed: usize,
    message: Vec<u8>,
    messages: Messages,
    /// By publisher: when those of its messages were due that the server has not answered yet.
    unanswered: Vec<VecDeque<u64>>,
}

impl Fanout {
    /// The shape; every channel has a subscriber.
    pub fn new(plan: &Plan, run: u16) -> Self {
        let subscribers = plan.consumers.max(plan.keys);
        Self {
            channels: numbered("channel", plan.keys),
            subscribers,
            subscribed: 0,
            message: Vec::new(),
            messages: Messages::new(plan, run, plan.keys, subscribers, subscribers),
            unanswered: vec![VecDeque::new(); plan.connections],
        }
    }

    fn subscribers_of(&self, lane: usize) -> u64 {
        let channels = self.channels.len();
        let rest = usize::from(lane < self.subscribers % channels);
        (self.subscribers / channels + rest) as u64
    }
}

impl Shape for Fanout {
    fn connections(&self) -> (usize, usize) {
        let producers = self.messages.producers();
        (producers, producers + self.subscribers)
    }

    fn prepare(&mut self, _control: &mut Control) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, link: usize, output: &mut Vec<u8>) {
        if let Some(index) = link.checked_sub(self.messages.producers()) {
            let channel = &self.channels[index % self.channels.len()];
            put_request(&[b"SUBSCRIBE", channel.as_bytes()], output);
        }
    }

    fn is_ready(&self) -> bool {
        self.subscribed == self.subscribers
    }

    fn produce(&mut self, producer: usize, due_us: u64, output: &mut Vec<u8>) -> u64 {
        let lane = self.messages.next_lane(producer);
        self.message.clear();
        self.messages.put_next(producer, due_us, &mut self.message);
        put_head(3, output);
        put_arg(b"PUBLISH", output);
        put_arg(self.channels[lane].as_bytes(), output);
        put_arg(&self.message, output);
        self.unanswered[producer].push_back(due_us);
        self.subscribers_of(lane)
    }

    fn answer(
        &mut self,
        link: usize,
        answer: Answer<'_>,
        now_us: u64,
        _output: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        let Some(index) = link.checked_sub(self.messages.producers()) else {
            if let Some(due_us) = self.unanswered[link].pop_front() {
                tally.replied(due_us, now_us);
            }
            return;
        };
        if answer.text(1) == b"subscribe" {
            self.subscribed += 1;
            return;
        }
        if answer.text(1) == b"message" {
            self.messages
                .complete((index, index), answer.text(3), now_us, tally);
        } else {
            self.messages.strange();
        }
    }

    fn conclude(&mut self, _control: &mut Control) -> Result<Verdict> {
        let channels = self.channels.len();
        let hears = |subscriber: usize, lane| lane == subscriber % channels;
        Ok(self.messages.verdict(hears))
    }
}
