//! `OpenMetrics`, and the older text format of Prometheus for who asks for nothing else.
//!
//! A scrape stays small however many queues there are: sums of all, sums for each policy, and the
//! few queues that are in most trouble (`metrics-queues`). docs/OPERATING.md says what each means.

mod text;

use std::sync::atomic::Ordering::Relaxed;

use crate::clock::{self, Now};
use crate::command::alerts::Concern;
use crate::command::backlog::{Order, Row, Sums, Survey, Wanted};
use crate::command::{Engine, Health};
use crate::metrics::PassTimes;
use crate::pubsub::ChannelSight;
use crate::store::meter::{Rates, Waited};
use crate::store::{Cause, Figures, GroupBacklog, Kind, Ledger, State};

use super::api;
use text::{Labels, Measure, Subject, Text, name_text};

pub use text::Format;

/// Milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The same of microseconds.
fn seconds_of_us(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// Alerts in force that are shown one by one: a policy may be passed by every queue that there is.
const ALERTS_MAX: usize = 1000;

/// Everything, at a moment; `None` while a script has a claim to the shards.
pub fn write(engine: &Engine, now: Now, format: Format) -> Option<String> {
    let started_us = clock::mono_us();
    let wanted = Wanted {
        order: Order::Trouble,
        limit: engine.config.live().metrics_queues(),
        ..Wanted::default()
    };
    let mut survey = Survey::new(wanted, now).walk(engine)?;
    let named = survey.named();
    let rows = api::rows(engine, &named, now)?;
    let mut text = Text::new(format);
    process(&mut text, engine, now);
    traffic(&mut text, engine);
    passes(&mut text, engine);
    totals(&mut text, &survey);
    policies(&mut text, &survey);
    queues(&mut text, &rows);
    groups(&mut text, &rows);
    channels(&mut text, engine);
    alerts(&mut text, engine);
    let took_us = clock::mono_us() - started_us;
    text.gauge(
        "weir_scrape_seconds",
        "Seconds that it took to gather this.",
        seconds_of_us(took_us),
    );
    Some(text.finish())
}

fn process(text: &mut Text, engine: &Engine, now: Now) {
    text.family(
        "weir_build_info",
        "gauge",
        "Always 1; the version is a label.",
    );
    text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let uptime_us = now.mono_us.saturating_sub(engine.started.mono_us);
    let uptime = seconds(uptime_us / 1000);
    text.gauge("weir_uptime_seconds", "Seconds since the start.", uptime);
    text.family(
        "weir_health",
        "gauge",
        "1 for the present state: serving; shedding messages for memory; refusing writes.",
    );
    for health in [Health::Serving, Health::Shedding, Health::Refusing] {
        let is_it = u8::from(engine.health() == health);
        text.sample(&[("state", health.name())], is_it);
    }
    text.gauge(
        "weir_memory_resident_bytes",
        "Memory that the process takes.",
        engine.resident_bytes.load(Relaxed),
    );
    text.gauge(
        "weir_memory_budget_bytes",
        "What maxmemory allows; 0 is no limit.",
        engine.config.live().maxmemory_bytes(),
    );
    text.gauge(
        "weir_connected_clients",
        "Clients connected.",
        engine.clients.len(),
    );
    text.gauge(
        "weir_blocked_clients",
        "Clients that wait for messages or for the end of a pause.",
        engine.blocked_clients_len.load(Relaxed),
    );
    text.gauge("weir_workers", "Worker threads.", engine.workers.len());
}

fn traffic(text: &mut Text, engine: &Engine) {
    for (name, about, count) in [
        (
            "weir_connections",
            "Connections accepted.",
            engine.sum(|stats| &stats.connections),
        ),
        (
            "weir_rejected_connections",
            "Connections turned away.",
            engine.rejected_connections.get(),
        ),
        (
            "weir_commands",
            "Commands executed.",
            engine.sum(|stats| &stats.commands_total),
        ),
        (
            "weir_error_replies",
            "Replies that were errors.",
            engine.sum(|stats| &stats.error_replies),
        ),
        (
            "weir_received_bytes",
            "Bytes received from clients.",
            engine.sum(|stats| &stats.received_bytes),
        ),
        (
            "weir_sent_bytes",
            "Bytes sent to clients.",
            engine.sum(|stats| &stats.sent_bytes),
        ),
        (
            "weir_published_messages",
            "Messages published to channels.",
            engine.sum(|stats| &stats.published),
        ),
        (
            "weir_delivered_messages",
            "Published messages left with subscribers.",
            engine.sum(|stats| &stats.delivered),
        ),
    ] {
        text.counter(name, about, count);
    }
    let outboxes = engine.outbox_ledger();
    text.gauge(
        "weir_outbox_messages",
        "Published messages that wait for subscribers to read.",
        outboxes.held.messages,
    );
    text.gauge("weir_outbox_bytes", "Their bytes.", outboxes.held.bytes);
    text.family(
        "weir_outbox_lost_messages",
        "counter",
        "Published messages that subscribers did not get, by cause.",
    );
    for (cause, lost) in [
        ("dropped_oldest", outboxes.dropped_oldest),
        ("dropped_newest", outboxes.dropped_newest),
        ("disconnected", outboxes.disconnected),
        ("closed", outboxes.closed),
    ] {
        text.sample(&[("cause", cause)], lost.messages);
    }
}

/// Bounds of the buckets for passes, as powers of two of microseconds: 64 us to a second.
const PASS_BOUNDS: [u32; 8] = [6, 8, 10, 12, 14, 16, 18, 20];

fn passes(text: &mut Text, engine: &Engine) {
    let workers = engine.workers.iter().enumerate();
    let workers =
        workers.map(|(index, worker)| (index.to_string(), PassTimes::of([&worker.passes])));
    let workers: Vec<_> = workers.collect();
    text.family(
        "weir_loop_pass_seconds",
        "histogram",
        "How long a worker was at work before it looked at its sockets again.",
    );
    for (worker, times) in &workers {
        let worker = ("worker", worker.as_str());
        for power in PASS_BOUNDS {
            // Whole microseconds are counted: below a bound is not above it.
            let bound = seconds_of_us(1 << power);
            text.part(
                "_bucket",
                &[worker, ("le", &bound)],
                times.times.below(power),
            );
        }
        let calls = times.times.calls();
        text.part("_bucket", &[worker, ("le", "+Inf")], calls);
        text.part("_count", &[worker], calls);
        text.part("_sum", &[worker], seconds_of_us(times.total_us));
    }
    text.family(
        "weir_loop_pass_longest_seconds",
        "gauge",
        "The longest of them since the start or CONFIG RESETSTAT.",
    );
    for (worker, times) in &workers {
        text.sample(&[("worker", worker)], seconds_of_us(times.longest_us));
    }
}

fn totals(text: &mut Text, survey: &Survey<'_>) {
    let sums = &survey.sums;
    text.family(
        "weir_queues",
        "gauge",
        "Queues and streams, by how it goes with them.",
    );
    for (state, count) in State::ALL.into_iter().zip(sums.states) {
        text.sample(&[("state", state.name())], count);
    }
    text.gauge("weir_streams", "Streams among them.", sums.streams);
    let figures = &sums.figures;
    text.gauge(
        "weir_held_messages",
        "Messages in all queues and streams.",
        figures.held.messages,
    );
    text.gauge(
        "weir_held_bytes",
        "Their payload bytes.",
        figures.held.bytes,
    );
    text.gauge("weir_waiting_messages", "Messages that wait for somebody: those in queues, and what groups have not read or acknowledged.", figures.waiting);
    text.gauge(
        "weir_oldest_age_seconds",
        "How long the oldest of these has waited.",
        seconds(figures.age_ms.unwrap_or(0)),
    );
    text.gauge(
        "weir_waiting_consumers",
        "Clients that wait for messages, once for each of their keys.",
        figures.consumers,
    );
    text.family(
        "weir_in_messages",
        "counter",
        "Messages that came to queues and streams.",
    );
    for (kind, ledger) in ledgers(survey) {
        text.sample(&[("type", kind)], ledger.came.messages);
    }
    text.family("weir_out_messages", "counter", "Messages delivered from queues; entries that groups of streams were done with and had deleted.");
    for (kind, ledger) in ledgers(survey) {
        text.sample(&[("type", kind)], ledger.out.messages);
    }
    text.family(
        "weir_lost_messages",
        "counter",
        "Messages that left without being delivered, by cause.",
    );
    for (kind, ledger) in ledgers(survey) {
        for cause in Cause::ALL {
            let lost = ledger.lost.of(cause).messages;
            text.sample(&[("type", kind), ("cause", cause.name())], lost);
        }
    }
}

fn ledgers<'s>(survey: &'s Survey<'_>) -> impl Iterator<Item = (&'static str, &'s Ledger)> {
    ["queue", "stream"].into_iter().zip(&survey.ledgers)
}

