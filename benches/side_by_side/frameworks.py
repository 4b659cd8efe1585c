"""CPU per operation of what queue frameworks keep beside their queues: hashes and sets.

Section `frameworks`: one worker on a core of its own against one redis-benchmark thread on the
other, as in `core`.
"""

import sys

from machine import alone, undisturbed
from operations import OPERATIONS, VALUE, measure
from wire import Wire

# Fields and members are drawn from this many, so that after the warm-up most are there already.
SPREAD = 100_000
PIPELINES = [16]

JOB = "bench:job"
JOB_FIELDS = ["name", "data", "opts", "timestamp", "delay", "priority", "attempts", "state",
              "processedOn", "returnvalue"]  # fmt: skip
JOB_VALUES = ["send-mail", VALUE, '{"attempts":3}', "1700000000000", "0", "0", "1", "active",
              "1700000000123", "null"]  # fmt: skip

TESTS = {
    "HSET": ["HSET", "bench:hash", "field:__rand_int__", VALUE],
    "HSET of a job": ["HSET", JOB, "state", "waiting"],
    "HGETALL": ["HGETALL", JOB],
    "SADD": ["SADD", "bench:set", "member:__rand_int__"],
}


def prepare(server):
    """A job as frameworks keep it."""
    if not server.stores:
        return
    with Wire(server.port) as wire:
        pairs = [word for pair in zip(JOB_FIELDS, JOB_VALUES) for word in pair]
        wire.line("DEL", JOB)
        wire.line("HSET", JOB, *pairs)


def section(records, servers, round_, tests, pipelines, scale):
    """For each case every server in turn, in an order that turns around with each round."""
    turn = servers if round_ % 2 else servers[::-1]
    for test in tests:
        with alone():
            for pipeline in pipelines:
                count = int(OPERATIONS[pipeline] * scale)
                for server in turn:
                    def prepared():
                        prepare(server)
                        return measure(server, TESTS[test], pipeline, count, ["-r", str(SPREAD)])

                    try:
                        figures = undisturbed(server, prepared)
                    except (OSError, RuntimeError) as error:
                        print(f"{server.name} {test} P={pipeline}: {error}", file=sys.stderr)
                        continue
                    records.add(round_, "frameworks", test, pipeline, server.name, **figures)
