//! What must hold for any bytes. Each property is a libFuzzer target (`fuzz/fuzz_targets`), and an
//! ordinary test on the kept corpus and on bytes from a seed (`tests/fuzz`).
//!
//! Most take their bytes for numbers of words that mean something, so that few bytes go a long way;
//! any other word can be spelt.

pub mod acl_rules;
pub mod commands;
pub mod config_file;
pub mod glob;
mod model;
#[path = "../../tests/differential/reply.rs"]
#[allow(dead_code, reason = "replies are only taken apart here")]
mod reply;
pub mod request_parser;
pub mod script_reply;
pub mod server;

/// Bytes that are taken apart.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of them.
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte; 0 past the end.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// As many bytes as the next one says, as far as there are any.
    pub fn chunk(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (chunk, rest) = self.0.split_at(len);
        self.0 = rest;
        chunk
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
