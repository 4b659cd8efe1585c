//! What the machine gives the process: memory, cores, the directory it was started in.
//!
//! Memory is the smaller of what the machine has and what the process's cgroup and the groups above
//! it allow, in version 1 or 2 of that interface; containers and services are bounded by the latter.

use std::path::{Path, PathBuf};

/// The resources that defaults are worked out from. Read once at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Memory the process may use; `None` if the system does not say.
    pub memory_bytes: Option<u64>,
    /// Cores available to the process, by affinity and quota; at least one.
    pub cores: u32,
    /// Working directory at start.
    pub directory: PathBuf,
}

impl Machine {
    /// Asks the system.
    pub fn detect() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            memory_bytes: memory_bytes(Path::new("/")),
            cores: u32::try_from(cores).unwrap_or(1),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        }
    }

    /// A share of the memory in bytes; zero, which means no limit, where the memory is unknown.
    pub fn memory_share_bytes(&self, percent: i64) -> i64 {
        let percent = u128::try_from(percent).unwrap_or(0);
        let bytes = u128::from(self.memory_bytes.unwrap_or(0)) * percent / 100;
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

/// The least of all bounds on memory found below `root`, which is `/` outside of tests.
fn memory_bytes(root: &Path) -> Option<u64> {
    let machine = std::fs::read_to_string(root.join("proc/meminfo"))
        .ok()
        .and_then(|text| total_bytes(&text));
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let group = groups
        .lines()
        .filter_map(|line| group_limit_bytes(&root.join("sys/fs/cgroup"), line))
        .min();
    machine.into_iter().chain(group).min()
}

/// `MemTotal` of /proc/meminfo.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// The limit that one line of /proc/self/cgroup (`id:controllers:path`) leads to. Inside a
/// container the path may be the host's and not exist here; the walk up to the mount finds the
/// container's own limit then.
fn group_limit_bytes(mount: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (mount, file) = if controllers.is_empty() {
        (mount.to_owned(), "memory.max")
    } else if controllers.split(',').any(|name| name == "memory") {
        (mount.join("memory"), "memory.limit_in_bytes")
    } else {
        return None;
    };
    let innermost = mount.join(path.trim_start_matches('/'));
    innermost
        .ancestors()
        .take_while(|group| group.starts_with(&mount))
        .filter_map(|group| std::fs::read_to_string(group.join(file)).ok())
        // "max" is no number and no bound.
        .filter_map(|text| text.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: Option<u64>) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(memory_bytes(root.path()), expected, "{files:?}");
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:     1000 kB\nMemFree:  1 kB\n");

    #[test]
    fn memory_is_the_least_of_machine_and_groups() {
        check(&[], None);
        check(&[MEMINFO], Some(1_024_000));
        let v2 = ("proc/self/cgroup", "0::/system.slice/weir.service\n");
        check(&[MEMINFO, v2], Some(1_024_000));
        let max = (
            "sys/fs/cgroup/system.slice/weir.service/memory.max",
            "max\n",
        );
        check(&[MEMINFO, v2, max], Some(1_024_000));
        let slice = ("sys/fs/cgroup/system.slice/memory.max", "5000\n");
        check(&[MEMINFO, v2, max, slice], Some(5000));
    }

    #[test]
    fn version_1_and_paths_of_the_host() {
        let v1 = (
            "proc/self/cgroup",
            "5:cpu:/x\n4:memory,hugetlb:/docker/abc\n0::/\n",
        );
        let own = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "70000\n");
        check(&[MEMINFO, v1, own], Some(70_000));
        let unlimited = (
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        check(&[MEMINFO, v1, unlimited], Some(1_024_000));
    }

    #[test]
    fn this_machine_answers() {
        let machine = Machine::detect();
        assert!(machine.cores >= 1);
        assert!(machine.memory_share_bytes(0) == 0);
    }
}
