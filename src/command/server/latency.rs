//! LATENCY: events that took long, and how long commands take.

use std::fmt::Write as _;

use crate::flags;
use crate::metrics::Distribution;
use crate::protocol::Args;

use super::super::call::Call;
use super::super::error::Error;
use super::super::latency::Spikes;
use super::super::outcome::{Outcome, Result};
use super::super::spec::Command;
use super::super::table::table;
use super::as_integer;

/// LATENCY and its subcommands.
#[rustfmt::skip]
pub(super) const LATENCY: Command =
    container!("latency", "server", "2.8.13", "A container for latency diagnostics commands.", [
        row!("latest", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.8.13",
            "Returns the latest latency samples for all events.", latest),
        row!("history", 3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.8.13",
            "Returns timestamp-latency samples for an event.", history),
        row!("reset", -2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.8.13",
            "Resets the latency data for one or more events.", reset),
        row!("graph", 3, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.8.13",
            "Returns a latency graph for an event.", graph),
        row!("histogram", -2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "7.0.0",
            "Returns the cumulative distribution of latencies of a subset or all commands.", histogram),
        row!("doctor", 2, flags![ADMIN, NOSCRIPT, LOADING, STALE], "2.8.13",
            "Returns a human-readable latency analysis report.", doctor),
    ]);

/// LATENCY LATEST
fn latest(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let events = call.engine.latency.all();
    call.reply.array(events.len());
    for (event, spikes) in events {
        let (unix_s, took_ms) = spikes.samples.back().copied().unwrap_or_default();
        call.reply.array(4);
        call.reply.bulk_str(event);
        for number in [unix_s, took_ms, spikes.worst_ms] {
            call.reply.integer(as_integer(number));
        }
    }
    Ok(Outcome::Done)
}

/// LATENCY HISTORY event
fn history(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let spikes = call.engine.latency.get(args.at(2)).unwrap_or_default();
    call.reply.array(spikes.samples.len());
    for (unix_s, took_ms) in spikes.samples {
        call.reply.array(2);
        call.reply.integer(as_integer(unix_s));
        call.reply.integer(as_integer(took_ms));
    }
    Ok(Outcome::Done)
}

/// LATENCY RESET [event [event ...]]
fn reset(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let wanted = |event: &str| args.len() == 2 || args.from(2).any(|name| name == event.as_bytes());
    let removed = call.engine.latency.reset(wanted);
    call.reply.integer(as_integer(removed));
    Ok(Outcome::Done)
}

