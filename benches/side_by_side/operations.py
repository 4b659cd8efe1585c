"""CPU per operation, throughput and latency of single commands, driven by redis-benchmark.

Four sections: `core`, one worker on a core of its own against one redis-benchmark thread on the
other; `frameworks`, the same with what the frameworks on top send; `large`, the same with messages
of 64 KiB; and `workers`, Weir with a worker on every core against Redis on one, keys spread.
"""

import csv
import hashlib
import subprocess
import sys

from machine import CLIENT_CORE, alone, undisturbed
from wire import Wire, fill

VALUE_BYTES = 64
VALUE = "v" * VALUE_BYTES
CONNECTIONS = 50
PIPELINES = [1, 16, 64]

# Operations per round: the slowest server spends about a second on them.
OPERATIONS = {1: 160_000, 16: 1_200_000, 64: 2_400_000}
WARM_UP_SHARE = 0.1
LARGE_BYTES = 64 << 10
LARGE_OPERATIONS = 6_000

QUEUE = "bench:queue"
SPREAD_KEYS = 64
SPREAD_QUEUE = "bench:queue:__rand_int__"
QUEUES = [QUEUE] + [f"bench:queue:{index:012}" for index in range(SPREAD_KEYS)]

CORE_TESTS = {
    "PING": ["PING"],
    "LPUSH": ["LPUSH", QUEUE, VALUE],
    "RPOP": ["RPOP", QUEUE],
    "SET": ["SET", "bench:value", VALUE],
    "GET": ["GET", "bench:value"],
    "INCR": ["INCR", "bench:counter"],
    "PUBLISH": ["PUBLISH", "bench:channel", VALUE],
}
# Pushes a message and keeps the list short, as a script.
PUSH_AND_TRIM = (
    "redis.call('LPUSH',KEYS[1],ARGV[1]) redis.call('LTRIM',KEYS[1],0,99) return 1"
)
PUSH_AND_TRIM_SHA = hashlib.sha1(PUSH_AND_TRIM.encode()).hexdigest()

FRAMEWORKS_TESTS = {
    "EVALSHA LPUSH+LTRIM": ["EVALSHA", PUSH_AND_TRIM_SHA, "1", QUEUE, VALUE],
}
WORKERS_TESTS = {
    "PING": ["PING"],
    "LPUSH": ["LPUSH", SPREAD_QUEUE, VALUE],
    "RPOP": ["RPOP", SPREAD_QUEUE],
    "SET": ["SET", "bench:value:__rand_int__", VALUE],
    "GET": ["GET", "bench:value:__rand_int__"],
    "PUBLISH": ["PUBLISH", "bench:channel:__rand_int__", VALUE],
    "LPUSH one key": ["LPUSH", QUEUE, VALUE],
}
QUICK_TESTS = ["PING", "LPUSH", "RPOP", "SET", "GET", "PUBLISH"]