/// What is told of single queues and of the queues of a policy together.
#[rustfmt::skip]
const FIGURES: &[Measure<Figures>] = &[
    ("held_messages", "gauge", "Messages held.",
        |figures| Some(figures.held.messages.to_string())),
    ("held_bytes", "gauge", "Payload bytes held.",
        |figures| Some(figures.held.bytes.to_string())),
    ("waiting_messages", "gauge", "Messages that wait for somebody.",
        |figures| Some(figures.waiting.to_string())),
    ("oldest_age_seconds", "gauge", "How long the oldest message has waited; absent where none waits.",
        |figures| figures.age_ms.map(seconds)),
    ("waiting_consumers", "gauge", "Clients that wait for messages.",
        |figures| Some(figures.consumers.to_string())),
    ("drain_seconds", "gauge", "Seconds until nothing waits, at the rates of the last ten; absent while it does not become less.",
        |figures| figures.drain_s().map(|drain_s| format!("{drain_s:.1}"))),
];

/// What is told of single queues only: of many together it would fall when one of them goes.
#[rustfmt::skip]
const COUNTS: &[Measure<Figures>] = &[
    ("in_messages", "counter", "Messages that came.",
        |figures| Some(figures.came.to_string())),
    ("out_messages", "counter", "Messages that were delivered.",
        |figures| Some(figures.out.to_string())),
];

