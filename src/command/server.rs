//! DBSIZE FLUSHALL FLUSHDB COMMAND CONFIG INFO and their kin.

use super::spec::Command;

/// Server commands.
pub const COMMANDS: &[Command] = &[];
