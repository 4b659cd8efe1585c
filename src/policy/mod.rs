//! Policies: which bounds hold for which names, and what happens past them.
//!
//! A policy binds a pattern of names, of queues or of channels, to bounds. Of all that match a
//! name the most specific holds, alone: policies do not add up. A pattern without wildcards is
//! more specific than any with; then the one whose fixed beginning is longer; then the one with
//! more fixed bytes; then the one that comes first in byte order.
//!
//! Names and numbers only: what a queue or a channel is, other rooms know. Resolving a name costs
//! a pattern match per policy, so it is done when a queue is made and when policies change.

mod routes;
mod rule;
mod set;
#[cfg(test)]
mod tests;
mod words;

pub use routes::{Route, Routes};
pub use rule::{Alarms, Kind, Rule};
pub use set::{Governed, Policies};
pub use words::unit_bytes;
