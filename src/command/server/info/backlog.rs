//! The section on what waits in queues and streams. Not shown unless it is asked for: it walks over
//! all of them.

use crate::command::Call;
use crate::command::backlog::{Fact, Named, Order, Sums, Survey, Wanted, facts_of_sums};

use super::Text;
use super::facts::Facts;

/// Queues in trouble that are named.
const NAMED_MAX: usize = 10;

/// What the section is written from.
#[derive(Debug)]
pub(super) struct Backlogs {
    sums: Sums,
    named: Vec<Named>,
}

impl Backlogs {
    pub(super) fn gather(call: &mut Call<'_, '_>) -> Self {
        let wanted = Wanted {
            order: Order::Trouble,
            limit: NAMED_MAX,
            ..Wanted::default()
        };
        let mut survey = Survey::new(wanted, call.now);
        call.each_shard(|_, shard| survey.visit(shard));
        Self {
            named: survey.named(),
            sums: survey.sums,
        }
    }
}

pub(super) fn backlog(text: &mut Text, facts: &Facts<'_>) {
    let Some(backlogs) = &facts.backlogs else {
        return;
    };
    for (name, fact) in facts_of_sums(&backlogs.sums) {
        match fact {
            Fact::Count(count) => text.line(name, count),
            Fact::Real(number) => text.line(name, number),
            _ => text.line(name, ""),
        }
    }
    for (index, named) in backlogs.named.iter().enumerate() {
        let figures = &named.figures;
        let age_ms = figures.age_ms.unwrap_or(0);
        let value = format!(
            "db={},name={},state={},length={},bytes={},oldest_age_ms={age_ms},rate_in={:.2},rate_out={:.2},consumers_waiting={},dropped={}",
            named.db,
            named.name.escape_ascii(),
            figures.state().name(),
            figures.held.messages,
            figures.held.bytes,
            figures.rates.came[1],
            figures.rates.out[1],
            figures.consumers,
            figures.lost,
        );
        text.line(&format!("queue{index}"), value);
    }
}
