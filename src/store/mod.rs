//! store

pub mod queue;
