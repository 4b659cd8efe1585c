//! What a script may ask of the server that runs it, and the place where natives find it.

use scoped_tls_hkt::{ReborrowMut, scoped_thread_local};

use crate::protocol::{Args, Reply};

/// Whether a script may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    GoOn,
    /// It ends with this error line, which it cannot catch.
    Stop(&'static str),
}

/// How a command that a script asked for ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its reply is written.
    Replied,
    /// Redis refuses it before it runs: the error line is for the script.
    Refused(&'static str),
}

/// The server, as a running script sees it.
pub trait Host {
    /// Runs a command and writes its reply.
    fn command(&mut self, args: Args<'_>, reply: &mut Reply) -> Ending;

    /// Whether the client may run this command; `None` if there is no such command.
    fn may_run(&mut self, args: Args<'_>) -> Option<bool>;

    /// Called now and then while a script computes.
    fn look_around(&mut self) -> Verdict;
}

/// A host for the time of a run.
pub(super) struct Hosted<'a>(pub(super) &'a mut (dyn Host + 'a));

impl<'short> ReborrowMut<'short> for Hosted<'_> {
    type Result = Hosted<'short>;

    fn reborrow_mut(&'short mut self) -> Hosted<'short> {
        Hosted(&mut *self.0)
    }
}

scoped_thread_local!(static mut HOST: for<'a> Hosted<'a>);

/// Makes `host` the one that natives reach while `run` runs.
pub(super) fn hosted<R>(host: &mut dyn Host, run: impl FnOnce() -> R) -> R {
    HOST.set(Hosted(host), run)
}

/// The host of the running script; `None` while none runs, as when a library is loaded.
pub(super) fn with_host<R>(ask: impl FnOnce(&mut dyn Host) -> R) -> Option<R> {
    if !HOST.is_set() {
        return None;
    }
    HOST.with(|host| Some(ask(host.0)))
}
