//! Queues between producers and waiting consumers: each message goes to one of them.

use anyhow::Result;

use super::super::link::Control;
use super::super::options::{Plan, Test};
use super::super::tally::Tally;
use super::super::verify::Verdict;
use super::super::wire::Answer;
use super::Shape;
use super::dialect::{Dialect, Queue, Step};
use super::messages::Messages;

/// A consumer and the queue at which it waits.
#[derive(Clone, Copy, Debug)]
struct Consumer {
    queue: usize,
    is_fetching: bool,
}

/// Hand-off in one or several dialects.
pub struct Work {
    queues: Vec<Queue>,
    consumers: Vec<Consumer>,
    messages: Messages,
}

impl Work {
    /// The shape of `plan.test`; consumers are spread over the queues.
    pub fn new(plan: &Plan, run: u16) -> Self {
        let dialects: &[Dialect] = match plan.test {
            Test::Sidekiq => &[Dialect::Sidekiq],
            Test::Celery => &[Dialect::Celery],
            Test::Bullmq => &[Dialect::Bullmq],
            Test::Mixed => &[Dialect::Sidekiq, Dialect::Celery, Dialect::Bullmq],
            _ => &[Dialect::Plain],
        };
        let each: Vec<Vec<Queue>> = dialects
            .iter()
            .map(|dialect| Queue::all(*dialect, plan.keys))
            .collect();
        let mut begins = Vec::new();
        let mut begin = 0;
        for queues in &each {
            begins.push(begin);
            begin += queues.len();
        }
        // Dialects take turns, so each gets as many as the one with most queues: none is without.
        let queues_max = each.iter().map(Vec::len).max().unwrap_or(0);
        let consumers: Vec<Consumer> = (0..plan.consumers.max(each.len() * queues_max))
            .map(|index| {
                let dialect = index % each.len();
                let queue = begins[dialect] + index / each.len() % each[dialect].len();
                Consumer {
                    queue,
                    is_fetching: false,
                }
            })
            .collect();
        let queues: Vec<Queue> = each.into_iter().flatten().collect();
        Self {
            messages: Messages::new(plan, run, queues.len(), 1, consumers.len()),
            consumers,
            queues,
        }
    }

    fn keys(&self) -> Vec<String> {
        self.queues.iter().flat_map(Queue::all_keys).collect()
    }
}

impl Shape for Work {
    fn connections(&self) -> (usize, usize) {
        let producers = self.messages.producers();
        (producers, producers + self.consumers.len())
    }

    fn prepare(&mut self, control: &mut Control) -> Result<()> {
        control.delete(&self.keys())
    }

    fn begin(&mut self, link: usize, output: &mut Vec<u8>) {
        if let Some(index) = link.checked_sub(self.messages.producers()) {
            self.queues[self.consumers[index].queue].put_wait(output);
        }
    }

    fn produce(&mut self, producer: usize, due_us: u64, output: &mut Vec<u8>) -> u64 {
        let queue = &self.queues[self.messages.next_lane(producer)];
        queue.put_push_head(self.messages.size(), output);
        self.messages.put_next(producer, due_us, output);
        queue.put_push_tail(output);
        1
    }

    fn answer(
        &mut self,
        link: usize,
        answer: Answer<'_>,
        now_us: u64,
        output: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        // Producers get lengths, which nobody needs.
        let Some(index) = link.checked_sub(self.messages.producers()) else {
            return;
        };
        let Consumer { queue, is_fetching } = self.consumers[index];
        match self.queues[queue].step(answer, is_fetching) {
            Step::Message(message) => {
                self.queues[queue].put_done(message, output);
                self.messages.complete((0, index), message, now_us, tally);
            }
            Step::Fetch => {
                self.queues[queue].put_fetch(output);
                self.consumers[index].is_fetching = true;
            }
            Step::Again => {
                self.queues[queue].put_wait(output);
                self.consumers[index].is_fetching = false;
            }
            Step::Nothing => {}
            Step::Strange => self.messages.strange(),
        }
    }

    fn conclude(&mut self, control: &mut Control) -> Result<Verdict> {
        control.delete(&self.keys())?;
        Ok(self.messages.verdict(|_, _| true))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::super::options::parse;
    use super::Work;

    #[test]
    fn no_queue_is_without_a_consumer() {
        for line in [
            "mixed",
            "mixed -c 3",
            "mixed -c 50",
            "sidekiq -c 1",
            "celery",
            "bullmq",
        ] {
            let words = ["bench"].into_iter().chain(line.split(' '));
            let options = parse(words.map(OsString::from)).unwrap();
            let work = Work::new(&options.plans[0], 1);
            for queue in 0..work.queues.len() {
                let mut consumers = work.consumers.iter();
                assert!(
                    consumers.any(|consumer| consumer.queue == queue),
                    "{line}: {queue}"
                );
            }
        }
    }
}
