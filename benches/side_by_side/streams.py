"""Streams: CPU per operation, XAUTOCLAIM in a long pending list, memory per entry.

The entries have one field and a value of 64 bytes, and ids that count from 1, so that any of them
can be named. The null server is sent the same, and answers as ever.
"""

import sys

from machine import SERVER_CORE, alone
from operations import CONNECTIONS, OPERATIONS, VALUE, WARM_UP_SHARE, drive, in_turn
from wire import Wire, connect, encode, in_rounds

STREAM = "bench:stream"
GROUP = "bench:group"
ENTRIES = 1_000_000
DUE = 10
DUE_MS = 600_000
AT_ONCE = 10_000

# Command, pipeline depths, operations per round as a share of those of `core`.
TESTS = {
    "XADD": (["XADD", STREAM, "*", "field", VALUE], [1, 16, 64], 1),
    "XADD MAXLEN": (["XADD", STREAM, "MAXLEN", "~", "1000", "*", "field", VALUE], [16, 64], 1),
    "XREADGROUP COUNT 1": (
        ["XREADGROUP", "GROUP", GROUP, "consumer", "COUNT", "1", "STREAMS", STREAM, ">"], [16], 0.4,
    ),
    "XREADGROUP COUNT 100": (
        ["XREADGROUP", "GROUP", GROUP, "consumer", "COUNT", "100", "STREAMS", STREAM, ">"], [16], 0.007,
    ),
    "XACK": (None, [16], 0.4),
    "XRANGE of 100": (["XRANGE", STREAM, "__rand_int__", "+", "COUNT", "100"], [16], 0.02),
}  # fmt: skip


def add_entries(wire, count, first=1):
    """Adds entries with ids from `first` on."""
    for start in range(first, first + count, AT_ONCE):
        ids = range(start, min(start + AT_ONCE, first + count))
        requests = b"".join(encode("XADD", STREAM, f"{id_}-0", "field", VALUE) for id_ in ids)
        # The reply to each is a length and an id: two lines.
        wire.pipeline(requests, 2 * len(ids))


def read_all(wire, count):
    """Has the group deliver everything to one consumer, without looking at it."""
    wire.line("XGROUP", "CREATE", STREAM, GROUP, "0")
    for _ in range(0, count, AT_ONCE):
        request = ["GROUP", GROUP, "consumer", "COUNT", AT_ONCE, "STREAMS", STREAM, ">"]
        # What comes after the entries tells that they have ended.
        wire.socket.sendall(encode("XREADGROUP", *request) + encode("ECHO", "end of reading"))
        wire.until(b"end of reading\r\n")


def prepare(server, test, count):
    """A stream as the test needs it."""
    if not server.stores:
        return
    with Wire(server.port) as wire:
        wire.line("DEL", STREAM)
        if test.startswith("XADD"):
            return
        needed = count * (100 if test.endswith("COUNT 100") else 1)
        entries = ENTRIES if test.startswith("XRANGE") else needed
        add_entries(wire, entries)
        if test == "XACK":
            read_all(wire, entries)
        else:
            wire.line("XGROUP", "CREATE", STREAM, GROUP, "0")


def acknowledge(server, pipeline, first, count):
    """Acknowledges entries in order, each by a command of its own."""
    batches = []
    for start in range(first, first + count, pipeline):
        ids = range(start, min(start + pipeline, first + count))
        requests = b"".join(encode("XACK", STREAM, GROUP, f"{id_}-0") for id_ in ids)
        batches.append((requests, len(ids)))
    wires = [connect(server.port) for _ in range(CONNECTIONS)]
    seconds = in_rounds(wires, batches)
    for wire in wires:
        wire.close()
    return {"ops_per_s": count / seconds}


def measure(server, test, pipeline, count):
    """Warm-up, then one measured run."""
    command = TESTS[test][0]
    warm_up = int(count * WARM_UP_SHARE)
    extra = ["-r", str(ENTRIES)] if test.startswith("XRANGE") else []

    def run(first, operations):
        if command is None:
            return acknowledge(server, pipeline, first, operations)
        return drive(server.port, command, pipeline, operations, extra)

    run(1, warm_up)
    before = server.settled_cpu_ns()
    figures = run(1 + warm_up, count)
    figures["cpu_us_per_op"] = (server.settled_cpu_ns() - before) / 1000 / count
    return figures


def commands(records, servers, round_, scale):
    """CPU per operation of single commands, every server in turn."""

    def case(server, test, pipeline):
        count = int(OPERATIONS[pipeline] * TESTS[test][2] * scale)
        prepare(server, test, count + int(count * WARM_UP_SHARE))
        return measure(server, test, pipeline, count)

    in_turn(records, "streams", servers, round_, TESTS, lambda test: TESTS[test][1], case)


def spent_us(wire, command):
    """Microseconds that a command took on average, as the server counts them."""
    wire.socket.sendall(encode("INFO", "commandstats"))
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        text += bytes(wire.receive())
    line = next(line for line in text.decode().splitlines() if line.startswith(f"cmdstat_{command}:"))
    return float(dict(pair.split("=") for pair in line.split(":")[1].split(","))["usec_per_call"])


def pending(records, servers, round_):
    """Memory per entry and per pending entry, and XAUTOCLAIM of the few that are due among them,
    each on a fresh server."""
    for server in servers:
        if not server.stores:
            continue
        try:
            server.start([SERVER_CORE])
            with alone(), Wire(server.port) as wire:
                before = server.rss_bytes()
                add_entries(wire, ENTRIES)
                filled = server.rss_bytes()
                read_all(wire, ENTRIES)
                read = server.rss_bytes()
                claims = 5
                for attempt in range(claims):
                    for part in range(DUE):
                        id_ = f"{part * (ENTRIES // DUE) + attempt + 1}-0"
                        idle = ["IDLE", DUE_MS, "JUSTID"]
                        wire.pipeline(encode("XCLAIM", STREAM, GROUP, "consumer", 0, id_, *idle), 3)
                    request = [STREAM, GROUP, "other", DUE_MS // 2, "0", "COUNT", DUE, "JUSTID"]
                    wire.socket.sendall(encode("XAUTOCLAIM", *request) + encode("ECHO", "end"))
                    wire.until(b"end\r\n")
                records.add(
                    round_, "streams", f"{ENTRIES:,} entries", 1, server.name,
                    rss_bytes_per_entry=(filled - before) / ENTRIES,
                    rss_bytes_per_pending=(read - filled) / ENTRIES,
                    xautoclaim_us=spent_us(wire, "xautoclaim"),
                )  # fmt: skip
        except (OSError, RuntimeError) as error:
            print(f"{server.name} {ENTRIES} entries: {error}", file=sys.stderr)
        finally:
            server.stop()
