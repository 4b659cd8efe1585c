//! What INFO reads before it writes: one walk of the shards and one of the clients.

use std::sync::atomic::Ordering::Relaxed;

use crate::clock::Now;
use crate::command::weir::Totals;
use crate::command::{Call, Engine};
use crate::limits::DATABASES;

use super::backlog::Backlogs;

/// One database.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Database {
    pub(super) keys_len: usize,
    pub(super) expiring_len: usize,
    pub(super) timed_len: usize,
    deadlines_sum_ms: u128,
}

impl Database {
    /// How long keys with a deadline have left on average, in milliseconds.
    pub(super) fn ttl_mean_ms(&self, now_ms: u64) -> u128 {
        let mean = self.deadlines_sum_ms.checked_div(self.expiring_len as u128);
        mean.unwrap_or(0).saturating_sub(u128::from(now_ms))
    }
}

/// All clients together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clients {
    pub(super) len: usize,
    pub(super) subscribers_len: usize,
    pub(super) watchers_len: usize,
    pub(super) watched_len: usize,
    pub(super) input_bytes_max: usize,
    pub(super) output_bytes_max: usize,
    pub(super) buffers_bytes: usize,
}

/// What the sections are written from.
#[derive(Debug)]
pub(super) struct Facts<'e> {
    pub(super) engine: &'e Engine,
    pub(super) now: Now,
    pub(super) databases: [Database; DATABASES],
    pub(super) expired_total: u64,
    pub(super) expired_fields_total: u64,
    pub(super) waited_keys_len: usize,
    pub(super) removal_waited_keys_len: usize,
    pub(super) clients: Clients,
    pub(super) totals: Totals,
    /// Only where they are asked for: they cost a walk over all queues.
    pub(super) backlogs: Option<Backlogs>,
}

impl<'e> Facts<'e> {
    pub(super) fn gather(call: &mut Call<'_, 'e>) -> Self {
        let mut databases = [Database::default(); DATABASES];
        let (mut expired_total, mut expired_fields_total, mut waited_keys_len) = (0, 0, 0);
        let mut removal_waited_keys_len = 0;
        let mut totals = Totals::default();
        let now_ms = call.now_ms();
        call.each_shard(|_, shard| {
            expired_total += shard.expired_total;
            expired_fields_total += shard.expired_fields_total;
            waited_keys_len += shard.lines.len();
            removal_waited_keys_len += shard.lines.watched_for_removal_len();
            for (db, database) in (0..).zip(&mut databases) {
                database.keys_len += shard.live_len(db, now_ms);
                database.expiring_len += shard.expiring_len(db);
                database.timed_len += shard.timed_len(db);
                database.deadlines_sum_ms += shard.deadlines_sum_ms(db);
            }
            totals.add_shard(shard);
        });
        totals.add_outboxes(call.engine);
        Self {
            engine: call.engine,
            now: call.now,
            databases,
            expired_total,
            expired_fields_total,
            waited_keys_len,
            removal_waited_keys_len,
            clients: clients(call.engine),
            totals,
            backlogs: None,
        }
    }

    /// Seconds since the server started.
    pub(super) fn uptime_s(&self) -> u64 {
        self.now.mono_us.saturating_sub(self.engine.started.mono_us) / 1_000_000
    }
}

fn clients(engine: &Engine) -> Clients {
    let mut sum = Clients::default();
    for client in engine.clients.all() {
        let input_bytes = client.query_bytes.load(Relaxed);
        let output_bytes = client.output_bytes.load(Relaxed) + client.mailbox.backlog_bytes();
        let watched_len = client.watched_len.load(Relaxed);
        sum.len += 1;
        sum.subscribers_len += usize::from(client.subscriptions_len() > 0);
        sum.watchers_len += usize::from(watched_len > 0);
        sum.watched_len += watched_len;
        sum.input_bytes_max = sum.input_bytes_max.max(input_bytes);
        sum.output_bytes_max = sum.output_bytes_max.max(output_bytes);
        sum.buffers_bytes += input_bytes + output_bytes;
    }
    sum
}
