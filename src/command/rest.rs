//! Letting others go first in the middle of a step that takes long.
//!
//! A script that computes, or a command that answers with a whole queue, lets go of its shards now
//! and then and has others served. What it has used it *keeps*: not by the locks, which others would
//! hang on, but by a mark that is set before the locks are let go, so that whoever takes one of them
//! finds it. Until the end that looks like one step to everybody else. There is one such step at a
//! time.

use std::sync::Arc;

use crate::outbox::{Mailbox, WakeList};
use crate::store::ShardSet;
use crate::sync::Lock;

use super::call::Call;
use super::engine::{Engine, Gates};

/// The step that rests, if one does.
#[derive(Debug, Default)]
pub struct Rest(Lock<State>);

#[derive(Debug, Default)]
struct State {
    is_begun: bool,
    /// The shards that it has used.
    kept: ShardSet,
    /// Connections that want some of them.
    waiting: Vec<Arc<Mailbox>>,
    /// How often those who waited were called.
    calls_len: u64,
}

/// The wait for a step that rests: for its end, or for a script's being late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    calls_len: u64,
}

impl State {
    /// All shards together are kept as soon as any step rests: there is one at a time, and a script
    /// may go on to use any.
    fn keeps(&self, shards: ShardSet) -> bool {
        self.is_begun && (shards == ShardSet::ALL || shards.meets(self.kept))
    }

    fn call(&mut self) -> Vec<Arc<Mailbox>> {
        self.calls_len += 1;
        std::mem::take(&mut self.waiting)
    }
}

impl Rest {
    /// A step keeps these shards from now on, and holds them still. False if another step rests: then
    /// this one goes on without.
    fn begin(&self, shards: ShardSet) -> bool {
        let mut state = self.0.lock();
        if state.is_begun {
            return false;
        }
        state.is_begun = true;
        state.kept = shards;
        true
    }

    /// The step that rests has used more by now: it keeps these, and held all of them still.
    pub fn keep(&self, shards: ShardSet) {
        self.0.lock().kept = shards;
    }

    /// Whether a step that rests keeps any of these shards.
    pub fn keeps(&self, shards: ShardSet) -> bool {
        self.0.lock().keeps(shards)
    }

    /// The same; if so, has a connection called when that is over.
    pub fn wait(&self, shards: ShardSet, mailbox: &Arc<Mailbox>) -> Option<Awaited> {
        let mut state = self.0.lock();
        if !state.keeps(shards) {
            return None;
        }
        state.waiting.push(Arc::clone(mailbox));
        Some(Awaited {
            calls_len: state.calls_len,
        })
    }

    /// Whether somebody who waits has been called.
    pub fn is_over(&self, awaited: Awaited) -> bool {
        self.0.lock().calls_len != awaited.calls_len
    }

    /// Calls those who wait before the end: they are to hear that a script is late.
    pub fn call(&self, wakes: &mut WakeList) {
        let waiting = self.0.lock().call();
        prompt(&waiting, wakes);
    }

    fn end(&self, wakes: &mut WakeList) {
        let waiting = {
            let mut state = self.0.lock();
            state.is_begun = false;
            state.kept = ShardSet::EMPTY;
            state.call()
        };
        prompt(&waiting, wakes);
    }
}

fn prompt(waiting: &[Arc<Mailbox>], wakes: &mut WakeList) {
    for mailbox in waiting {
        mailbox.prompt(wakes);
    }
}

impl Engine {
    /// A step begins to rest, with these shards, which it holds still. False if another one does.
    pub(super) fn begin_rest(&self, shards: ShardSet) -> bool {
        let has_begun = self.rest.begin(shards);
        if has_begun {
            self.gates.set(Gates::RESTING, true);
        }
        has_begun
    }

    /// It keeps nothing any more; calls those who waited for that.
    pub(super) fn end_rest(&self, wakes: &mut WakeList) {
        self.gates.set(Gates::RESTING, false);
        self.rest.end(wakes);
    }

    /// Whether a step that rests keeps any of these shards: what it sees there is to stay as it is,
    /// and who waits for it is served at the end. For who holds one of them this does not change
    /// meanwhile. A script over its time keeps all there are.
    pub fn is_kept(&self, shards: ShardSet) -> bool {
        let gates = self.gates.load();
        gates & Gates::BUSY != 0 || gates & Gates::RESTING != 0 && self.rest.keeps(shards)
    }
}

/// The rests of one command, which keeps the shards that it holds from the first to the end.
#[derive(Debug, Default)]
pub(super) struct Rests {
    has_begun: bool,
}

impl Rests {
    /// Has the worker's other connections served, unless this is a transaction or a script, or inside
    /// of a turn that does so, or another step rests.
    #[cold]
    #[inline(never)]
    pub(super) fn rest(&mut self, call: &mut Call<'_, '_>) {
        let shards = call.held.set();
        if call.held.is_pinned() || !self.has_begun && !call.engine.begin_rest(shards) {
            return;
        }
        self.has_begun = true;
        call.let_others();
        call.held.need(shards);
    }

    /// What the command kept is free again.
    pub(super) fn end(self, call: &mut Call<'_, '_>) {
        if self.has_begun {
            call.engine.end_rest(call.wakes);
        }
    }
}

#[cfg(test)]
mod tests;
