"""How soon a blocked BRPOP gets its message, and how many do, by `weir bench handoff`."""

import json
import subprocess
import sys

from machine import CLIENT_CORE, alone, undisturbed

# (keys, consumers, messages per second). One consumer alone takes a round trip for each message, and
# cannot keep up with the higher rates at any server.
CASES = [
    (1, 1, 5_000), (1, 100, 5_000), (1, 100, 20_000), (1, 100, 50_000),
    (100, 100, 5_000), (100, 100, 20_000), (100, 100, 50_000), (1, 100, None),
]  # fmt: skip
# Without a rate: this many producers send the next message when a consumer has the last one.
SATURATING = 50
UNBOUNDED = 1_000_000_000
WARM_UP_SECONDS = 1


def run(weir, port, keys, consumers, rate, seconds):
    """One run at a rate, or as fast as it goes. Messages are timed from when they were due, the
    first tenth not at all."""
    pace = (
        ["--connections", "1", "--rate", str(rate), "--count", str(rate * seconds)]
        if rate
        else ["--connections", str(SATURATING), "--count", str(UNBOUNDED)]
    )
    done = subprocess.run(
        ["taskset", "-c", str(CLIENT_CORE), str(weir), "bench", "handoff", "--quiet",
         "--server", f"127.0.0.1:{port}", "--keys", str(keys), "--consumers", str(consumers),
         "--seconds", str(seconds), *pace, "--json", "-"],
        capture_output=True, text=True, timeout=60 + seconds,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError((done.stdout + done.stderr).strip())
    (seen,) = json.loads(done.stdout)["runs"]
    return seen


def section(records, servers, weir, round_, seconds):
    turn = servers if round_ % 2 else servers[::-1]
    for keys, consumers, rate in CASES:
        with alone():
            for server in turn:
                # What hands on to whoever waits does not look at keys.
                if not server.stores and keys > 1:
                    continue
                at = f"{rate:,}/s" if rate else "saturated"
                test = f"{consumers} on {keys} key{'s' if keys > 1 else ''}, {at}"

                def measured():
                    run(weir, server.port, keys, consumers, rate, WARM_UP_SECONDS)
                    before = server.settled_cpu_ns()
                    seen = run(weir, server.port, keys, consumers, rate, seconds)
                    spent = server.settled_cpu_ns() - before
                    return {**seen, "cpu_us_per_message": spent / 1000 / seen["sent"]}

                try:
                    seen = undisturbed(server, measured)
                except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                    print(f"{server.name} hand-off {test}: {error}", file=sys.stderr)
                    continue
                figures = {
                    "messages_per_s": seen["per_second"],
                    "cpu_us_per_message": seen["cpu_us_per_message"],
                    "foreign_share": seen["foreign_share"],
                }
                if rate:
                    # Of a closed loop a latency says how many are in it.
                    figures |= {
                        "p50_us": seen["p50_us"], "p99_us": seen["p99_us"],
                        "p999_us": seen["p999_us"], "max_us": seen["max_us"],
                        "producer_late_p99_us": seen["late_p99_us"],
                    }  # fmt: skip
                records.add(round_, "handoff", test, 1, server.name, **figures)
