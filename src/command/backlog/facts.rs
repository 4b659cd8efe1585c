//! A queue's measures as names and values, for replies and JSON alike.

use crate::store::meter::{Rates, Waited};
use crate::store::{Cause, Figures, GroupBacklog, Kind};

use super::{Row, Sums};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Words.
    Text(Vec<u8>),
    /// A whole number.
    Count(u64),
    /// A number with a fraction.
    Real(f64),
    /// There is none.
    Nothing,
    /// Names and values.
    Map(Vec<(&'static str, Fact)>),
    /// Several of a kind.
    List(Vec<Fact>),
}

type Facts = Vec<(&'static str, Fact)>;

fn optional(count: Option<u64>) -> Fact {
    count.map_or(Fact::Nothing, Fact::Count)
}

fn text(text: &str) -> Fact {
    Fact::Text(text.into())
}

fn add_rates(facts: &mut Facts, names: [&'static str; 3], rates: [f64; 3]) {
    let rates = rates.map(|rate| Fact::Real((rate * 100.0).round() / 100.0));
    facts.extend(names.into_iter().zip(rates));
}

fn add_both_rates(facts: &mut Facts, rates: &Rates) {
    add_rates(
        facts,
        ["rate_in_1s", "rate_in_10s", "rate_in_1m"],
        rates.came,
    );
    add_rates(
        facts,
        ["rate_out_1s", "rate_out_10s", "rate_out_1m"],
        rates.out,
    );
}

fn add_waits(facts: &mut Facts, waited: Option<Waited>) {
    let of = |ms: fn(Waited) -> u64| optional(waited.map(ms));
    facts.extend([
        ("wait_p50_ms", of(|waited| waited.p50_ms)),
        ("wait_p90_ms", of(|waited| waited.p90_ms)),
        ("wait_p99_ms", of(|waited| waited.p99_ms)),
        ("wait_max_ms", of(|waited| waited.max_ms)),
    ]);
}

fn add_figures(facts: &mut Facts, figures: &Figures) {
    facts.extend([
        ("length", Fact::Count(figures.held.messages)),
        ("bytes", Fact::Count(figures.held.bytes)),
        ("waiting", Fact::Count(figures.waiting)),
        ("oldest_age_ms", optional(figures.age_ms)),
        ("consumers_waiting", Fact::Count(figures.consumers as u64)),
        ("in", Fact::Count(figures.came)),
        ("out", Fact::Count(figures.out)),
        ("dropped", Fact::Count(figures.lost)),
    ]);
    add_both_rates(facts, &figures.rates);
    let drain = figures
        .drain_s()
        .map(|drain_s| (drain_s * 10.0).round() / 10.0);
    facts.push(("drain_s", drain.map_or(Fact::Nothing, Fact::Real)));
}

/// What is told of a queue or stream.
pub fn facts_of(row: &Row) -> Facts {
    let backlog = &row.backlog;
    let figures = &backlog.figures;
    let is_stream = figures.kind == Kind::Stream;
    let mut facts = vec![
        ("name", Fact::Text(row.name.to_vec())),
        ("type", text(if is_stream { "stream" } else { "queue" })),
        ("state", text(figures.state().name())),
    ];
    add_figures(&mut facts, figures);
    add_waits(&mut facts, backlog.waited);
    let lost = Cause::ALL.into_iter().filter_map(|cause| {
        let lost = backlog.ledger.lost.of(cause);
        (!lost.is_zero()).then_some((cause.name(), Fact::Count(lost.messages)))
    });
    facts.push(("drops", Fact::Map(lost.collect())));
    let policy = row.policy().map(|pattern| Fact::Text(pattern.to_vec()));
    facts.push(("policy", policy.unwrap_or(Fact::Nothing)));
    if is_stream {
        let groups = backlog
            .groups
            .iter()
            .map(|group| Fact::Map(facts_of_group(group)));
        facts.push(("groups", Fact::List(groups.collect())));
    }
    facts
}

fn facts_of_group(group: &GroupBacklog) -> Facts {
    let lag = group.lag.and_then(|lag| u64::try_from(lag).ok());
    let mut facts = vec![
        ("name", Fact::Text(group.name.to_vec())),
        ("consumers", Fact::Count(group.consumers as u64)),
        ("lag", optional(lag)),
        ("pending", Fact::Count(group.pending)),
        ("oldest_unread_ms", optional(group.oldest_unread_ms)),
        ("oldest_pending_ms", optional(group.oldest_pending_ms)),
        ("delivered", Fact::Count(group.ledger.delivered)),
        ("redelivered", Fact::Count(group.ledger.redelivered)),
        ("acked", Fact::Count(group.ledger.acked)),
        ("dead_lettered", Fact::Count(group.ledger.dead_lettered)),
    ];
    let rates = &group.rates;
    add_rates(
        &mut facts,
        ["rate_out_1s", "rate_out_10s", "rate_out_1m"],
        rates.out,
    );
    add_rates(
        &mut facts,
        ["rate_ack_1s", "rate_ack_10s", "rate_ack_1m"],
        rates.came,
    );
    add_waits(&mut facts, group.waited);
    facts
}

/// What is told of many together.
pub fn facts_of_sums(sums: &Sums) -> Facts {
    let mut facts = vec![
        ("queues", Fact::Count(sums.queues)),
        ("streams", Fact::Count(sums.streams)),
    ];
    let names = ["idle", "flowing", "building_up", "stalled"];
    facts.extend(names.into_iter().zip(sums.states.map(Fact::Count)));
    add_figures(&mut facts, &sums.figures);
    facts
}

#[cfg(test)]
mod tests {
    use crate::store::State;

    #[test]
    fn states_are_counted_in_their_order() {
        for (index, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, index);
        }
    }
}
