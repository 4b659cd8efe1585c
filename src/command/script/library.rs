//! The scripts that clients loaded, for all workers.
//!
//! Each worker compiles a script when it first runs it. SCRIPT FLUSH starts a new generation, at
//! which workers make their interpreters anew. Scripts that came by EVAL only are bounded in
//! number: past that, the oldest that nobody ran lately goes, and workers drop it before they run
//! the next script. Running a script that a worker knows takes no lock.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;

use crate::script::{Compiled, Interpreter, Script, Sha};
use crate::sync::Lock;

use super::super::error::Error;
use super::super::outcome::Result;

/// Scripts kept that came by EVAL and not by SCRIPT LOAD, as in Redis.
const UNLOADED_MAX: usize = 500;
/// Dropped scripts that are remembered for workers to drop; who is further behind starts anew.
const DROPPED_KEPT_MAX: usize = 10_000;

/// Generations are never shared, not even by the engines of tests that take turns on a thread.
static GENERATIONS: AtomicU64 = AtomicU64::new(1);

fn next_generation() -> u64 {
    GENERATIONS.fetch_add(1, Ordering::Relaxed)
}

/// All scripts.
#[derive(Debug)]
pub struct Library {
    shelves: Lock<Shelves>,
    /// Written under the lock. Relaxed: a script that races with FLUSH may run before or after it.
    generation: AtomicU64,
    /// Scripts ever dropped in this generation; written under the lock. Relaxed likewise.
    dropped_total: AtomicU64,
}

#[derive(Debug, Default)]
struct Shelves {
    scripts: HashMap<Sha, Entry, ahash::RandomState>,
    /// Scripts that came by EVAL, oldest first.
    unloaded: VecDeque<Sha>,
    /// The last of those that were dropped.
    dropped: VecDeque<Sha>,
}

#[derive(Debug)]
struct Entry {
    script: Arc<Script>,
    is_loaded: bool,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            shelves: Lock::default(),
            generation: AtomicU64::new(next_generation()),
            dropped_total: AtomicU64::new(0),
        }
    }
}

impl Library {
    /// What interpreters are made for.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The script of a name.
    pub fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        let shelves = self.shelves.lock();
        shelves
            .scripts
            .get(sha)
            .map(|entry| Arc::clone(&entry.script))
    }

    /// How many scripts there are.
    pub fn len(&self) -> usize {
        self.shelves.lock().scripts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of their text.
    pub fn text_bytes(&self) -> usize {
        let shelves = self.shelves.lock();
        shelves
            .scripts
            .values()
            .map(|entry| entry.script.text.len())
            .sum()
    }

    /// How many scripts were dropped to make room.
    pub fn dropped_total(&self) -> u64 {
        self.dropped_total.load(Ordering::Relaxed)
    }

    /// Forgets all scripts.
    pub fn clear(&self) {
        let mut shelves = self.shelves.lock();
        *shelves = Shelves::default();
        self.generation.store(next_generation(), Ordering::Relaxed);
    }

    /// Compiles a script that a client sent, and keeps it; `is_loaded` keeps it until FLUSH.
    pub fn learn(
        &self,
        interpreter: &mut Interpreter,
        text: &[u8],
        is_loaded: bool,
    ) -> Result<Rc<Compiled>> {
        let script = Arc::new(Script::new(text).map_err(Error::Bytes)?);
        // The one that says for all workers whether it is used.
        let script = self.get(&script.sha).unwrap_or(script);
        let compiled = compile(interpreter, &script)?;
        let mut shelves = self.shelves.lock();
        if let Some(entry) = shelves.scripts.get_mut(&script.sha) {
            entry.is_loaded |= is_loaded;
            if Arc::ptr_eq(&entry.script, &script) {
                return Ok(compiled);
            }
            // Another worker has been faster.
            let script = Arc::clone(&entry.script);
            drop(shelves);
            return compile(interpreter, &script);
        }
        if !is_loaded {
            shelves.unloaded.push_back(script.sha);
        }
        let sha = script.sha;
        shelves.scripts.insert(sha, Entry { script, is_loaded });
        if shelves.unloaded.len() > UNLOADED_MAX {
            let dropped = shelves.make_room();
            self.dropped_total.fetch_add(dropped, Ordering::Relaxed);
        }
        Ok(compiled)
    }

    /// Drops what the library dropped since this interpreter last asked.
    pub fn bring_up_to_date(&self, interpreter: &mut Interpreter) {
        if interpreter.dropped_seen() != self.dropped_total() {
            self.drop_from(interpreter);
        }
    }

    #[cold]
    fn drop_from(&self, interpreter: &mut Interpreter) {
        let shelves = self.shelves.lock();
        let total = self.dropped_total();
        let behind = usize::try_from(total - interpreter.dropped_seen()).unwrap_or(usize::MAX);
        if behind > shelves.dropped.len() {
            interpreter.forget_all();
        }
        for sha in shelves.dropped.iter().rev().take(behind) {
            // If it is back by now, it is as another script.
            interpreter.forget(sha);
        }
        interpreter.set_dropped_seen(total);
    }
}

