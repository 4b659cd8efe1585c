//! Commands: what a client can ask for, as synchronous functions over the engine.
//!
//! [`execute`] runs one request: it finds the command in the table, checks that the client may run
//! it now, holds the shards of its keys and calls its handler. A handler writes a reply and
//! returns an [`Outcome`]; only the session in `net` awaits anything. Families live in the file of
//! their name, with their part of the command table on top.

#[macro_use]
mod rows;

mod acl;
mod ahead;
pub mod alerts;
pub mod backlog;
mod bits;
mod bounds;
mod call;
mod client;
mod connection;
mod dispatch;
mod early;
mod engine;
mod error;
mod excess;
mod hash;
mod help;
mod hyperloglog;
mod keys;
mod latency;
mod list;
mod monitor;
mod multi_pop;
mod outcome;
mod pause;
mod pressure;
mod pubsub;
mod random;
mod rest;
mod returned;
mod scan;
mod script;
mod secrets;
mod serve;
mod server;
mod session;
mod set;
mod slowlog;
mod sort;
mod sorted_set;
mod spec;
mod stream;
mod string;
mod table;
#[cfg(test)]
pub mod testing;
pub mod tick;
mod transaction;
mod weir;

pub use ahead::ask_together;
pub use call::Call;
pub use connection::leave;
pub use dispatch::{execute, finish, note_activity};
pub use engine::{Engine, Gates, Meanwhile};
pub use error::Error;
pub use outcome::{Block, Nothing, Outcome, Result};
pub use pause::Paused;
pub use pressure::Health;
pub use rest::Awaited;
pub use returned::put_back;
pub use serve::cancel;
pub use session::{Blocked, Session};
pub use spec::{Command, Flags, Handler, KeyPositions, Keys};
pub use table::{Table, rename, table};
