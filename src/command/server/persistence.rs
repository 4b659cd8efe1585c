//! SAVE BGSAVE BGREWRITEAOF LASTSAVE.
//!
//! Nothing is ever written to disk, and the command table says so. They still answer as in Redis,
//! because clients and scripts send them before a shutdown or in a backup job and wait for
//! LASTSAVE to move on.

use std::sync::atomic::Ordering;

use crate::protocol::Args;

use super::super::call::Call;
use super::super::error::Error;
use super::super::outcome::{Outcome, Result};
use super::as_integer;

fn note_save(call: &Call<'_, '_>) {
    let saved_s = call.now.unix_ms / 1000;
    call.engine.saved_s.store(saved_s, Ordering::Relaxed);
}

/// SAVE
pub(super) fn save(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    note_save(call);
    call.reply.ok();
    Ok(Outcome::Done)
}

/// BGSAVE [SCHEDULE]
pub(super) fn bgsave(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let scheduled = args
        .get(1)
        .is_none_or(|option| option.eq_ignore_ascii_case(b"schedule"));
    if args.len() > 2 || !scheduled {
        return Err(Error::Syntax);
    }
    note_save(call);
    call.reply.simple("Background saving started");
    Ok(Outcome::Done)
}

/// BGREWRITEAOF
pub(super) fn bgrewriteaof(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    call.reply
        .simple("Background append only file rewriting started");
    Ok(Outcome::Done)
}

/// LASTSAVE
pub(super) fn lastsave(call: &mut Call<'_, '_>, _args: Args<'_>) -> Result {
    let saved_s = call.engine.saved_s.load(Ordering::Relaxed);
    call.reply.integer(as_integer(saved_s));
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::command::testing::Bench;

    #[test]
    fn lastsave_moves_on() {
        let mut bench = Bench::new();
        let started = bench.run("LASTSAVE");
        bench.now = bench.now.after(Duration::from_secs(2));
        assert_eq!(bench.run("LASTSAVE"), started);
        assert_eq!(bench.run("BGSAVE SCHEDULE"), "+Background saving started");
        assert_eq!(bench.run("LASTSAVE"), ":1700000002");
        assert_eq!(bench.run("SAVE"), "+OK");
        assert_eq!(bench.run("BGSAVE NOW"), "-ERR syntax error");
    }
}
