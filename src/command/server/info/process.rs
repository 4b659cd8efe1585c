//! What the kernel says of this process. Where it says nothing, nothing is claimed.

use std::fs;

/// Processor time in hundredths of a second, the kernel's tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cpu {
    pub(super) user: u64,
    pub(super) system: u64,
    pub(super) user_children: u64,
    pub(super) system_children: u64,
}

impl Cpu {
    /// Of the whole process.
    pub(super) fn of_process() -> Self {
        Self::read("/proc/self/stat")
    }

    /// Of the thread that the process started with.
    pub(super) fn of_main_thread() -> Self {
        Self::read(&format!("/proc/self/task/{}/stat", std::process::id()))
    }

    fn read(path: &str) -> Self {
        Self::parse(&fs::read_to_string(path).unwrap_or_default())
    }

    /// The name of the program stands in brackets and may hold anything; the times come as the
    /// twelfth and following words behind it.
    fn parse(stat: &str) -> Self {
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let mut times = behind
            .split_ascii_whitespace()
            .skip(11)
            .map(|word| word.parse().unwrap_or(0));
        let mut next = || times.next().unwrap_or(0);
        Self {
            user: next(),
            system: next(),
            user_children: next(),
            system_children: next(),
        }
    }
}

/// Hundredths of a second as seconds with six decimals.
pub(super) fn seconds(hundredths: u64) -> String {
    format!("{}.{:02}0000", hundredths / 100, hundredths % 100)
}

/// Name, release and architecture of the system.
pub(super) fn system() -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/sys/kernel/{file}")).ok();
    let name = read("ostype").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let release = read("osrelease").unwrap_or_default();
    format!(
        "{} {} {}",
        name.trim(),
        release.trim(),
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_the_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 123 45 6 7 20 0";
        let cpu = Cpu {
            user: 123,
            system: 45,
            user_children: 6,
            system_children: 7,
        };
        assert_eq!(Cpu::parse(stat), cpu);
        assert_eq!(Cpu::parse(""), Cpu::default());
        assert_eq!(seconds(123), "1.230000");
    }
}
