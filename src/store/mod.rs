//! The keyspace: what the server holds, behind sharded locks.
//!
//! Knows nothing of protocols, commands, connections or the runtime: bytes and moments in, values
//! out. Rooms in reading order: [`Key`] names a value, [`Shard`] keeps a share of the keys,
//! [`Keyspace`] is all shards and [`Held`] the locks on some of them.

mod backlog;
mod cold;
mod deadlines;
pub mod hash;
pub mod hyperloglog;
mod key;
mod keyspace;
pub mod ledger;
mod lines;
#[cfg(feature = "lock-times")]
pub mod lock_times;
mod member;
pub mod meter;
pub mod packed;
pub mod queue;
pub mod reclaim;
pub mod set;
mod shape;
mod shard;
pub mod sorted_set;
pub mod stream;
pub mod table;
mod value;
mod vanished;
mod walk;
mod watch;

pub use backlog::{Backlog, Figures, GroupBacklog, Sight, State};
pub use cold::{AHEAD_LEN, Cold, Names};
pub use hash::Hash;
pub use key::{Key, Name, ShardSet};
pub use keyspace::{Held, Keyspace, SHARDS};
pub use ledger::{Cause, Ledger, Tally};
pub use lines::{Attempt, Line, Lines, WaitKey, Waiter};
pub use packed::Packed;
pub use queue::{End, Queue};
pub use set::Set;
pub use shape::Shape;
pub use shard::{
    Delayed, Entry, Expired, Loss, Ready, Shard, Sheddable, Slot, StreamSlot, WrongType,
};
pub use sorted_set::SortedSet;
pub use value::{Kind, Text, Value};
pub use walk::Walk;
pub use watch::WatchFlag;
