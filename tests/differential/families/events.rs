//! One client hears of every change to keys that the others make, in classes that change too.

use super::{bits, groups, hashes, keys, lists, sets, sorted_sets, sorts, streams, strings};
use crate::command::{Command, Compare};
use crate::crowd::{Action, Crowd};
use crate::fit::{is_fit, preface};
use crate::vocabulary::Gen;

/// Values of notify-keyspace-events, all sound: after a refused one Redis goes back to the text of
/// the last, which leaves out `n`.
const CLASSES: &[&str] = &[
    "KEA", "KEA", "KEAmn", "KEAmn", "KEn", "Em", "KEl$", "Kgl", "E$g", "Elx", "KEth", "KEs", "KEz",
    "K", "",
];

/// The next action: the first client listens, the others change things.
pub fn next_action(g: &mut Gen, crowd: &Crowd) -> Action {
    if g.rng.percent(3) {
        let pattern = *g
            .rng
            .pick(&["__key*__:*", "__keyevent@*", "__keyspace@0__:l*"]);
        return Action::Send(0, vec![Command::new("PSUBSCRIBE").arg(pattern)]);
    }
    let client = 1 + g.rng.below(crowd.len() - 1);
    if g.rng.percent(3) {
        let classes = *g.rng.pick(CLASSES);
        let set = Command::words("CONFIG SET notify-keyspace-events").arg(classes);
        return Action::Send(client, vec![set]);
    }
    loop {
        let commands = match g.rng.below(12) {
            0 => lists::COMMANDS,
            1 => strings::COMMANDS,
            2 => streams::COMMANDS,
            3 => groups::COMMANDS,
            4 => hashes::COMMANDS,
            5 => sets::COMMANDS,
            6 => sorted_sets::COMMANDS,
            7 => sorts::COMMANDS,
            8 => bits::COMMANDS,
            _ => keys::COMMANDS,
        };
        let entry = g.rng.weighted(commands.iter().map(|(weight, _)| *weight));
        let command = commands[entry].1(g);
        let followers: Vec<Command> = g.queued.drain(..).collect();
        // A settled id needs the two to stay together; a setting of nodes would outlast the round.
        let exact = followers.iter().all(|one| one.compare == Compare::Exact);
        if is_fit(&command) && exact && command.args[0] != b"CONFIG" {
            let first = preface(&command).into_iter().chain([command]);
            return Action::Send(client, first.chain(followers).collect());
        }
    }
}
