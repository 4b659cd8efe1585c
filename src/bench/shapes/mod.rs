//! The shapes of load: what each connection sends, and what it makes of the replies.

mod dialect;
mod fanout;
mod groups;
mod messages;
mod repeated;
mod single;
mod work;

use anyhow::Result;

use super::link::Control;
use super::options::{Plan, Test};
use super::tally::Tally;
use super::verify::Verdict;
use super::wire::Answer;

/// All keys and channels begin like this, and are deleted before and after.
const PREFIX: &str = "weir-bench:";

/// A kind of load. Connections `0..producers` send messages; those after them only receive.
pub trait Shape {
    /// How many connections it needs: producers, and all.
    fn connections(&self) -> (usize, usize);

    /// Puts the server's keys in the state to start from.
    fn prepare(&mut self, control: &mut Control) -> Result<()>;

    /// Writes what a connection sends before the start.
    fn begin(&mut self, link: usize, output: &mut Vec<u8>);

    /// Whether all that [`Shape::begin`] asked for has been answered.
    fn is_ready(&self) -> bool {
        true
    }

    /// Writes the next message of a producer. Gives how many operations it will complete.
    fn produce(&mut self, producer: usize, due_us: u64, output: &mut Vec<u8>) -> u64;

    /// Takes a reply, and writes what the connection sends next because of it. That a reply is an
    /// error is counted already.
    fn answer(
        &mut self,
        link: usize,
        answer: Answer<'_>,
        now_us: u64,
        output: &mut Vec<u8>,
        tally: &mut Tally,
    );

    /// Whether all has been said that follows the last operation.
    fn is_settled(&self) -> bool {
        true
    }

    /// Looks at what is left, clears it away, and judges.
    fn conclude(&mut self, control: &mut Control) -> Result<Verdict>;
}

/// The shape of a test. `run` tells its messages from those of earlier runs.
pub fn shape(plan: &Plan, run: u16) -> Box<dyn Shape> {
    match plan.test {
        Test::Run => Box::new(repeated::Repeated::new(plan, run)),
        Test::Lpush | Test::Rpop | Test::Set | Test::Get | Test::Publish => {
            Box::new(single::Single::new(plan, run))
        }
        Test::Handoff | Test::Sidekiq | Test::Celery | Test::Bullmq | Test::Mixed => {
            Box::new(work::Work::new(plan, run))
        }
        Test::Fanout => Box::new(fanout::Fanout::new(plan, run)),
        Test::Groups => Box::new(groups::Groups::new(plan, run)),
    }
}

/// The same name with a number for each of `count` keys.
fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("{PREFIX}{name}:{index}"))
        .collect()
}
