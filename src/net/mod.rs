//! Sockets: listeners, connections, and what a worker does with them.
//!
//! The only room besides `worker` and `server` that names the runtime. A connection moves bytes
//! and awaits; what the bytes mean is decided by `command`, synchronously.

mod connection;
mod duty;
mod listener;
mod stream;

pub use duty::{Arrival, Connections, NetDuty};
pub use listener::{Listener, bind_tcp, bind_unix, is_local, refuse};
