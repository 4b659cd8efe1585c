//! The wire: requests in, replies out, and the text forms of numbers.
//!
//! Bytes only. This room knows no command and no socket; it may name `limits` and nothing else of
//! the house. `request` splits a read buffer into arguments, `carrier` lets a large one go without a
//! copy, `reply` is the output buffer of a connection, `number` reads and prints numbers the way
//! Redis does.

pub mod args;
pub mod carrier;
pub mod error;
pub mod following;
mod inline;
pub mod number;
pub mod reply;
pub mod request;

pub use args::{Args, OwnedArgs, c_string};
pub use carrier::Carrier;
pub use error::ProtocolError;
pub use inline::split_line;
pub use reply::{Later, Mark, Reply, Resp};
pub use request::{Limits, Parsed, Parser};
