//! What a script asks of the server, answered by the same table and handlers as its client's own
//! commands.

use std::sync::atomic::Ordering;

use crate::acl::Context;
use crate::clock::{self, Now};
use crate::outbox::WakeList;
use crate::protocol::{Args, Reply};
use crate::script::{Ending, Host, Verdict};
use crate::store::ShardSet;

use super::super::acl;
use super::super::call::Call;
use super::super::dispatch;
use super::super::engine::Gates;
use super::super::spec::Flags;
use super::super::table::{Found, table};

const KILLED: &str = "ERR Script killed by user with SCRIPT KILL...";

/// For how long a script computes before others are served beside it; after that it computes for as
/// long as they took, if that is longer. In tests nearly every look is a rest.
const WORK_US_MIN: u64 = if cfg!(test) { 1 } else { 200 };

/// A script's side of a call.
pub(super) struct ScriptHost<'a, 'c, 'k> {
    call: &'a mut Call<'c, 'k>,
    reads_only: bool,
    /// Commands that use more memory are refused, until it has written: then it may end its work.
    refuses_growth: bool,
    /// It runs inside a transaction, which holds what it has changed until all of it is done: there
    /// it does not rest.
    is_inside: bool,
    /// When the script was first found to compute for long, later by the time that others took, in
    /// monotonic microseconds.
    slow_since_us: Option<u64>,
    /// When it is to rest next.
    rest_us: u64,
    /// It has rested, and holds shards only from a command to the next rest. Those that it has used
    /// by then.
    kept: Option<ShardSet>,
    /// It has run a command.
    has_asked: bool,
    /// It is over its time.
    is_late: bool,
    /// What TIME tells: when the script began, and once it is late when others were last served.
    /// All else is done as of its beginning.
    told: Now,
}

impl<'a, 'c, 'k> ScriptHost<'a, 'c, 'k> {
    pub(super) fn new(call: &'a mut Call<'c, 'k>, reads_only: bool) -> Self {
        let refuses_growth = call.engine.gates.load() & Gates::OVER_BUDGET != 0;
        Self {
            told: call.now,
            is_inside: call.held.is_pinned(),
            call,
            reads_only,
            refuses_growth,
            slow_since_us: None,
            rest_us: 0,
            kept: None,
            has_asked: false,
            is_late: false,
        }
    }

    pub(super) fn allow_oom(&mut self, is_allowed: bool) {
        self.refuses_growth &= !is_allowed;
    }

    /// Runs a script in a session that may not block, with the shards pinned; afterwards the
    /// session is as it was, whatever database the script selected.
    pub(super) fn run<R>(&mut self, script: impl FnOnce(&mut Self) -> R) -> R {
        let call = &mut *self.call;
        let (db, was_atomic) = (call.session.db, call.session.is_atomic);
        call.engine.running.start();
        call.session.is_atomic = true;
        call.session.is_script = true;
        call.held.pin();
        let result = script(self);
        if self.kept.is_some() {
            self.end_rests();
        }
        let call = &mut *self.call;
        if !self.is_inside {
            call.held.unpin();
        }
        call.session.is_atomic = was_atomic;
        call.session.is_script = false;
        if call.session.db != db {
            call.session.db = db;
            call.session.note_state();
        }
        call.engine.running.end();
        result
    }

    /// Lets go of the shards, those that the script has used only so that whoever gets one finds
    /// it kept, and has others served.
    fn rest(&mut self, now_us: u64) {
        let engine = self.call.engine;
        let mut kept = self.kept.unwrap_or(ShardSet::EMPTY);
        if self.has_asked {
            kept = kept.union(self.call.held.touched());
            // Nobody notes uses of the first.
            kept.insert(0);
        }
        // Before the locks: who gets one of them must see it.
        if self.kept.is_none() {
            let is_alone = engine.begin_rest(kept);
            debug_assert!(is_alone, "who holds all shards is alone");
        } else {
            engine.rest.keep(kept);
        }
        self.kept = Some(kept);
        self.call.held.unpin();
        self.call.held.release();
        if let Some(meanwhile) = engine.meanwhile.get() {
            (meanwhile.always)();
        }
        let others_us = clock::mono_us() - now_us;
        self.slow_since_us = self.slow_since_us.map(|since_us| since_us + others_us);
        self.rest_us = now_us + others_us + WORK_US_MIN.max(others_us);
    }

    /// From now on others are told that a script runs, whatever they want.
    #[cold]
    fn note_late(&mut self, threshold_ms: u64) {
        self.is_late = true;
        self.call.engine.gates.set(Gates::BUSY, true);
        let mut wakes = WakeList::default();
        self.call.engine.rest.call(&mut wakes);
        wakes.wake();
        let client = self.call.session.client.id;
        tracing::warn!(
            client,
            "a script runs for longer than {threshold_ms} ms; SCRIPT KILL ends it"
        );
    }