def drive(port, command, pipeline, count, extra=(), core=CLIENT_CORE, connections=CONNECTIONS):
    """One redis-benchmark run. Returns operations per second and latencies in milliseconds."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    done = subprocess.run(
        [*pin, "redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-c", str(connections),
         "-n", str(count), "-P", str(pipeline), "--csv", "--precision", "3", *extra, *command],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith('"')]
    if done.returncode != 0 or len(lines) < 2:
        said = (done.stderr or done.stdout).strip()[-300:]
        raise RuntimeError(f"redis-benchmark ended with {done.returncode}: {said}")
    row = next(csv.DictReader(lines))
    return {
        "ops_per_s": float(row["rps"]),
        "p50_ms": float(row["p50_latency_ms"]),
        "p99_ms": float(row["p99_latency_ms"]),
    }


def prepare(server, test, count):
    """Empties or fills what the test works on."""
    if not server.stores:
        return
    with Wire(server.port) as wire:
        if test.startswith("EVALSHA"):
            wire.line("SCRIPT", "LOAD", PUSH_AND_TRIM)
            wire.line("DEL", *QUEUES)
        elif test.startswith("LPUSH"):
            wire.line("DEL", *QUEUES)
        elif test == "RPOP":
            missing = count - wire.number("LLEN", QUEUE)
            if missing > 0:
                fill(wire, QUEUE, missing, VALUE_BYTES)
        elif test == "GET":
            wire.line("SET", "bench:value", VALUE)


def measure(server, command, pipeline, count, extra=(), core=CLIENT_CORE):
    """Warm-up, then one measured run."""
    drive(server.port, command, pipeline, int(count * WARM_UP_SHARE), extra, core)
    before = server.settled_cpu_ns()
    figures = drive(server.port, command, pipeline, count, extra, core)
    figures["cpu_us_per_op"] = (server.settled_cpu_ns() - before) / 1000 / count
    return figures


def in_turn(records, section, servers, round_, tests, pipelines, case):
    """For each test and depth every server in turn, so that a slow spell of the machine falls on all
    of them; the order turns around with each round. `case(server, test, pipeline)` prepares a
    server, measures it and returns its figures; `pipelines(test)` are the depths."""
    turn = servers if round_ % 2 else servers[::-1]
    for test in tests:
        with alone():
            for pipeline in pipelines(test):
                for server in turn:
                    try:
                        figures = undisturbed(server, lambda: case(server, test, pipeline))
                    except (OSError, RuntimeError) as error:
                        print(f"{server.name} {test} P={pipeline}: {error}", file=sys.stderr)
                        continue
                    records.add(round_, section, test, pipeline, server.name, **figures)


def one_core(records, servers, round_, tests, pipelines, scale, section="core", known=CORE_TESTS):
    """Section `core`, and the script of `frameworks`."""

    def case(server, test, pipeline):
        count = int(OPERATIONS[pipeline] * scale)
        prepare(server, test, count + int(count * WARM_UP_SHARE))
        return measure(server, known[test], pipeline, count)

    in_turn(records, section, servers, round_, tests, lambda _: pipelines, case)


def large(records, servers, round_, scale):
    """Section `large`. The queue is filled by LPUSH and drained by RPOP, so few are sent."""
    value = "v" * LARGE_BYTES
    tests = {"LPUSH 64 KiB": ["LPUSH", QUEUE, value], "RPOP 64 KiB": ["RPOP", QUEUE]}

    def case(server, test, pipeline):
        count = int(LARGE_OPERATIONS * scale)
        if server.stores:
            with Wire(server.port) as wire:
                wire.line("DEL", QUEUE)
                if test.startswith("RPOP"):
                    needed = count + int(count * WARM_UP_SHARE)
                    fill(wire, QUEUE, needed, LARGE_BYTES, batch=16)
        return measure(server, tests[test], pipeline, count)

    in_turn(records, "large", servers, round_, tests, lambda _: [1, 16], case)


def every_core(records, servers, round_, tests, pipelines, scale):
    """Section `workers`: the client has two threads and nobody but the peers is pinned. CPU per
    operation only: client and server take the cores from each other."""
    extra = ["--threads", "2", "-r", str(SPREAD_KEYS)]

    def case(server, test, pipeline):
        # At P=1 the cost hangs on who happens to run beside whom: average over more.
        count = int(OPERATIONS[pipeline] * scale * (1 if pipeline == 1 else 0.5))
        if test != "GET":
            prepare(server, "LPUSH" if test == "RPOP" else test, 0)
        if test == "RPOP" and server.stores:
            # The lists are hit at random, so they get more than is popped.
            drive(server.port, WORKERS_TESTS["LPUSH"], 64, int(count * 1.3), extra)
        figures = measure(server, WORKERS_TESTS[test], pipeline, count, extra, core=None)
        return {name: figures[name] for name in ("cpu_us_per_op", "ops_per_s")}

    in_turn(records, "workers", servers, round_, tests, lambda _: pipelines, case)
