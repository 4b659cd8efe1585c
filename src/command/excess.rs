//! Clients whose buffers hold more than they may, looked at once a second.
//!
//! A connection bounds by itself what it reads and answers. This ends those that stay full, by
//! `client-output-buffer-limit`, and the largest while all together are over `maxmemory-clients`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clients::Client;
use crate::clock::Now;
use crate::config::{OutputLimit, PubsubOverflow};
use crate::outbox::{CloseReason, WakeList};

use super::engine::Engine;

/// Time between two looks, in microseconds.
const PAUSE_US: u64 = 1_000_000;

/// Looks at all clients, if it is time.
pub(super) fn end_excess(engine: &Engine, now: Now) {
    let looked_us = engine.excess_looked_us.load(Ordering::Relaxed);
    if now.mono_us < looked_us.saturating_add(PAUSE_US) {
        return;
    }
    engine
        .excess_looked_us
        .store(now.mono_us, Ordering::Relaxed);
    let mut wakes = WakeList::default();
    let clients = engine.clients.all();
    for client in &clients {
        if is_over(engine, client, now) {
            tracing::warn!(
                client = client.id,
                "it does not read: output buffer limit reached"
            );
            client.mailbox.close(CloseReason::TooMuch, &mut wakes);
        }
    }
    evict(engine, clients, &mut wakes);
    wakes.wake();
}

/// Whether a client's replies or messages are beyond its class's limits.
fn is_over(engine: &Engine, client: &Client, now: Now) -> bool {
    let live = engine.config.live();
    let limit = if client.subscriptions_len() == 0 {
        live.output_limit_normal()
    } else if live.pubsub_overflow() == PubsubOverflow::Disconnect {
        live.output_limit_pubsub()
    } else {
        // Its outbox lets go of messages instead.
        OutputLimit::default()
    };
    let waits_bytes = client.waiting_bytes() as u64;
    let is_over = |bound_bytes: u64| bound_bytes > 0 && waits_bytes > bound_bytes;
    if !is_over(limit.soft_bytes) {
        client.full_since_us.store(0, Ordering::Relaxed);
        return is_over(limit.hard_bytes);
    }
    let since_us = match client.full_since_us.load(Ordering::Relaxed) {
        0 => {
            client.full_since_us.store(now.mono_us, Ordering::Relaxed);
            now.mono_us
        }
        since_us => since_us,
    };
    let full_us = now.mono_us.saturating_sub(since_us);
    is_over(limit.hard_bytes) || full_us > u64::from(limit.soft_s) * 1_000_000
}

