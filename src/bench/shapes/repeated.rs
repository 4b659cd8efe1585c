//! A command that the user gave, over and over, each connection for itself.

use std::collections::VecDeque;

use anyhow::Result;

use super::super::link::Control;
use super::super::options::Plan;
use super::super::tally::Tally;
use super::super::verify::Verdict;
use super::super::wire::{Answer, put_request};
use super::Shape;

/// What stands for a random number, in redis-benchmark as well.
pub const PLACEHOLDER: &str = "__rand_int__";

/// A command whose placeholders get a number of twelve digits for each request.
pub struct Repeated {
    request: Vec<u8>,
    /// Where placeholders begin in the request.
    places: Vec<usize>,
    range: u64,
    /// State of the random numbers: xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
    random: u64,
    /// By connection: when the requests in flight were due.
    due_us: Vec<VecDeque<u64>>,
    /// A reply came that nobody awaited.
    is_strange: bool,
}

impl Repeated {
    /// The shape of `plan.repeated`; `run` picks the random numbers.
    pub fn new(plan: &Plan, run: u16) -> Self {
        let text = &plan.repeated;
        let words: Vec<&[u8]> = text.words.iter().map(String::as_bytes).collect();
        let mut request = Vec::new();
        put_request(&words, &mut request);
        let places = memchr::memmem::find_iter(&request, PLACEHOLDER).collect();
        Self {
            request,
            places,
            range: text.range,
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(run),
            due_us: vec![VecDeque::new(); plan.connections],
            is_strange: false,
        }
    }

    fn next_number(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % self.range
    }
}

impl Shape for Repeated {
    fn connections(&self) -> (usize, usize) {
        (self.due_us.len(), self.due_us.len())
    }

    fn prepare(&mut self, _control: &mut Control) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, _link: usize, _output: &mut Vec<u8>) {}

    fn produce(&mut self, producer: usize, due_us: u64, output: &mut Vec<u8>) -> u64 {
        let start = output.len();
        output.extend_from_slice(&self.request);
        for at in 0..self.places.len() {
            let mut number = self.next_number();
            let place = start + self.places[at];
            for digit in output[place..place + PLACEHOLDER.len()].iter_mut().rev() {
                *digit = b'0' + (number % 10).to_le_bytes()[0];
                number /= 10;
            }
        }
        self.due_us[producer].push_back(due_us);
        1
    }

    fn answer(
        &mut self,
        link: usize,
        _answer: Answer<'_>,
        now_us: u64,
        _output: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        match self.due_us[link].pop_front() {
            Some(due_us) => tally.complete(link, due_us, now_us),
            None => self.is_strange = true,
        }
    }

    fn conclude(&mut self, _control: &mut Control) -> Result<Verdict> {
        Ok(Verdict {
            strange: u64::from(self.is_strange),
            ..Verdict::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::options::{Repeated as Text, Test};
    use super::*;

    #[test]
    fn placeholders_become_numbers_below_the_range() {
        let repeated = Text {
            words: ["HSET", "h", "f:__rand_int__", "__rand_int__"]
                .map(str::to_owned)
                .to_vec(),
            range: 30,
        };
        let plan = Plan {
            repeated,
            ..Plan::of_one(Test::Run)
        };
        let mut shape = Repeated::new(&plan, 7);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut output = Vec::new();
            assert_eq!(shape.produce(0, 0, &mut output), 1);
            let request = String::from_utf8(output).unwrap();
            let words: Vec<&str> = request.split("\r\n").collect();
            assert_eq!(words[..6], ["*4", "$4", "HSET", "$1", "h", "$14"]);
            let field: u64 = words[6].strip_prefix("f:").unwrap().parse().unwrap();
            assert_eq!((words[7], words[8].len()), ("$12", 12));
            let value: u64 = words[8].parse().unwrap();
            assert!(field < 30 && value < 30, "{request}");
            seen.insert(field);
        }
        assert!(seen.len() > 20, "{seen:?}");
    }
}
