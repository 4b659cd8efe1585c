//! Weir: a Redis-protocol, in-memory, lossy queue server.
//!
//! Rooms in reading order; `docs/ARCHITECTURE.md` says what each may know.

pub mod acl;
pub mod allocator;
pub mod banner;
pub mod bench;
pub mod clients;
pub mod clock;
pub mod command;
pub mod config;
pub mod digits;
pub mod ends;
pub mod glob;
pub mod http;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod outbox;
pub mod overflow;
pub mod policy;
pub mod protocol;
pub mod pubsub;
pub mod script;
pub mod server;
#[cfg(test)]
mod simulation;
pub mod store;
pub mod sync;
pub mod top;
pub mod worker;