/// What is told of groups of streams.
#[rustfmt::skip]
const GROUPS: &[Measure<GroupBacklog>] = &[
    ("lag_entries", "gauge", "Entries that the group has not delivered; absent where it cannot be told.",
        |group| group.lag.map(|lag| lag.to_string())),
    ("pending_entries", "gauge", "Entries delivered and not acknowledged.",
        |group| Some(group.pending.to_string())),
    ("oldest_pending_seconds", "gauge", "How long the entry that is pending longest has been with its consumer.",
        |group| group.oldest_pending_ms.map(seconds)),
    ("consumers", "gauge", "Consumers of the group.",
        |group| Some(group.consumers.to_string())),
    ("delivered_entries", "counter", "Entries delivered for the first time.",
        |group| Some(group.ledger.delivered.to_string())),
    ("redelivered_entries", "counter", "Deliveries of entries that had been delivered before.",
        |group| Some(group.ledger.redelivered.to_string())),
    ("acked_entries", "counter", "Entries acknowledged.",
        |group| Some(group.ledger.acked.to_string())),
    ("dead_lettered_entries", "counter", "Entries moved to the dead-letter stream.",
        |group| Some(group.ledger.dead_lettered.to_string())),
];

/// What is told of channels and patterns.
#[rustfmt::skip]
const CHANNELS: &[Measure<ChannelSight>] = &[
    ("subscribers", "gauge", "Subscribers of a channel or pattern; those that lose most are named.",
        |sight| Some(sight.subscribers.to_string())),
    ("outbox_bytes", "gauge", "Bytes that wait for its slowest subscriber.",
        |sight| Some(sight.outbox_bytes_max.to_string())),
    ("published_messages", "counter", "Messages published to it while somebody was subscribed.",
        |sight| Some(sight.traffic.published.to_string())),
    ("delivered_messages", "counter", "Messages left with its subscribers.",
        |sight| Some(sight.traffic.delivered.to_string())),
    ("dropped_messages", "counter", "Messages that full outboxes let go of.",
        |sight| Some(sight.traffic.dropped.to_string())),
];

/// Rates of one direction.
type RatesOf = fn(&Rates) -> [f64; 3];

fn rates(text: &mut Text, prefix: &str, subjects: &[Subject<'_, Figures>]) {
    let directions: [(&str, &str, RatesOf); 2] = [
        ("in", "Messages that come in a second.", |rates| rates.came),
        ("out", "Messages that go in a second.", |rates| rates.out),
    ];
    for (direction, about, rates_of) in directions {
        text.family(&format!("{prefix}_{direction}_rate"), "gauge", about);
        for (labels, figures) in subjects {
            let rates = rates_of(&figures.rates);
            for (window, rate) in ["1s", "10s", "1m"].into_iter().zip(rates) {
                let labels = [&labels[..], &[("window", window)]].concat();
                text.sample(&labels, format_args!("{rate:.2}"));
            }
        }
    }
}

fn policies(text: &mut Text, survey: &Survey<'_>) {
    let policies: Vec<(String, &Sums)> = survey
        .by_policy()
        .map(|(pattern, sums)| (name_text(pattern).into_owned(), sums))
        .collect();
    text.family(
        "weir_policy_queues",
        "gauge",
        "Queues and streams under a policy, by how it goes with them.",
    );
    for (pattern, sums) in &policies {
        for (state, count) in State::ALL.into_iter().zip(sums.states) {
            text.sample(&[("policy", pattern), ("state", state.name())], count);
        }
    }
    let all: Vec<_> = policies
        .iter()
        .map(|(pattern, sums)| (vec![("policy", pattern.as_str())], &sums.figures))
        .collect();
    text.measures("weir_policy", FIGURES, &all);
    rates(text, "weir_policy", &all);
}

/// A queue that is named, with its labels as text.
struct Labelled<'r> {
    row: &'r Row,
    db: String,
    name: String,
}

