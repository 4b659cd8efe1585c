//! The JSON behind the dashboard, for others to read as well.

use std::sync::atomic::Ordering::Relaxed;

use crate::clock::Now;
use crate::command::Engine;
use crate::command::alerts::Alert;
use crate::command::backlog::{
    Fact, Named, Order, Row, Survey, Wanted, facts_of, facts_of_sums, glance_at,
};
use crate::pubsub::{ChannelSight, Space};

use super::query;

/// Queues that are named if the request does not say how many.
const ROWS_DEFAULT: usize = 100;
/// Most queues that one answer names.
const ROWS_MAX: usize = 10_000;
/// Alerts in an answer; it says how many there are.
const ALERTS_MAX: usize = 100;
/// Channels that are named.
const CHANNELS_MAX: usize = 100;
/// Messages that are shown from each end of a queue.
const PEEKED_MAX: usize = 20;

/// Whether the server is about to end.
pub fn is_stopping(engine: &Engine) -> bool {
    engine.is_shutting_down.load(Relaxed)
}

/// What concerns the whole process.
fn server(engine: &Engine, now: Now) -> Fact {
    let rates = engine.rates.lock().per_second();
    let address = engine.addresses.lock().first().cloned();
    Fact::Map(vec![
        ("version", Fact::Text(env!("CARGO_PKG_VERSION").into())),
        (
            "address",
            Fact::Text(address.unwrap_or_default().into_bytes()),
        ),
        ("now_ms", Fact::Count(now.unix_ms)),
        (
            "uptime_s",
            Fact::Count(now.mono_us.saturating_sub(engine.started.mono_us) / 1_000_000),
        ),
        ("health", Fact::Text(engine.health().name().into())),
        ("workers", Fact::Count(engine.workers.len() as u64)),
        ("clients", Fact::Count(engine.clients.all().len() as u64)),
        (
            "blocked_clients",
            Fact::Count(engine.blocked_clients_len.load(Relaxed) as u64),
        ),
        (
            "resident_bytes",
            Fact::Count(engine.resident_bytes.load(Relaxed)),
        ),
        (
            "budget_bytes",
            Fact::Count(engine.config.live().maxmemory_bytes()),
        ),
        ("commands_per_s", Fact::Count(rates.commands)),
        ("received_bytes_per_s", Fact::Count(rates.received_bytes)),
        ("sent_bytes_per_s", Fact::Count(rates.sent_bytes)),
    ])
}

/// The sums of everything; `None` while a script has a claim to the shards.
pub fn pulse(engine: &Engine, now: Now) -> Option<Fact> {
    let wanted = Wanted {
        limit: 0,
        ..Wanted::default()
    };
    let survey = Survey::new(wanted, now).walk(engine)?;
    Some(Fact::Map(vec![
        ("server", server(engine, now)),
        ("totals", Fact::Map(facts_of_sums(&survey.sums))),
    ]))
}

fn row(row: &Row) -> Fact {
    let mut facts = facts_of(row);
    facts.insert(0, ("db", Fact::Count(row.db.into())));
    Fact::Map(facts)
}

/// What a name is that clients subscribe to.
pub fn kind_of(sight: &ChannelSight) -> &'static str {
    match sight.space {
        Some(Space::Global) => "channel",
        Some(Space::Shard) => "shard channel",
        None => "pattern",
    }
}

fn channel(sight: &ChannelSight) -> Fact {
    Fact::Map(vec![
        ("name", Fact::Text(sight.name.to_vec())),
        ("type", Fact::Text(kind_of(sight).into())),
        ("subscribers", Fact::Count(sight.subscribers)),
        ("published", Fact::Count(sight.traffic.published)),
        ("delivered", Fact::Count(sight.traffic.delivered)),
        ("dropped", Fact::Count(sight.traffic.dropped)),
        (
            "outbox_bytes_max",
            Fact::Count(sight.outbox_bytes_max as u64),
        ),
    ])
}

/// Channels with those that lose most in front, then those whose subscribers are slowest.
pub fn channels(engine: &Engine) -> Vec<ChannelSight> {
    let mut sights = engine.pubsub.survey();
    sights.sort_by(|a, b| {
        let rank = |of: &ChannelSight| (of.traffic.dropped, of.outbox_bytes_max, of.subscribers);
        rank(b).cmp(&rank(a)).then_with(|| a.name.cmp(&b.name))
    });
    sights.truncate(CHANNELS_MAX);
    sights
}

