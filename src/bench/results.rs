//! All that was measured, and what it comes to.

use super::driver::Measured;
use super::figures::Figures;
use super::options::Plan;
use super::peer::Peer;

/// One run.
#[derive(Debug)]
pub struct Run {
    /// Which of the plans.
    pub plan: usize,
    /// Which of the servers.
    pub server: usize,
    /// From 1.
    pub round: usize,
    /// What it gave.
    pub measured: Measured,
}

/// All runs.
#[derive(Debug)]
pub struct Results {
    /// The server, and the one to compare it with.
    pub peers: Vec<Peer>,
    /// The tests, in order.
    pub plans: Vec<Plan>,
    /// What was run so far.
    pub runs: Vec<Run>,
}

impl Results {
    /// The runs of a test on a server.
    pub fn of(&self, plan: usize, server: usize) -> impl Iterator<Item = &Run> {
        self.runs
            .iter()
            .filter(move |run| run.plan == plan && run.server == server)
    }

    /// The medians of a test on a server; `None` if it did not run.
    pub fn median(&self, plan: usize, server: usize) -> Option<Figures> {
        let rounds: Vec<Figures> = self
            .of(plan, server)
            .map(|run| Figures::of(&run.measured))
            .collect();
        (!rounds.is_empty()).then(|| Figures::median(&rounds))
    }

    /// The medians of a test on the first server over those on the second.
    pub fn ratio(&self, plan: usize) -> Option<Figures> {
        Some(self.median(plan, 0)?.over(self.median(plan, 1)?))
    }

    /// Whether every message came once and in order, and no reply was an error.
    pub fn is_clean(&self) -> bool {
        let is_clean =
            |run: &Run| run.measured.verdict.is_clean() && run.measured.tally.errors == 0;
        self.runs.iter().all(is_clean)
    }
}

/// What a test is called: its name, and its pipeline or rate.
pub fn label(plan: &Plan) -> String {
    match plan.rate {
        Some(rate) => format!("{} {rate}/s", plan.name()),
        None => format!("{} P={}", plan.name(), plan.pipeline),
    }
}
