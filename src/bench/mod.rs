//! `weir bench`: an open-loop load generator for any server that speaks the Redis protocol.
//!
//! A client of the wire that knows nothing of the server's inside. [`schedule`] says when a message
//! is due, [`shapes`] what is sent and what is made of replies, [`driver`] runs both over sockets,
//! [`verify`] checks that every message came once and in order. docs/BENCH.md tells how to use it.

mod driver;
mod figures;
mod json;
pub(crate) mod link;
mod options;
mod peer;
mod plot;
mod progress;
mod results;
mod schedule;
mod shapes;
mod stamp;
mod table;
mod tally;
mod verify;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::clock;
use link::Target;
use options::Options;
use peer::Peer;
use progress::Progress;
use results::{Results, Run};

/// The word on the command line that leads here.
pub const SUBCOMMAND: &str = "bench";

/// Runs `weir bench`; the first of `args` is the program's name. Gives the exit code: 0 if all was
/// measured and every message came once and in order, 1 if not, 2 for a command line that cannot be
/// read.
pub fn main(args: impl Iterator<Item = OsString>) -> u8 {
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            // Nothing is left to do for a reader that has gone.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    match measure(&options).and_then(|results| {
        write(&options, &results)?;
        Ok(results.is_clean())
    }) {
        Ok(is_clean) => u8::from(!is_clean),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "weir bench: {error:#}");
            1
        }
    }
}

/// Runs every test on every server, which take turns.
fn measure(options: &Options) -> Result<Results> {
    let mut results = Results {
        peers: options.targets.iter().map(meet).collect::<Result<_>>()?,
        plans: options.plans.clone(),
        runs: Vec::new(),
    };
    let mut progress = Progress::new(options.shows_progress);
    // Tells the messages of this run from what an earlier one may have left behind.
    let mut run = clock::now().unix_ms;
    for (index, plan) in options.plans.iter().enumerate() {
        for round in 1..=options.rounds {
            for (server, peer) in results.peers.iter().enumerate() {
                let name = format!(
                    "{} {} {round}/{}",
                    results::label(plan),
                    peer.name,
                    options.rounds
                );
                progress.begin(name.clone());
                run += 1;
                let stamp = u16::try_from(run % (1 << 16))?;
                let measured = driver::run(peer, plan, stamp, &mut progress);
                progress.clear();
                results.runs.push(Run {
                    plan: index,
                    server,
                    round,
                    measured: measured.with_context(|| name)?,
                });
            }
        }
    }
    Ok(results)
}

fn meet(target: &Target) -> Result<Peer> {
    Peer::meet(target).with_context(|| target.name.clone())
}

/// Prints the table, and writes the files that were asked for.
fn write(options: &Options, results: &Results) -> Result<()> {
    let is_json_printed = options.json.as_deref() == Some(Path::new("-"));
    if !is_json_printed {
        std::io::stdout().write_all(table::table(results).as_bytes())?;
    }
    let files = [
        (&options.json, json::json as fn(&Results) -> String),
        (&options.svg, plot::plot),
    ];
    for (path, text) in files {
        let Some(path) = path else { continue };
        let text = text(results);
        if path == Path::new("-") {
            std::io::stdout().write_all(text.as_bytes())?;
        } else {
            std::fs::write(path, text).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}
