"""The worker processes of a check, what they did, and waiting for it.

What a job did is also written to files that the server under test knows nothing of: a line per
execution. So a job that is lost, or executed twice, shows whatever the framework says.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

FOLDER = Path(os.environ["CHECK_FOLDER"])
PORT = int(os.environ["CHECK_PORT"])
URL = f"redis://127.0.0.1:{PORT}"
BIN = Path(sys.executable).parent
# How long workers may take to end when asked.
LEAVE_S = 4


def note(line):
    """Notes that a job was executed; called in workers."""
    with open(FOLDER / f"done-{os.getpid()}", "a") as done:
        done.write(f"{line}\n")


def noted():
    """How often each line was noted by all workers together."""
    counts = Counter()
    for path in FOLDER.glob("done-*"):
        counts.update(path.read_text().splitlines())
    return counts


def count(prefix):
    """How many lines with this prefix were noted."""
    return sum(times for line, times in noted().items() if line.startswith(prefix))


def expect(what, actual, expected):
    """Fails unless both are equal."""
    if actual != expected:
        raise SystemExit(f"{what}: {actual!r} and not {expected!r}")


def expect_each(prefix, number, times=1):
    """Fails unless `prefix 0` to `prefix number-1` were noted so many times each."""
    seen = {line: n for line, n in noted().items() if line.startswith(prefix + " ")}
    wanted = {f"{prefix} {n}": times for n in range(number)}
    wrong = {line: seen.get(line, 0) for line in wanted | seen if seen.get(line) != wanted.get(line)}
    if wrong:
        raise SystemExit(f"{prefix}: not {times} times: {dict(list(wrong.items())[:10])} "
                         f"({len(wrong)} in all)")


def until(what, condition, seconds=45):
    """Waits until a condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"after {seconds} s still not: {what}")
        time.sleep(0.02)
    return value


class Crew:
    """Worker processes; they end with the block."""

    def __init__(self):
        self.processes = []

    def hire(self, name, command, **environment):
        """Starts a worker."""
        log = open(FOLDER / f"{name}.log", "w")
        self.processes.append(subprocess.Popen(
            [str(word) for word in command], stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **environment}, start_new_session=True,
        ))

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        died = [process.args for process in self.processes if process.poll() is not None]
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        # What a worker leaves undone after a moment concerns nobody any more.
        deadline = time.monotonic() + LEAVE_S
        for process in self.processes:
            try:
                process.wait(timeout=max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        if kind is not None:
            for log in sorted(FOLDER.glob("*.log")):
                if log.name not in ("check.log", "server.log"):
                    tail = log.read_text(errors="replace").splitlines()[-12:]
                    print(f"-- {log.name}", *tail, sep="\n")
        elif died:
            raise SystemExit(f"workers ended early: {died}")
