//! The server that is measured: what it is, and, if it runs on this machine, what it costs.

use std::fs;

use anyhow::Result;

use super::link::{Control, PATIENCE, Target};

/// A server.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where and as whom to reach it.
    pub target: Target,
    /// What it calls itself, with its version.
    pub name: String,
    /// Its process, if that is on this machine.
    pub pid: Option<u64>,
}

impl Peer {
    /// Asks a server who it is.
    pub fn meet(target: &Target) -> Result<Self> {
        let mut control = Control::open(target, PATIENCE)?;
        let is_local = control.peer().is_some_and(|peer| peer.ip().is_loopback());
        let answer = control.ask(&[b"INFO", b"server"])?;
        let info = String::from_utf8_lossy(answer.text(0)).into_owned();
        let pid = field(&info, "process_id").and_then(|pid| pid.parse().ok());
        let peer = Self {
            target: target.clone(),
            name: name(&info),
            pid,
        };
        // In a container the number may be that of nobody, or of somebody else, out here.
        let is_seen = is_local && peer.cpu_ns().is_some_and(|cpu_ns| cpu_ns > 0);
        Ok(Self {
            pid: peer.pid.filter(|_| is_seen),
            ..peer
        })
    }

    /// Processor time of all its threads so far, in nanoseconds; `None` if it is elsewhere, or where
    /// the kernel keeps no account of threads.
    pub fn cpu_ns(&self) -> Option<u64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid?)).ok()?;
        let mut sum_ns = 0;
        for thread in threads {
            // A thread that has ended meanwhile takes its account with it.
            let path = thread.ok()?.path().join("schedstat");
            sum_ns += run_ns(&fs::read_to_string(path).ok()?)?;
        }
        Some(sum_ns)
    }
}

/// The first number of a schedstat: how long the thread ran.
fn run_ns(schedstat: &str) -> Option<u64> {
    schedstat.split(' ').next()?.parse().ok()
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn name(info: &str) -> String {
    // Those that are not Redis say both who they are and as which Redis they pass.
    let kinds = ["weir", "valkey", "dragonfly", "redis"];
    let known = kinds
        .into_iter()
        .find_map(|kind| Some((kind, field(info, &format!("{kind}_version"))?)));
    known.map_or_else(
        || "unknown".to_owned(),
        |(kind, version)| format!("{kind} {}", version.trim_start_matches("df-v")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_by_the_name_that_is_their_own() {
        let info = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:9.1.2\r\nprocess_id:12\r\n";
        assert_eq!(name(info), "valkey 9.1.2");
        assert_eq!(field(info, "process_id"), Some("12"));
        assert_eq!(name("redis_version:8.2.3\r\n"), "redis 8.2.3");
        assert_eq!(name(""), "unknown");
    }

    #[test]
    fn processor_time_is_that_of_the_threads() {
        assert_eq!(run_ns("123456 7890 12\n"), Some(123_456));
        assert_eq!(run_ns(""), None);
    }
}
