//! `weir top`: how it goes with all queues, in a terminal.
//!
//! A client of the wire that knows nothing of the server's inside: it asks INFO and WEIR.BACKLOG
//! over the Redis port, so it works wherever `redis-cli` does, through any tunnel. `options` reads
//! the command line, `link` speaks to the server as `weir bench` does, `sight` is what was seen, `screen` the state of
//! what is shown, `view` draws it.

mod link;
mod options;
mod screen;
mod sight;
#[cfg(test)]
mod tests;
mod view;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::Result;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::clock;
use link::Link;
use options::Options;
use screen::Screen;

/// The word on the command line that leads here.
pub const SUBCOMMAND: &str = "top";

/// Queues that are asked for: more than a terminal shows.
const ROWS_MAX: usize = 200;

/// Runs `weir top`; the first of `args` is the program's name. Gives the exit code: 2 for a command
/// line that cannot be read, 1 for a server that does not answer.
pub fn main(args: impl Iterator<Item = OsString>) -> u8 {
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            // Nothing is left to do for a reader that has gone.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    match show(&options) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "weir top: {error:#}");
            1
        }
    }
}

/// Shows until somebody quits. A server that is not there at the start is an error; one that goes
/// later is waited for.
fn show(options: &Options) -> Result<()> {
    let mut link = Link::open(options)?;
    let mut screen = Screen::new(options.address());
    screen.take(link.look(&screen.question(ROWS_MAX)));
    let mut terminal = ratatui::try_init()?;
    let shown = run(options, &mut terminal, link, screen);
    ratatui::restore();
    shown
}

fn run(
    options: &Options,
    terminal: &mut ratatui::DefaultTerminal,
    mut link: Link,
    mut screen: Screen,
) -> Result<()> {
    let mut due_us = clock::mono_us() + options.interval_us();
    while !screen.is_over() {
        terminal.draw(|frame| view::draw(frame, &mut screen))?;
        let left_us = due_us.saturating_sub(clock::mono_us());
        if event::poll(Duration::from_micros(left_us))? {
            match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => screen.press(key),
                _ => {}
            }
        }
        if screen.wants_look() || clock::mono_us() >= due_us {
            due_us = clock::mono_us() + options.interval_us();
            if !screen.is_paused() {
                screen.take(link.look(&screen.question(ROWS_MAX)));
            }
        }
    }
    Ok(())
}
