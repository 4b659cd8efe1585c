//! The state of what is shown, and what keys do to it.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;

use super::sight::{Row, Sight};

/// Looks that sparklines remember.
pub const KEPT: usize = 60;

/// What queues can be sorted by, as the server names it.
const ORDERS: [&str; 7] = ["trouble", "age", "length", "bytes", "rate", "drops", "name"];

/// Everything there is to show.
#[derive(Debug)]
pub struct Screen {
    /// Where the server is.
    pub address: String,
    /// The last look that worked.
    pub sight: Sight,
    /// Why the last look did not, if so.
    pub trouble: Option<String>,
    /// Which row is chosen.
    pub table: TableState,
    /// Names that match are shown; empty for all.
    pub filter: String,
    /// Whether the filter is being typed.
    pub is_typing: bool,
    /// Whether one queue is shown in detail.
    pub is_open: bool,
    order: usize,
    is_paused: bool,
    is_over: bool,
    wants_look: bool,
    history: BTreeMap<String, VecDeque<u64>>,
}

impl Screen {
    /// A screen that has seen nothing.
    pub fn new(address: String) -> Self {
        Self {
            address,
            sight: Sight::default(),
            trouble: None,
            table: TableState::default().with_selected(0),
            filter: String::new(),
            is_typing: false,
            is_open: false,
            order: 0,
            is_paused: false,
            is_over: false,
            wants_look: false,
            history: BTreeMap::new(),
        }
    }

    /// The words to ask WEIR.BACKLOG with.
    pub fn question(&self, limit: usize) -> Vec<String> {
        let mut words = vec!["SORT", self.order()]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        words.extend(["LIMIT".to_owned(), limit.to_string()]);
        if !self.filter.is_empty() {
            let is_pattern = self.filter.contains(['*', '?', '[']);
            let pattern = if is_pattern {
                self.filter.clone()
            } else {
                format!("*{}*", self.filter)
            };
            words.extend(["MATCH".to_owned(), pattern]);
        }
        words
    }

    /// What queues are sorted by.
    pub fn order(&self) -> &'static str {
        ORDERS[self.order]
    }

    /// Whether nothing new is asked for.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether somebody quit.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether to look before it is time, once.
    pub fn wants_look(&mut self) -> bool {
        std::mem::take(&mut self.wants_look)
    }

    /// Takes in a look, or why there is none.
    pub fn take(&mut self, looked: Result<Sight>) {
        match looked {
            Ok(sight) => {
                self.trouble = None;
                for row in &sight.rows {
                    let seen = self.history.entry(row.name.clone()).or_default();
                    if seen.len() == KEPT {
                        seen.pop_front();
                    }
                    let waiting = row.text("waiting").parse().unwrap_or(0);
                    seen.push_back(waiting);
                }
                let rows = &sight.rows;
                self.history
                    .retain(|name, _| rows.iter().any(|row| row.name == *name));
                self.sight = sight;
                let last = self.sight.rows.len().saturating_sub(1);
                let chosen = self.table.selected().unwrap_or(0).min(last);
                self.table.select(Some(chosen));
            }
            Err(error) => self.trouble = Some(format!("{error:#}")),
        }
    }

    /// What waited in a queue over the last looks.
    pub fn history(&self, name: &str) -> Vec<u64> {
        let seen = self.history.get(name);
        seen.map_or_else(Vec::new, |seen| seen.iter().copied().collect())
    }

    /// The row that is chosen.
    pub fn chosen(&self) -> Option<&Row> {
        self.sight.rows.get(self.table.selected()?)
    }

    /// Does what a key asks for.
    pub fn press(&mut self, key: KeyEvent) {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            self.is_over = true;
        } else if self.is_typing {
            self.type_filter(key.code);
        } else {
            self.press_plain(key.code);
        }
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) => self.filter.push(letter),
            _ => {}
        }
        self.wants_look = true;
    }

    fn press_plain(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char('q') => self.is_over = true,
            KeyCode::Esc if self.is_open => self.is_open = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.wants_look = true;
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('s') => self.turn(1),
            KeyCode::Char('S') => self.turn(ORDERS.len() - 1),
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Enter => self.is_open = !self.is_open,
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::PageDown => self.move_by(20),
            KeyCode::PageUp => self.move_by(-20),
            KeyCode::Home | KeyCode::Char('g') => self.table.select(Some(0)),
            KeyCode::End | KeyCode::Char('G') => self.move_by(isize::MAX),
            _ => {}
        }
    }

    fn turn(&mut self, by: usize) {
        self.order = (self.order + by) % ORDERS.len();
        self.wants_look = true;
    }

    fn move_by(&mut self, by: isize) {
        let last = self.sight.rows.len().saturating_sub(1);
        let chosen = self.table.selected().unwrap_or(0);
        self.table
            .select(Some(chosen.saturating_add_signed(by).min(last)));
    }
}
