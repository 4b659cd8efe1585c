//! A line on the terminal that says how far a test is.

use std::io::{IsTerminal, Write, stderr};

/// Between two changes of the line.
const TICK_US: u64 = 200_000;
const BAR: usize = 24;

/// The line; nothing where standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    is_shown: bool,
    label: String,
    shown_us: u64,
    done: u64,
}

impl Progress {
    /// A line, if it is wanted and can be seen.
    pub fn new(is_wanted: bool) -> Self {
        Self {
            is_shown: is_wanted && stderr().is_terminal(),
            label: String::new(),
            shown_us: 0,
            done: 0,
        }
    }

    /// Begins with a test.
    pub fn begin(&mut self, label: String) {
        self.label = label;
        self.shown_us = 0;
        self.done = 0;
    }

    /// Shows how much of the test is over, in thousandths, and how many operations are done.
    pub fn show(&mut self, thousandths: u64, done: u64, now_us: u64) {
        let passed_us = now_us.saturating_sub(self.shown_us);
        if !self.is_shown || passed_us < TICK_US {
            return;
        }
        let rate = done.saturating_sub(self.done).saturating_mul(1_000_000) / passed_us;
        let rate = if self.shown_us == 0 { 0 } else { rate };
        (self.shown_us, self.done) = (now_us, done);
        let line = line(&self.label, thousandths, rate);
        // Nothing is lost with a line that cannot be shown.
        let _ = write!(stderr(), "\r\x1b[K{line}");
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(label: &str, thousandths: u64, rate: u64) -> String {
    let filled = usize::try_from(thousandths).unwrap_or(0).min(1000) * BAR / 1000;
    format!(
        "{label} [{}{}] {:3}%  {rate}/s",
        "#".repeat(filled),
        "-".repeat(BAR - filled),
        thousandths / 10
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bar_fills() {
        assert_eq!(
            super::line("get", 500, 12),
            "get [############------------]  50%  12/s"
        );
        assert!(super::line("get", 1000, 0).contains(&"#".repeat(super::BAR)));
    }
}
