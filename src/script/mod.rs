//! Lua scripts: the interpreter of a worker, its sandbox, and the libraries scripts may use.
//!
//! A worker has one Lua state, made when it runs its first script, and every script is compiled
//! once per worker. The room knows no command and no key: what a script asks of the server goes
//! through [`Host`], which `command` implements, and is handed in for the time of one run.
//!
//! Lua 5.1 as it is has no read-only tables, so what a script must not change is an empty table
//! that finds its contents through a metatable (`sandbox.lua`). Native functions cannot raise Lua
//! values of their own, so they raise an opaque value that `pcall` and its kin, wrapped by the
//! sandbox, turn into the string or table that a script expects (`failure`). Those that scripts call
//! most work on Lua's own stack: calls of commands (`call`), and what reads and writes JSON and
//! `MessagePack` (`native`).
//!
//! Lua's own C functions trust scripts too far in places, and nothing interrupts them: `bounded` checks
//! arguments first, and `pattern` matches what may take long.

mod arguments;
mod bit;
mod bounded;
mod call;
mod enter;
mod failure;
mod from_lua;
mod host;
mod interpreter;
mod json;
mod msgpack;
mod native;
mod number;
mod pace;
mod pattern;
mod plain;
mod random;
mod redis;
mod sealed;
mod sorted;
mod source;
mod structs;
mod tables;
mod tape;
mod to_lua;

#[cfg(test)]
mod library_tests;
#[cfg(test)]
mod tests;

pub use host::{Ending, Host, Verdict};
pub use interpreter::{Compiled, Failed, Interpreter, Replied, Run, with_interpreter};
pub use source::{Rules, Script, Sha, sha_from, sha_of};
