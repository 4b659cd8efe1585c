//! The real binary on a real socket, through the `redis` crate and, where a client must misbehave,
//! through bare sockets. One binary; the modules are the subjects.
//!
//! Nothing here sleeps or judges by the clock: a test waits for replies, and a server that never
//! gives them fails by the patience of its sockets. How much the heavy tests send is set by
//! `WEIR_HEAVY=1` (the amounts of CI), and else small enough for `cargo test`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test panics, prints what it measured and reads the clock to give up"
)]

mod bench;
mod clients;
mod deploy;
mod faults;
mod handoff;
mod hostile;
mod http;
mod limits;
mod load;
mod pipelines;
mod policy;
mod raw;
#[path = "../differential/rng.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the generator")]
mod rng;
mod scripts;
#[path = "../fixture/server.rs"]
mod server;
mod settings;
mod shutdown;
mod smoke;
mod soak;
mod streams;
mod tls;
mod workers;

/// The small amount, or the heavy one if that is asked for.
fn amount(small: usize, heavy: usize) -> usize {
    if std::env::var_os("WEIR_HEAVY").is_some() {
        heavy
    } else {
        small
    }
}