impl Labelled<'_> {
    fn labels(&self) -> Vec<(&str, &str)> {
        let kind = match self.row.backlog.figures.kind {
            Kind::Stream => "stream",
            _ => "queue",
        };
        vec![("db", &self.db), ("queue", &self.name), ("type", kind)]
    }
}

fn labelled(rows: &[Row]) -> Vec<Labelled<'_>> {
    let labelled = rows.iter().map(|row| Labelled {
        row,
        db: row.db.to_string(),
        name: name_text(&row.name).into_owned(),
    });
    labelled.collect()
}

fn queues(text: &mut Text, rows: &[Row]) {
    let rows = labelled(rows);
    let all: Vec<_> = rows
        .iter()
        .map(|row| (row.labels(), &row.row.backlog.figures))
        .collect();
    text.measures("weir_queue", FIGURES, &all);
    text.measures("weir_queue", COUNTS, &all);
    rates(text, "weir_queue", &all);
    text.family("weir_queue_state", "gauge", "1 for the present state.");
    for (labels, figures) in &all {
        let labels = [&labels[..], &[("state", figures.state().name())]].concat();
        text.sample(&labels, 1);
    }
    text.family(
        "weir_queue_lost_messages",
        "counter",
        "Messages that left without being delivered, by cause.",
    );
    for row in &rows {
        for cause in Cause::ALL {
            let lost = row.row.backlog.ledger.lost.of(cause).messages;
            if lost > 0 {
                let labels = [&row.labels()[..], &[("cause", cause.name())]].concat();
                text.sample(&labels, lost);
            }
        }
    }
    text.family("weir_queue_wait_seconds", "summary", "How long the messages waited that were delivered in the last half to whole minute; quantile 1 is the longest.");
    for row in &rows {
        if let Some(waited) = row.row.backlog.waited {
            quantiles(text, &row.labels(), waited);
        }
    }
}

fn quantiles(text: &mut Text, labels: Labels<'_>, waited: Waited) {
    for (quantile, ms) in [
        ("0.5", waited.p50_ms),
        ("0.9", waited.p90_ms),
        ("0.99", waited.p99_ms),
        ("1", waited.max_ms),
    ] {
        let labels = [labels, &[("quantile", quantile)]].concat();
        text.sample(&labels, seconds(ms));
    }
}

fn groups(text: &mut Text, rows: &[Row]) {
    let rows = labelled(rows);
    let groups = rows.iter().flat_map(|row| {
        let groups = row.row.backlog.groups.iter();
        groups.map(move |group| (row, name_text(&group.name), group))
    });
    let groups: Vec<_> = groups.collect();
    let subjects: Vec<_> = groups
        .iter()
        .map(|(row, name, group)| {
            let labels = [("db", &*row.db), ("stream", &*row.name), ("group", &**name)];
            (labels.to_vec(), *group)
        })
        .collect();
    text.measures("weir_group", GROUPS, &subjects);
}

fn channels(text: &mut Text, engine: &Engine) {
    let sights = api::channels(engine);
    let named: Vec<_> = sights
        .iter()
        .map(|sight| (name_text(&sight.name), sight))
        .collect();
    let subjects: Vec<_> = named
        .iter()
        .map(|(name, sight)| {
            let labels = [("channel", &**name), ("type", api::kind_of(sight))];
            (labels.to_vec(), *sight)
        })
        .collect();
    text.measures("weir_channel", CHANNELS, &subjects);
}

fn alerts(text: &mut Text, engine: &Engine) {
    let alerts = engine.alerts.lock();
    text.family(
        "weir_alert_active",
        "gauge",
        "1 for each queue that is past a threshold of its policy; of very many, some.",
    );
    for alert in alerts.raised().take(ALERTS_MAX) {
        let (db, queue) = (alert.db.to_string(), name_text(&alert.name));
        let policy = name_text(&alert.policy);
        let labels = [
            ("alert", alert.concern.name()),
            ("db", &db),
            ("queue", &queue),
            ("policy", &policy),
        ];
        text.sample(&labels, 1);
    }
    text.gauge("weir_alerts", "Alerts in force.", alerts.raised_len());
    text.family(
        "weir_alerts_raised",
        "counter",
        "How often a queue passed a threshold of its policy.",
    );
    for concern in Concern::ALL {
        text.sample(&[("alert", concern.name())], alerts.raised_total(concern));
    }
}
