//! Any text of a configuration file is read or refused with the line that is wrong; what is read
//! and written back is read as the same.

use std::ffi::OsString;
use std::path::Path;

use weir::config::{Loaded, load};

use super::Input;

/// Lines and pieces of lines, of both languages.
pub const WORDS: &[&str] = &[
    "port 7000\n",
    "port = 7000\n",
    "maxmemory 100mb\n",
    "maxmemory = \"1gb\"\n",
    "# a comment\n",
    "timeout 30\n",
    "timeout = 30\n",
    "maxclients 99\n",
    "maxclients=99\n",
    "loglevel notice\n",
    "client-output-buffer-limit pubsub 32mb 8mb 60\n",
    "client-output-buffer-limit normal 0 0 0\n",
    "weir-policy \"q* MAX-LENGTH 5\"\n",
    "bind 127.0.0.1 ::1\n",
    "bind = [\"127.0.0.1\"]\n",
    "user alice on nopass ~* +@all\n",
    "rename-command FLUSHALL sweep\n",
    "requirepass \"a b\\x41\"\n",
    "requirepass 'it''s'\n",
    "save \"\"\n",
    "appendonly no\n",
    "notify-keyspace-events KEA\n",
    "pubsub-overflow drop-oldest\n",
    "slowlog-log-slower-than -1\n",
    "slowlog-max-len 10\n",
    "[server]\n",
    "[[a]]\n",
    "\"",
    "'",
    "\\",
    "\n",
    "=",
    " ",
    "\t",
    "#",
    "0",
    "-1",
    "yes",
    "no",
    "18446744073709551616",
    "hz 10\n",
    "proto-max-bulk-len 1mb\n",
    "latency-monitor-threshold 5\n",
];

/// The first byte says which language its name has, then come pieces and bytes of its own.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let name = ["weir.conf", "weir.toml"][usize::from(input.byte() % 2)];
    let mut text = Vec::new();
    while !input.is_empty() {
        match input.byte() {
            255 => text.extend_from_slice(input.chunk()),
            at => text.extend_from_slice(WORDS[usize::from(at) % WORDS.len()].as_bytes()),
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, &text).expect("a file");
    let Some(before) = read(&path, true) else {
        return;
    };
    let after = read(&path, false).expect("what was written is read");
    assert_eq!(before, after, "{}", text.escape_ascii());
}

/// All settings that a file makes, which is then written back if that is wanted; `None` if it is
/// refused.
fn read(path: &Path, rewrites: bool) -> Option<Vec<(&'static str, String)>> {
    let args = [OsString::from("weir"), path.into()];
    match load(args.into_iter(), std::iter::empty()) {
        Ok(Loaded::Run(start)) => {
            if rewrites && start.config.rewrite().is_err() {
                return None;
            }
            Some(start.config.get(|_| true))
        }
        Ok(Loaded::Answer(answer)) => panic!("nobody asked: {answer}"),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}
