"""CPU per operation of what queue frameworks keep beside their queues: hashes, sets, sorted sets;
and of scripts that read jobs.

Section `frameworks`: one worker on a core of its own against one client thread on the other, as in
`core`.
"""

import hashlib

from operations import OPERATIONS, VALUE, WARM_UP_SHARE, drive, in_turn, measure
from wire import Wire

# Fields and members are drawn from this many, so that after the warm-up most are there already.
SPREAD = 100_000
PIPELINES = [16]

JOB = "bench:job"
JOB_FIELDS = ["name", "data", "opts", "timestamp", "delay", "priority", "attempts", "state",
              "processedOn", "returnvalue"]  # fmt: skip
JOB_VALUES = ["send-mail", VALUE, '{"attempts":3}', "1700000000000", "0", "0", "1", "active",
              "1700000000123", "null"]  # fmt: skip

# A job as its producer hands it to a script.
PAYLOAD = ('{"id":"1234","name":"send-mail","data":{"to":"a@b.c","subject":"hello","n":[1,2,3,4]},'
           '"opts":{"attempts":3,"backoff":{"type":"exponential","delay":1000}},'
           '"ts":1700000000000}')  # fmt: skip
DECODE = "return cjson.decode(ARGV[1]).id"
UNPACK = "return cmsgpack.unpack(cmsgpack.pack({KEYS[1], ARGV[1], 'x', 1, 2, 3, false}))[2]"


def evalsha(script, *words):
    return ["EVALSHA", hashlib.sha1(script.encode()).hexdigest(), *words]


TESTS = {
    "EVALSHA cjson": evalsha(DECODE, "0", PAYLOAD),
    "EVALSHA cmsgpack": evalsha(UNPACK, "1", JOB, "1234"),
    "HSET": ["HSET", "bench:hash", "field:__rand_int__", VALUE],
    "HSET of a job": ["HSET", JOB, "state", "waiting"],
    "HGETALL": ["HGETALL", JOB],
    "SADD": ["SADD", "bench:set", "member:__rand_int__"],
    # Delayed jobs by the moment that they are due, and prioritized ones.
    "ZADD": ["ZADD", "bench:delayed", "__rand_int__", "job:__rand_int__"],
    "ZRANGEBYSCORE LIMIT": ["ZRANGEBYSCORE", "bench:delayed", "0", "__rand_int__",
                            "LIMIT", "0", "10"],
    "ZPOPMIN": ["ZPOPMIN", "bench:prioritized"],
}


def prepare(server, test, count):
    """A job as frameworks keep it, and as many prioritized ones as are popped."""
    if not server.stores:
        return
    if test == "ZPOPMIN":
        # Some of the random members are alike, so more are sent than are needed.
        spread = ["-r", str(100 * count)]
        add = ["ZADD", "bench:prioritized", "__rand_int__", "job:__rand_int__"]
        drive(server.port, add, 64, int(count * (1 + WARM_UP_SHARE) * 1.05), spread)
    with Wire(server.port) as wire:
        pairs = [word for pair in zip(JOB_FIELDS, JOB_VALUES) for word in pair]
        wire.line("DEL", JOB)
        wire.line("HSET", JOB, *pairs)
        for script in (DECODE, UNPACK):
            wire.line("SCRIPT", "LOAD", script)


def section(records, servers, round_, tests, pipelines, scale):
    """CPU per operation of each, every server in turn."""

    def case(server, test, pipeline):
        count = int(OPERATIONS[pipeline] * scale)
        prepare(server, test, count)
        return measure(server, TESTS[test], pipeline, count, ["-r", str(SPREAD)])

    in_turn(records, "frameworks", servers, round_, tests, lambda _: pipelines, case)
