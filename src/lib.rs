//! Weir: a Redis-protocol, in-memory, lossy queue server.
//!
//! Rooms in reading order; `docs/ARCHITECTURE.md` says what each may know.

pub mod banner;
pub mod clock;
pub mod command;
pub mod config;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod protocol;
pub mod pubsub;
pub mod store;
pub mod sync;
pub mod worker;
