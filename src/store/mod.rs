//! store
pub mod stream;