    fn hold_again(&mut self) {
        self.call.held.need(ShardSet::ALL);
        self.call.held.pin();
    }

    /// Holds all shards at last, and gives back what the script kept.
    #[cold]
    fn end_rests(&mut self) {
        self.hold_again();
        let call = &mut *self.call;
        call.held.touch_all();
        call.engine.gates.set(Gates::BUSY, false);
        call.engine.end_rest(call.wakes);
        // What time asked for and had to wait goes on with the next look of this worker.
        call.engine.early.call(call.worker, call.now.mono_us);
    }

    /// Why the script must end, if it must.
    fn end_of_all(&self) -> Option<&'static str> {
        let engine = self.call.engine;
        let is_over =
            engine.running.is_unwanted() || engine.is_shutting_down.load(Ordering::Relaxed);
        is_over.then_some(KILLED)
    }

    /// Why a command is not for this script.
    fn refusal(&self, found: &Found) -> Option<&'static str> {
        let flags = found.command.flags;
        if self.reads_only && flags.any(Flags::WRITE.and(Flags::MAY_REPLICATE)) {
            return Some("ERR Write commands are not allowed from read-only scripts.");
        }
        if self.refuses_growth && flags.any(Flags::DENYOOM) {
            return Some("OOM command not allowed when used memory > 'maxmemory'.");
        }
        None
    }

    fn refuse(&self, line: &'static str) -> Ending {
        self.call.stats.note_error(line.as_bytes());
        Ending::Refused(line)
    }
}

impl Host for ScriptHost<'_, '_, '_> {
    fn command(&mut self, args: Args<'_>, reply: &mut Reply) -> Ending {
        let found = table().resolve(args);
        let Some(found) = found.filter(|found| !found.is_unknown_subcommand) else {
            return self.refuse("ERR Unknown Redis command called from script");
        };
        let stats = &self.call.stats.commands[found.index];
        if !found.command.takes(args.len()) {
            stats.rejected.add(1);
            return self.refuse("ERR Wrong number of args calling Redis command from script");
        }
        if found.command.flags.any(Flags::NOSCRIPT) {
            stats.rejected.add(1);
            return self.refuse("ERR This Redis command is not allowed from script");
        }
        if let Err(denial) = acl::check(self.call, &found, args, Context::Script) {
            let head = "ERR ACL failure in script: ";
            let error = acl::refusal(self.call, denial, &found, args, head);
            self.call.stats.note_error(&error.as_line());
            reply.error(&error.as_line());
            return Ending::Replied;
        }
        if let Some(line) = self.refusal(&found) {
            stats.rejected.add(1);
            return self.refuse(line);
        }
        if found.command.flags.any(Flags::WRITE) {
            self.refuses_growth = false;
            self.call.engine.running.note_write();
        }
        if self.kept.is_some() {
            self.hold_again();
        }
        self.has_asked = true;
        let call = &mut *self.call;
        if found.command.flags.any(Flags::WALKS_KEYS) {
            call.held.touch_all();
        }
        let is_told = self.is_late && found.command.name == "time";
        let now = if is_told { self.told } else { call.now };
        let (held, session, wakes) = (&mut *call.held, &mut *call.session, &mut *call.wakes);
        let mut inner = Call::new(call.engine, held, session, reply, wakes, now, call.worker);
        dispatch::run_inside(&mut inner, found, args);
        Ending::Replied
    }

    fn may_run(&mut self, args: Args<'_>) -> Option<bool> {
        let found = table().resolve(args)?;
        let is_known = !found.is_unknown_subcommand;
        is_known.then(|| acl::is_allowed(self.call, &found, args))
    }

    fn look_around(&mut self) -> Verdict {
        if let Some(line) = self.end_of_all() {
            return Verdict::Stop(line);
        }
        let now_us = clock::mono_us();
        let since_us = *self.slow_since_us.get_or_insert(now_us);
        let threshold_ms = self.call.engine.config.live().busy_reply_threshold_ms();
        if !self.is_late && threshold_ms > 0 && now_us - since_us >= threshold_ms * 1000 {
            self.note_late(threshold_ms);
        }
        if self.rest_us == 0 {
            self.rest_us = now_us + WORK_US_MIN;
        }
        if now_us < self.rest_us || self.is_inside && !self.is_late {
            return Verdict::GoOn;
        }
        self.rest(now_us);
        self.told = clock::now();
        match self.end_of_all() {
            Some(line) => Verdict::Stop(line),
            None => Verdict::GoOn,
        }
    }
}
