//! The results for programs.

use std::fmt::Write as _;

use super::figures::{Figures, NAMES};
use super::results::{Results, Run};

/// Grows when a member changes its meaning or goes.
const VERSION: u32 = 1;

/// All runs, and the ratios of medians.
pub fn json(results: &Results) -> String {
    let servers = results.peers.iter().map(|peer| {
        object(&[
            ("address", quoted(&peer.target.name)),
            ("name", quoted(&peer.name)),
            ("pid", peer.pid.map_or_else(null, |pid| pid.to_string())),
        ])
    });
    let runs = results.runs.iter().map(|run| of_run(results, run));
    let medians = (0..results.plans.len()).flat_map(|plan| {
        (0..results.peers.len()).filter_map(move |server| {
            let figures = results.median(plan, server)?;
            Some(of_figures(results, plan, &server.to_string(), figures))
        })
    });
    let ratios = (0..results.plans.len()).filter_map(|plan| {
        let figures = results.ratio(plan)?;
        Some(of_figures(results, plan, "\"0/1\"", figures))
    });
    let text = object(&[
        ("weir_bench", VERSION.to_string()),
        ("servers", array(servers)),
        ("runs", array(runs)),
        ("medians", array(medians)),
        ("ratios", array(ratios)),
        ("clean", results.is_clean().to_string()),
    ]);
    text + "\n"
}

fn of_run(results: &Results, run: &Run) -> String {
    let plan = &results.plans[run.plan];
    let tally = &run.measured.tally;
    let verdict = run.measured.verdict;
    let rate = plan.rate.map_or_else(null, |rate| rate.to_string());
    let error = tally.first_error.as_deref().map_or_else(null, quoted);
    let mut members = vec![
        ("test", quoted(&plan.name())),
        ("pipeline", plan.pipeline.to_string()),
        ("rate", rate),
        ("connections", plan.connections.to_string()),
        ("size", plan.size.to_string()),
        ("server", run.server.to_string()),
        ("round", run.round.to_string()),
        ("sent", tally.sent.to_string()),
        ("done", tally.done.to_string()),
        ("measured", run.measured.operations.to_string()),
        ("elapsed_us", run.measured.elapsed_us.to_string()),
        ("lost", verdict.lost.to_string()),
        ("duplicated", verdict.duplicated.to_string()),
        ("out_of_order", verdict.out_of_order.to_string()),
        ("strange", verdict.strange.to_string()),
        ("errors", tally.errors.to_string()),
        ("first_error", error),
    ];
    members.extend(members_of(Figures::of(&run.measured)));
    object(&members)
}

fn of_figures(results: &Results, plan: usize, server: &str, figures: Figures) -> String {
    let plan = &results.plans[plan];
    let mut members = vec![
        ("test", quoted(&plan.name())),
        ("pipeline", plan.pipeline.to_string()),
        ("server", server.to_owned()),
    ];
    members.extend(members_of(figures));
    object(&members)
}

fn members_of(figures: Figures) -> impl Iterator<Item = (&'static str, String)> {
    NAMES.into_iter().zip(figures.0.map(|figure| {
        figure
            .filter(|figure| figure.is_finite())
            .map_or_else(null, |figure| format!("{figure:.4}"))
    }))
}

fn null() -> String {
    "null".to_owned()
}

fn array(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[\n{}\n]", items.join(",\n"))
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}: {value}", quoted(name)))
        .collect();
    format!("{{{}}}", members.join(", "))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            // Writing to a String does not fail.
            '\0'..='\x1f' => _ = write!(quoted, "\\u{:04x}", u32::from(letter)),
            _ => quoted.push(letter),
        }
    }
    quoted + "\""
}
