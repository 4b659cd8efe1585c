"""The machine: what it is, and the right to measure on it alone."""

import contextlib
import fcntl
import os
import pathlib
import platform
import resource
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

SERVER_CORE = 0
CLIENT_CORE = 1

# Of one core; ticks of /proc/stat are sampled, so a few percent mean nothing.
FOREIGN_SHARE = 0.08
# How often a disturbed measurement is repeated; --repeat sets it.
repetitions = 2

# Between two measurements that hold the machine: builds that wait get their turn.
BREATH_SECONDS = 0.3


@contextlib.contextmanager
def alone():
    """Holds the locks named in WEIR_BENCH_LOCKS (paths, ':' between), so that builds which take
    the last of them shared never run beside a measurement. Without the variable, does nothing."""
    paths = [path for path in os.environ.get("WEIR_BENCH_LOCKS", "").split(":") if path]
    with contextlib.ExitStack() as held:
        for path in paths:
            file = held.enter_context(open(path, "a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    if paths:
        time.sleep(BREATH_SECONDS)


@contextlib.contextmanager
def building():
    """The other side of `alone`: passes the turnstile, then holds the last lock shared."""
    paths = [path for path in os.environ.get("WEIR_BENCH_LOCKS", "").split(":") if path]
    with contextlib.ExitStack() as held:
        for path in paths[:-1]:
            with open(path, "a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
        for path in paths[-1:]:
            file = held.enter_context(open(path, "a"))
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


def raise_file_limit():
    """As many open files as the system grants; servers started later inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _busy_seconds():
    """CPU time that anything on this machine has used."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, *_ = map(int, file.readline().split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own_seconds():
    """CPU time of this process and of its children that have ended."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def undisturbed(server, measurement):
    """Runs a measurement again, up to `repetitions` times, when something else took more than
    FOREIGN_SHARE of a core meanwhile. Returns the least disturbed figures, with that share."""
    best = None
    for _ in range(1 + repetitions):
        begun, busy, own = time.monotonic(), _busy_seconds(), _own_seconds()
        served = server.cpu_ns()
        figures = measurement()
        foreign = _busy_seconds() - busy - (_own_seconds() - own)
        foreign -= (server.cpu_ns() - served) / 1e9
        share = max(0.0, foreign / (time.monotonic() - begun))
        if best is None or share < best["foreign_share"]:
            best = {**figures, "foreign_share": share}
        if share <= FOREIGN_SHARE:
            break
    return best


def go_first():
    """Ahead of whatever else wakes up on this machine, when allowed; children inherit it.
    Returns the niceness in force."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except PermissionError:
        pass
    return os.getpriority(os.PRIO_PROCESS, 0)


def output_of(*command):
    """First line a command prints, or an empty string when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    except OSError:
        return ""
    return (done.stdout or done.stderr).strip().split("\n")[0]


def commit():
    """(short hash, whether the tree differs from it)."""
    tree = subprocess.run(
        ["git", "status", "--porcelain"], capture_output=True, text=True, cwd=ROOT
    )
    hash_ = output_of("git", "rev-parse", "--short=10", "HEAD") or "unknown"
    return hash_, tree.returncode != 0 or bool(tree.stdout.strip())


def host():
    return socket.gethostname().split(".")[0]


def facts():
    """Name and value of what a reader needs to judge the figures."""
    cpu, virtual = "unknown", ""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            cpu = value.strip()
        if name.strip() == "flags" and "hypervisor" in value.split():
            virtual = ", a virtual machine"
    memory_kib = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    return [
        ("CPU", f"{cpu}, {os.cpu_count()} cores{virtual}"),
        ("Memory", f"{memory_kib / 1024 / 1024:.1f} GiB"),
        ("Kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Load before", " ".join(f"{load:.2f}" for load in os.getloadavg())),
        ("Niceness of servers and clients", str(os.getpriority(os.PRIO_PROCESS, 0))),
        ("rustc", output_of("rustc", "--version")),
        ("Python", platform.python_version()),
    ]
