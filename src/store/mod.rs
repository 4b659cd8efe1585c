//! store

pub mod table;
