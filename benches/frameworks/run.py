"""Jobs per second of whole frameworks on one server after another: producer, server, worker process.

    run.py FOLDER ROUNDS NAME=SERVER...

FOLDER is where `.ci/test` installed the frameworks. Every round takes all servers, in turning order
and freshly started; printed are medians, the rounds, and the server's CPU time per job.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKS = HERE.parent.parent / "tests/frameworks"
sys.path[:0] = [str(CHECKS)]
from run import start  # noqa: E402

JOBS = {"bullmq": 8000, "sidekiq": 6000}
COMMANDS = {"bullmq": ["node", "bullmq.js"], "sidekiq": ["ruby", "sidekiq.rb"]}
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(name, server, folder):
    """Runs one bench on a fresh server: jobs per second, and the server's CPU time per job in us."""
    jobs = JOBS[name]
    program, file = COMMANDS[name]
    with tempfile.TemporaryDirectory() as place:
        process, port = start(server, subprocess.DEVNULL)
        environment = {
            **os.environ,
            "NODE_PATH": str(folder / "node_modules"),
            "CHECK_PORT": str(port),
            "CHECK_FOLDER": place,
        }
        try:
            done = subprocess.run([program, str(HERE / file), str(jobs)], env=environment, cwd=place,
                                  capture_output=True, text=True, timeout=120)  # fmt: skip
            cpu_us = cpu_s(process.pid) * 1e6 / jobs
        finally:
            process.terminate()
            process.wait(timeout=30)
    if done.returncode != 0:
        raise SystemExit(f"{name} on {server}: {done.stderr[-500:]}")
    return int(done.stdout.split()[-1]), cpu_us


def main():
    folder, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    servers = dict(word.split("=") for word in sys.argv[3:])
    for name in os.environ.get("BENCH_FRAMEWORKS", " ".join(JOBS)).split():
        figures = {server: [] for server in servers}
        for round_ in range(rounds):
            for server in list(servers)[:: 1 if round_ % 2 == 0 else -1]:
                figures[server].append(measure(name, servers[server], folder))
        for server, rows in figures.items():
            jobs, cpu = (statistics.median(column) for column in zip(*rows))
            every = ", ".join(str(row[0]) for row in rows)
            print(f"{name:8} {server:8} {jobs:6.0f} jobs/s ({every}), {cpu:.0f} us of CPU per job",
                  flush=True)


if __name__ == "__main__":
    main()
