//! What operators look at, over HTTP: metrics, health, the dashboard and the JSON behind it.
//!
//! Off the data path: a thread and a runtime of its own, so that a scrape of a hundred thousand
//! queues delays neither commands nor new connections by more than a shard is held. It only reads
//! ([`Engine`], by way of `command::backlog`), and knows no command.
//!
//! `listener` accepts and speaks HTTP, `router` finds who answers and who may ask, `metrics` writes
//! `OpenMetrics`, `api` JSON, `events` the stream of events, `page` is the dashboard; `patience`
//! gives up who does not read.

mod answer;
mod api;
mod events;
mod listener;
mod metrics;
mod page;
mod patience;
mod query;
mod router;
#[cfg(test)]
mod tests;

pub use listener::Http;