/// LATENCY GRAPH event
fn graph(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let Some(spikes) = call.engine.latency.get(args.at(2)) else {
        let line = [b"ERR No samples available for event '", args.at(2), b"'"];
        return Err(Error::Bytes(line.concat()));
    };
    let event = String::from_utf8_lossy(args.at(2));
    let text = draw(&event, &spikes, call.now.unix_ms / 1000);
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

/// A bar for each sample, the oldest at the top, with its age.
fn draw(event: &str, spikes: &Spikes, now_s: u64) -> String {
    const WIDTH: u64 = 60;
    let sample_max_ms = spikes.samples.iter().map(|(_, took_ms)| *took_ms).max();
    let sample_min_ms = spikes.samples.iter().map(|(_, took_ms)| *took_ms).min();
    let (high_ms, low_ms) = (
        sample_max_ms.unwrap_or(0).max(1),
        sample_min_ms.unwrap_or(0),
    );
    let mut text = format!(
        "{event} - high {high_ms} ms, low {low_ms} ms (all time high {} ms)\n",
        spikes.worst_ms
    );
    for (unix_s, took_ms) in &spikes.samples {
        let age_s = now_s.saturating_sub(*unix_s);
        let bar = "#".repeat(usize::try_from((took_ms * WIDTH / high_ms).max(1)).unwrap_or(1));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{age_s:>7}s ago {took_ms:>6} ms {bar}");
    }
    text
}

/// LATENCY HISTOGRAM [command [command ...]]
fn histogram(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let is_named = |name: &str| {
        let container = name.split('|').next().unwrap_or(name);
        args.from(2).any(|arg| {
            arg.eq_ignore_ascii_case(name.as_bytes())
                || arg.eq_ignore_ascii_case(container.as_bytes())
        })
    };
    let later = call.reply.array_later();
    let mut shown = 0;
    for index in 0..table().stats_len() {
        let name = table().name(index);
        if args.len() > 2 && !is_named(name) {
            continue;
        }
        let mut times = Distribution::default();
        for worker in &call.engine.workers {
            worker.commands[index]
                .times
                .get()
                .into_iter()
                .for_each(|histogram| times.add(histogram));
        }
        if times.calls() > 0 {
            shown += 1;
            call.reply.bulk_str(name);
            write_distribution(call, &times);
        }
    }
    call.reply.close_map(later, shown);
    Ok(Outcome::Done)
}

fn write_distribution(call: &mut Call<'_, '_>, times: &Distribution) {
    let reply = &mut *call.reply;
    reply.map(2);
    reply.bulk_str("calls");
    reply.integer(as_integer(times.calls()));
    reply.bulk_str("histogram_usec");
    let powers = times.powers();
    reply.map(powers.len());
    for (bound_us, calls) in powers {
        reply.integer(as_integer(bound_us));
        reply.integer(as_integer(calls));
    }
}

/// LATENCY DOCTOR
fn doctor(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let threshold_ms = call.engine.config.live().latency_threshold_ms();
    let mut text = String::new();
    if threshold_ms == 0 {
        text.push_str(
            "Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns \
             it on.\n",
        );
    }
    let events = call.engine.latency.all();
    if events.is_empty() && threshold_ms > 0 {
        let _ = writeln!(text, "Nothing took {threshold_ms} ms or longer.");
    }
    for (event, spikes) in events {
        let len = spikes.samples.len() as u64;
        let sum_ms: u64 = spikes.samples.iter().map(|(_, took_ms)| took_ms).sum();
        let _ = writeln!(
            text,
            "{event}: {len} spikes of {} ms on average, the worst of {} ms. SLOWLOG GET shows \
             which commands are slow; LATENCY HISTORY {event} shows when.",
            sum_ms / len.max(1),
            spikes.worst_ms
        );
    }
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn spikes_are_listed_drawn_and_forgotten() {
        let bench = Bench::new();
        assert!(bench.run("LATENCY DOCTOR").contains("monitoring is off"));
        bench.engine.latency.note("command", 1_699_999_990, 30);
        bench.engine.latency.note("command", 1_699_999_999, 10);
        bench.engine.latency.note("fast-command", 1_699_999_999, 5);
        assert_eq!(
            bench.run("LATENCY LATEST"),
            "*2 *4 $7 command :1699999999 :10 :30 *4 $12 fast-command :1699999999 :5 :5"
        );
        assert_eq!(
            bench.run("LATENCY HISTORY command"),
            "*2 *2 :1699999990 :30 *2 :1699999999 :10"
        );
        assert_eq!(bench.run("LATENCY HISTORY nosuch"), "*0");
        let graph = bench.run("LATENCY GRAPH command");
        assert!(graph.contains("high 30 ms, low 10 ms (all time high 30 ms)"));
        assert!(graph.contains("10s ago     30 ms ####"));
        assert!(bench.run("LATENCY DOCTOR").contains("20 ms on average"));
        assert_eq!(bench.run("LATENCY RESET nosuch command"), ":1");
        assert_eq!(bench.run("LATENCY RESET"), ":1");
        assert_eq!(
            bench.run("LATENCY GRAPH command"),
            "-ERR No samples available for event 'command'"
        );
    }

    #[test]
    fn histograms_are_by_command_or_container() {
        let bench = Bench::new();
        bench.run("GET a");
        bench.run("CONFIG GET maxclients");
        let shown = bench.run("LATENCY HISTOGRAM get config nosuch");
        assert!(
            shown.starts_with("*4 $3 get *4 $5 calls :1 $14 histogram_usec *"),
            "{shown}"
        );
        assert!(shown.contains("$10 config|get"), "{shown}");
        assert_eq!(bench.run("LATENCY HISTOGRAM nosuch"), "*0");
    }
}