impl Shelves {
    /// Drops the oldest script that was not run since the last time it was spared; says how many.
    fn make_room(&mut self) -> u64 {
        for _ in 0..self.unloaded.len() {
            let Some(sha) = self.unloaded.pop_front() else {
                break;
            };
            let Some(entry) = self.scripts.get(&sha) else {
                continue;
            };
            if entry.is_loaded {
                return 0;
            }
            if entry.script.is_used.swap(false, Ordering::Relaxed) {
                self.unloaded.push_back(sha);
                continue;
            }
            return self.drop_one(sha);
        }
        match self.unloaded.pop_front() {
            Some(sha) => self.drop_one(sha),
            None => 0,
        }
    }

    fn drop_one(&mut self, sha: Sha) -> u64 {
        self.scripts.remove(&sha);
        self.dropped.push_back(sha);
        if self.dropped.len() > DROPPED_KEPT_MAX {
            self.dropped.pop_front();
        }
        1
    }
}

/// Compiles a script for one worker.
pub(super) fn compile(interpreter: &mut Interpreter, script: &Arc<Script>) -> Result<Rc<Compiled>> {
    interpreter.compile(script).map_err(|problem| {
        let head = b"ERR Error compiling script (new function): ";
        Error::Bytes([&head[..], &problem].concat())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::with_interpreter;

    /// Learns scripts that nobody ran before, until all that were not used are gone.
    fn learn_others(library: &Library, interpreter: &mut Interpreter, round: usize) {
        for number in 0..=UNLOADED_MAX {
            let text = format!("return {round}, {number}");
            let learned = library.learn(interpreter, text.as_bytes(), false);
            learned.expect("it compiles");
            library.bring_up_to_date(interpreter);
        }
    }

    #[test]
    fn a_script_that_any_worker_uses_stays() {
        let library = Library::default();
        let generation = library.generation();
        let text = b"return 1";
        let sha = crate::script::sha_of(text);
        with_interpreter(generation, |first| {
            with_interpreter(generation, |second| {
                library.learn(first, text, false).expect("it compiles");
                library.learn(second, text, false).expect("it compiles");
                for round in 0..4 {
                    let user = if round < 2 { &mut *first } else { &mut *second };
                    library.bring_up_to_date(user);
                    assert!(user.compiled(&sha).is_some(), "round {round}");
                    learn_others(&library, user, round);
                    assert!(library.get(&sha).is_some(), "round {round}");
                }
            });
        });
    }

    #[test]
    fn a_script_that_came_back_is_the_new_one_for_all_workers() {
        let library = Library::default();
        let generation = library.generation();
        let text = b"return 1";
        let sha = crate::script::sha_of(text);
        with_interpreter(generation, |first| {
            with_interpreter(generation, |second| {
                library.learn(first, text, false).expect("it compiles");
                for round in 0..2 {
                    learn_others(&library, second, round);
                }
                assert!(library.get(&sha).is_none());
                library.learn(second, text, false).expect("it compiles");
                library.bring_up_to_date(first);
                assert!(first.compiled(&sha).is_none());
            });
        });
    }
}
