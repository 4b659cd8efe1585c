"""CPU per operation over many keys, which lie outside of the caches.

Section `spread`: as `core`, but keys are drawn at random from a million strings or a hundred
thousand queues, all of which are there before anything is measured.
"""

from operations import OPERATIONS, VALUE, drive, in_turn, measure
from wire import Wire

PIPELINES = [1, 16]
STRINGS = 1_000_000
QUEUES = 100_000
# What is pushed before, for each queue: so that few pops find nothing.
DEPTH = 12

TESTS = {
    "SET over 1,000,000 keys": (STRINGS, ["SET", "bench:value:__rand_int__", VALUE]),
    "GET over 1,000,000 keys": (STRINGS, ["GET", "bench:value:__rand_int__"]),
    "LPUSH over 100,000 queues": (QUEUES, ["LPUSH", "bench:queue:__rand_int__", VALUE]),
    "RPOP over 100,000 queues": (QUEUES, ["RPOP", "bench:queue:__rand_int__"]),
}


def section(records, servers, round_, scale):
    """Every server in turn for each test; the strings first, then the queues."""

    def case(server, test, pipeline):
        keys, command = TESTS[test]
        return measure(server, command, pipeline, int(OPERATIONS[pipeline] * scale / 2),
                       ["-r", str(keys)])  # fmt: skip

    for keys, maker, times in ((STRINGS, "SET over", 2), (QUEUES, "LPUSH over", DEPTH)):
        tests = {name: test for name, test in TESTS.items() if test[0] == keys}
        (command,) = [test[1] for name, test in tests.items() if name.startswith(maker)]
        for server in servers:
            if server.stores:
                with Wire(server.port) as wire:
                    wire.line("FLUSHALL")
                drive(server.port, command, 64, keys * times, ["-r", str(keys)])
        in_turn(records, "spread", servers, round_, tests, lambda _: PIPELINES, case)
