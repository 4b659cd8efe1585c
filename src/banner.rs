//! The few lines that the server starts with.

use std::fmt::Write as _;

use crate::config::{Machine, Settings};

/// What the banner tells beside the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Where the server listens, as bound: `127.0.0.1:6379`, `/run/weir.sock`.
    pub addresses: Vec<String>,
    /// Process id.
    pub pid: u32,
    /// Where metrics are to be had, in words.
    pub metrics: String,
}

/// The banner, without a newline at its end.
pub fn banner(settings: &Settings, machine: &Machine, facts: &Facts) -> String {
    let mut text = format!("weir {}, pid {}", env!("CARGO_PKG_VERSION"), facts.pid);
    let mut row = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {name:<10} {value}");
    };
    row("listening", &facts.addresses.join("  "));
    let of_cores = if machine.cores == 1 { "core" } else { "cores" };
    row(
        "workers",
        &format!("{} on {} {of_cores}", settings.workers, machine.cores),
    );
    row(
        "memory",
        &memory(settings.maxmemory_bytes, machine.memory_bytes),
    );
    row("metrics", &facts.metrics);
    text
}

fn memory(limit_bytes: u64, machine_bytes: Option<u64>) -> String {
    let machine =
        machine_bytes.map_or_else(String::new, |bytes| format!(" of {}", in_units(bytes)));
    if limit_bytes == 0 {
        return format!("no limit{}", machine.replace(" of ", " on "));
    }
    format!(
        "at most {}{machine}, then writes are refused",
        in_units(limit_bytes)
    )
}

/// Bytes in the largest unit that leaves at least one of it, with one decimal.
pub fn in_units(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    for (size, unit) in UNITS {
        if bytes >= size {
            let tenths = u128::from(bytes) * 10 / u128::from(size);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banner_says_where_how_many_and_how_much() {
        let settings = Settings {
            workers: 2,
            maxmemory_bytes: 3 << 29,
            ..Settings::default()
        };
        let machine = Machine {
            memory_bytes: Some(2 << 30),
            cores: 4,
            directory: "/".into(),
        };
        let facts = Facts {
            addresses: vec!["127.0.0.1:6379".into(), "/run/weir.sock".into()],
            pid: 7,
            metrics: "INFO on the same port".into(),
        };
        let expected = format!(
            "weir {}, pid 7
  listening  127.0.0.1:6379  /run/weir.sock
  workers    2 on 4 cores
  memory     at most 1.5 GiB of 2.0 GiB, then writes are refused
  metrics    INFO on the same port",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(banner(&settings, &machine, &facts), expected);
    }

    #[test]
    fn memory_without_limit_or_machine() {
        assert_eq!(memory(0, Some(1 << 30)), "no limit on 1.0 GiB");
        assert_eq!(memory(0, None), "no limit");
        assert_eq!(
            memory(999, None),
            "at most 999 bytes, then writes are refused"
        );
        assert_eq!(in_units(u64::MAX), "16777215.9 TiB");
    }
}