/// Ends the largest clients while all together hold more than they may.
fn evict(engine: &Engine, mut clients: Vec<Arc<Client>>, wakes: &mut WakeList) {
    let limit_bytes = engine.config.live().maxmemory_clients_bytes();
    if limit_bytes == 0 {
        return;
    }
    let held_bytes = |client: &Arc<Client>| client.memory_bytes() as u64;
    let mut sum_bytes: u64 = clients.iter().map(held_bytes).sum();
    if sum_bytes <= limit_bytes {
        return;
    }
    clients.retain(|client| !client.no_evict.load(Ordering::Relaxed));
    clients.sort_by_cached_key(held_bytes);
    while sum_bytes > limit_bytes
        && let Some(client) = clients.pop()
    {
        tracing::warn!(client = client.id, "evicted: clients hold too much memory");
        sum_bytes -= held_bytes(&client).min(sum_bytes);
        client.mailbox.close(CloseReason::TooMuch, wakes);
        engine.evicted_clients.add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::command::testing::{Bench, Player};

    fn is_ended(player: &Player) -> bool {
        player.session.client.mailbox.is_notified()
    }

    fn holds(player: &Player, bytes: usize) {
        player
            .session
            .client
            .output_bytes
            .store(bytes, Ordering::Relaxed);
    }

    #[test]
    fn who_does_not_read_is_ended_at_once_or_after_a_while() {
        let mut bench = Bench::new();
        bench
            .engine
            .config
            .set(&[("client-output-buffer-limit", "normal 2000 1000 3")])
            .expect("a valid setting");
        let (little, soft, hard) = (bench.client(), bench.client(), bench.client());
        holds(&little, 1000);
        holds(&soft, 1500);
        holds(&hard, 2001);
        bench.look_at_clients();
        assert!(is_ended(&hard) && !is_ended(&soft) && !is_ended(&little));
        for _ in 0..3 {
            bench.pass(1000);
            bench.look_at_clients();
        }
        assert!(!is_ended(&soft), "not longer than it may");
        bench.pass(1000);
        bench.look_at_clients();
        assert!(is_ended(&soft) && !is_ended(&little));
    }

    #[test]
    fn one_connection_asks_for_so_much_and_no_more() {
        let bench = Bench::new();
        for limit in ["subscriptions", "watched-keys", "blocked-keys"] {
            bench.run(&format!("CONFIG SET client-{limit}-limit 2"));
        }
        let mut player = bench.client();
        for (command, starts) in [
            ("WATCH a b", "+OK"),
            (
                "WATCH c",
                "-ERR too many keys to watch (client-watched-keys-limit)",
            ),
            ("UNWATCH", "+OK"),
            (
                "BLPOP a b c 1",
                "-ERR too many keys to wait for (client-blocked-keys-limit)",
            ),
            ("SUBSCRIBE a", "*3 $9 subscribe $1 a :1"),
            (
                "PSUBSCRIBE b c",
                "-ERR too many subscriptions for one connection",
            ),
            ("PSUBSCRIBE b", "*3 $10 psubscribe $1 b :2"),
            (
                "SSUBSCRIBE d",
                "-ERR too many subscriptions for one connection",
            ),
        ] {
            let answer = bench.play(&mut player, command);
            assert!(answer.starts_with(starts), "{command}: {answer}");
        }
        assert_eq!(bench.play(&mut bench.client(), "BLPOP a b 1"), "(blocked)");
    }

    #[test]
    fn a_transaction_is_bounded_like_a_request() {
        let bench = Bench::new();
        bench.run("CONFIG SET client-query-buffer-limit 1mb");
        let mut player = bench.client();
        bench.play(&mut player, "MULTI");
        let set = format!("SET a {}", "x".repeat(400_000));
        assert_eq!(bench.play(&mut player, &set), "+QUEUED");
        assert_eq!(bench.play(&mut player, &set), "+QUEUED");
        assert_eq!(bench.play(&mut player, &set), "(close)");
    }

    #[test]
    fn names_that_a_client_gives_are_counted() {
        let bench = Bench::new();
        let mut player = bench.client();
        let bytes = |player: &Player| player.session.client.memory_bytes();
        let before = bytes(&player);
        let long = "x".repeat(10_000);
        for (give, take) in [
            ("CLIENT SETNAME LONG", "CLIENT SETNAME ''"),
            ("CLIENT SETINFO LIB-NAME LONG", "CLIENT SETINFO LIB-NAME ''"),
            ("WATCH LONG k LONG", "UNWATCH"),
            ("SUBSCRIBE LONG c LONG", "UNSUBSCRIBE"),
            ("PSUBSCRIBE LONG", "PUNSUBSCRIBE LONG c"),
            ("SSUBSCRIBE LONG", "RESET"),
        ] {
            bench.play(&mut player, &give.replace("LONG", &long));
            let with = bytes(&player) - before;
            assert!((10_000..10_200).contains(&with), "{give}: {with}");
            bench.play(&mut player, &take.replace("LONG", &long));
            assert_eq!(bytes(&player), before, "{take}");
        }
    }

    #[test]
    fn the_largest_are_evicted() {
        let bench = Bench::new();
        assert_eq!(bench.run("CONFIG SET maxmemory-clients 1mb"), "+OK");
        let (small, large, spared) = (bench.client(), bench.client(), bench.client());
        holds(&small, 300_000);
        holds(&large, 400_000);
        holds(&spared, 500_000);
        spared
            .session
            .client
            .no_evict
            .store(true, Ordering::Relaxed);
        bench.look_at_clients();
        assert!(is_ended(&large) && !is_ended(&small) && !is_ended(&spared));
        assert!(bench.run("INFO stats").contains("evicted_clients:1 "));
    }
}
