//! The results as a table for people.

use std::fmt::Write as _;

use super::figures::{Figures, LATE};
use super::results::{Results, Run, label};

const TITLES: [&str; 7] = [
    "per second",
    "CPU us/op",
    "p50 us",
    "p90 us",
    "p99 us",
    "p99.9 us",
    "max us",
];
const NAME: usize = 20;
/// A client that sends later than this, one time in a hundred, measures itself.
const LATE_US: f64 = 1000.0;

/// The table: a row for each test and server, and one of ratios for two servers.
pub fn table(results: &Results) -> String {
    let mut text = String::new();
    for (index, peer) in results.peers.iter().enumerate() {
        let place = match peer.pid {
            Some(pid) => format!("process {pid}"),
            None => "not on this machine, so without CPU".to_owned(),
        };
        let role = if index == 0 { "" } else { "against " };
        put(
            &mut text,
            &format!("{role}{} at {}, {place}", peer.name, peer.target.name),
        );
    }
    let titles = TITLES.map(|title| format!("{title:>11}")).concat();
    put(
        &mut text,
        &format!("\n{:NAME$}{:16}{titles}", "test", "server"),
    );
    for (index, plan) in results.plans.iter().enumerate() {
        for (server, peer) in results.peers.iter().enumerate() {
            let Some(median) = results.median(index, server) else {
                continue;
            };
            let name = if server == 0 {
                label(plan)
            } else {
                String::new()
            };
            put(&mut text, &row(&name, &peer.name, median, cell));
        }
        if let Some(ratio) = results.ratio(index) {
            put(
                &mut text,
                &row("", "ratio", ratio, |_, value| format!("{value:.2}")),
            );
        }
    }
    text.push('\n');
    for run in &results.runs {
        remarks(results, run, &mut text);
    }
    if results.is_clean() {
        put(&mut text, "every message came once and in order");
    }
    text
}

fn put(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn row(name: &str, server: &str, figures: Figures, cell: fn(usize, f64) -> String) -> String {
    let mut line = format!("{name:NAME$}{server:16}");
    for (index, figure) in figures.0[..TITLES.len()].iter().enumerate() {
        let text = figure.map_or_else(|| "-".to_owned(), |figure| cell(index, figure));
        // Writing to a String does not fail.
        let _ = write!(line, "{text:>11}");
    }
    line
}

fn cell(index: usize, value: f64) -> String {
    match index {
        1 => format!("{value:.3}"),
        _ => format!("{value:.0}"),
    }
}

/// What was not as it should be in a run.
fn remarks(results: &Results, run: &Run, text: &mut String) {
    let peer = &results.peers[run.server].name;
    let name = format!(
        "{} on {peer}, round {}",
        label(&results.plans[run.plan]),
        run.round
    );
    let tally = &run.measured.tally;
    if !run.measured.verdict.is_clean() {
        put(text, &format!("{name}: {}", run.measured.verdict));
    }
    if let Some(error) = &tally.first_error {
        put(
            text,
            &format!("{name}: {} errors, the first: {error}", tally.errors),
        );
    }
    let late = Figures::of(&run.measured).0[LATE].unwrap_or(0.0);
    if late > LATE_US {
        let advice = "the rate is more than this client can send, or it lacks a core of its own";
        put(
            text,
            &format!("{name}: 1% was sent more than {late:.0} us late; {advice}"),
        );
    }
}
