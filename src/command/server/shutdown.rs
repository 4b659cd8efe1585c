//! SHUTDOWN.

use crate::protocol::Args;

use super::super::call::Call;
use super::super::error::{BUSY, Error};
use super::super::outcome::{Outcome, Result};

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
///
/// There is nothing to save and no replica to wait for, so the options only have to make sense.
pub(super) fn shutdown(call: &mut Call<'_, '_>, args: Args<'_>) -> Result {
    let (mut saves, mut nosaves, mut hurries, mut aborts) = (false, false, false, false);
    for option in args.from(1) {
        match option.to_ascii_lowercase().as_slice() {
            b"nosave" => nosaves = true,
            b"save" => saves = true,
            b"now" | b"force" => hurries = true,
            b"abort" => aborts = true,
            _ => return Err(Error::Syntax),
        }
    }
    if saves && nosaves || aborts && (saves || nosaves || hurries) {
        return Err(Error::Syntax);
    }
    if aborts {
        return Err(Error::line("ERR No shutdown in progress."));
    }
    if !nosaves && call.engine.is_busy() {
        return Err(BUSY);
    }
    tracing::info!(client = call.session.client.id, "told to stop by SHUTDOWN");
    call.engine.shut_down();
    Ok(Outcome::Close)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::command::testing::Bench;

    #[test]
    fn closes_without_a_reply() {
        let bench = Bench::new();
        for options in ["SAVE NOSAVE", "ABORT NOW", "x"] {
            let reply = bench.run(&format!("SHUTDOWN {options}"));
            assert_eq!(reply, "-ERR syntax error");
        }
        assert_eq!(bench.run("SHUTDOWN ABORT"), "-ERR No shutdown in progress.");
        assert!(!bench.engine.is_shutting_down.load(Ordering::Relaxed));
        assert_eq!(bench.run("SHUTDOWN NOSAVE NOW FORCE"), "(close)");
        assert!(bench.engine.is_shutting_down.load(Ordering::Relaxed));
    }
}