/// Subscribers that have something waiting or have lost something, the worst first.
fn slow_subscribers(engine: &Engine) -> Vec<Fact> {
    let mut slow: Vec<_> = engine
        .clients
        .all()
        .into_iter()
        .filter(|client| client.subscriptions_len() > 0)
        .map(|client| {
            (
                client.mailbox.dropped_messages(),
                client.mailbox.backlog_bytes(),
                client,
            )
        })
        .filter(|(dropped, waiting_bytes, _)| *dropped > 0 || *waiting_bytes > 0)
        .collect();
    slow.sort_by_key(|(dropped, waiting_bytes, _)| std::cmp::Reverse((*dropped, *waiting_bytes)));
    let facts = slow.iter().take(CHANNELS_MAX).map(|(dropped, _, client)| {
        let held = client.mailbox.ledger().held;
        Fact::Map(vec![
            ("id", Fact::Count(client.id)),
            ("address", Fact::Text(client.address.as_bytes().to_vec())),
            ("name", Fact::Text(client.identity.lock().name.clone())),
            (
                "subscriptions",
                Fact::Count(client.subscriptions_len() as u64),
            ),
            ("waiting", Fact::Count(held.messages)),
            ("waiting_bytes", Fact::Count(held.bytes)),
            ("dropped", Fact::Count(*dropped)),
        ])
    });
    facts.collect()
}

/// Looks at everything that is named once more, for all that is measured.
pub fn rows(engine: &Engine, named: &[Named], now: Now) -> Option<Vec<Row>> {
    let rows = named.iter().map(|named| {
        let found = glance_at(engine, (named.db, &named.name), now, 0);
        found.map(|(row, _)| row)
    });
    rows.collect()
}

/// `/api/backlog?match=&sort=&limit=&db=`
pub fn backlog(engine: &Engine, query: &str, now: Now) -> Option<String> {
    let pattern = query::value(query, "match").filter(|pattern| !pattern.is_empty());
    let order = query::value(query, "sort").and_then(|sort| Order::parse(&sort));
    let limit = query::number(query, "limit").and_then(|limit| usize::try_from(limit).ok());
    let wanted = Wanted {
        db: query::number(query, "db").and_then(|db| u8::try_from(db).ok()),
        pattern: pattern.as_deref().unwrap_or(b"*"),
        order: order.unwrap_or_default(),
        limit: limit.unwrap_or(ROWS_DEFAULT).min(ROWS_MAX),
    };
    let mut survey = Survey::new(wanted, now).walk(engine)?;
    let named = survey.named();
    let rows = rows(engine, &named, now)?;
    let policies = survey.by_policy().map(|(pattern, sums)| {
        let mut facts = facts_of_sums(sums);
        facts.insert(0, ("policy", Fact::Text(pattern.to_vec())));
        Fact::Map(facts)
    });
    let alerts = engine.alerts.lock();
    let raised = alerts.raised().take(ALERTS_MAX).map(Alert::facts).collect();
    let raised_len = alerts.raised_len() as u64;
    drop(alerts);
    let answer = Fact::Map(vec![
        ("server", server(engine, now)),
        ("totals", Fact::Map(facts_of_sums(&survey.sums))),
        ("drops", drops(&survey)),
        ("policies", Fact::List(policies.collect())),
        ("alerts", Fact::List(raised)),
        ("alerts_len", Fact::Count(raised_len)),
        ("queues", Fact::List(rows.iter().map(row).collect())),
        (
            "channels",
            Fact::List(channels(engine).iter().map(channel).collect()),
        ),
        ("slow_subscribers", Fact::List(slow_subscribers(engine))),
    ]);
    Some(answer.to_json())
}

/// What all queues and streams together lost, by cause.
fn drops(survey: &Survey<'_>) -> Fact {
    let lost = survey.lost();
    let lost = lost.map(|(cause, lost)| (cause.name(), Fact::Count(lost.messages)));
    Fact::Map(lost.collect())
}

/// `/api/queue?db=&name=`: one queue or stream, the distribution of its waiting times, and what
/// lies at its ends. Nothing is taken.
pub fn queue(engine: &Engine, query: &str, now: Now) -> Option<String> {
    let db = query::number(query, "db").and_then(|db| u8::try_from(db).ok());
    let name = query::value(query, "name").unwrap_or_default();
    let (found, messages) = glance_at(engine, (db.unwrap_or(0), &name), now, PEEKED_MAX)?;
    let steps = found.backlog.wait_steps.iter().map(|&(until_ms, count)| {
        Fact::Map(vec![
            ("until_ms", Fact::Count(until_ms)),
            ("messages", Fact::Count(count)),
        ])
    });
    let shown = messages.into_iter().map(|message| {
        Fact::Map(vec![
            ("at", Fact::Text(message.place.into_bytes())),
            ("age_ms", Fact::Count(message.age_ms)),
            ("bytes", Fact::Count(message.bytes)),
            ("text", Fact::Text(message.head)),
        ])
    });
    let answer = Fact::Map(vec![
        ("queue", row(&found)),
        ("waits", Fact::List(steps.collect())),
        ("messages", Fact::List(shown.collect())),
    ]);
    Some(answer.to_json())
}
