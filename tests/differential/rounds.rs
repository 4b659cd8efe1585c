//! Rounds of random actions by a crowd, and the search for the shortest script to a difference.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::command::Command;
use crate::crowd::{Action, Crowd, Rest};
use crate::plain::{Pair, Plan};
use crate::shrink::shortest;
use crate::vocabulary::Gen;
use crate::wire::patience;

/// Clients at once.
const CLIENTS: usize = 8;

/// Actions after which everything starts anew, so that a difference can be replayed.
const ACTIONS_PER_ROUND: usize = 300;

/// How long silence may last in a replay: where it is the difference, each one costs this much.
const REPLAY_PATIENCE: Duration = Duration::from_millis(400);

/// Draws the next action.
pub type Next = fn(&mut Gen, &Crowd) -> Action;

/// Runs random actions; gives a report of the differences, empty when there are none.
pub fn run(pair: Pair, rest: Rest, plan: &Plan, next: Next) -> String {
    let mut g = Gen::new(plan.seed);
    let mut done = 0;
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    while done < plan.commands && found.len() < plan.differences_max {
        let mut crowd = Crowd::fresh(pair, rest, CLIENTS, patience());
        let mut history = Vec::new();
        for _ in 0..ACTIONS_PER_ROUND {
            let action = loop {
                let action = next(&mut g, &crowd);
                if !is_left_out(&action, plan) {
                    break action;
                }
            };
            history.push(action.clone());
            done += 1;
            if let Some(text) = crowd.act(&action) {
                drop(crowd);
                let name = name_of(&action);
                found.entry(name).or_insert_with_key(|name| {
                    let report = explained(pair, rest, plan.seed, &history, &text);
                    println!("== {name}\n{report}");
                    report
                });
                break;
            }
        }
    }
    found
        .into_iter()
        .fold(String::new(), |mut text, (name, report)| {
            let _ = writeln!(text, "== {name}\n{report}");
            text
        })
}

fn is_left_out(action: &Action, plan: &Plan) -> bool {
    match action {
        Action::Send(_, commands) => commands
            .iter()
            .any(|command| plan.skipped.contains(&command.full_name())),
        Action::Leave(_) => false,
    }
}

fn name_of(action: &Action) -> String {
    match action {
        Action::Send(_, commands) => commands[0].full_name(),
        Action::Leave(_) => "a disconnection".to_owned(),
    }
}

fn explained(pair: Pair, rest: Rest, seed: u64, history: &[Action], text: &str) -> String {
    let differs = |actions: &[Action]| -> Option<String> {
        let mut crowd = Crowd::fresh(pair, rest, CLIENTS, REPLAY_PATIENCE);
        for (index, action) in actions.iter().enumerate() {
            if let Some(text) = crowd.act(action) {
                return (index + 1 == actions.len()).then_some(text);
            }
        }
        None
    };
    let mut out = format!("seed {seed}\n{text}");
    if let Some((actions, text)) = shortest(history, differs) {
        let _ = writeln!(out, "  shortest script (odd clients speak RESP3):");
        for action in &actions {
            let _ = writeln!(out, "    {}", described(action));
        }
        out.push_str(&text);
        return out;
    }
    let _ = writeln!(out, "  (a replay does not differ) the last actions:");
    for action in &history[history.len().saturating_sub(40)..] {
        let _ = writeln!(out, "    {}", described(action));
    }
    out
}

fn described(action: &Action) -> String {
    match action {
        Action::Send(client, commands) => {
            let lines: Vec<String> = commands.iter().map(Command::shown).collect();
            format!("[{client}] {}", lines.join(" ; "))
        }
        Action::Leave(client) => format!("[{client}] (disconnects)"),
    }
}
