"""Resident memory: per queued message, after a drain, per queue, and per idle connection."""

import sys
import time

from machine import SERVER_CORE, alone
from wire import Wire, connect, drain, encode, fill

QUEUE = "bench:queue"
MESSAGES = {16: 5_000_000, 64: 5_000_000, 1024: 500_000}
QUEUES = 100_000
QUEUE_MESSAGE_BYTES = 64
CONNECTIONS = 10_000
IDLE_SECONDS = 2
AT_ONCE = 10_000


def queued(records, servers, round_, scale, waits):
    """Section `memory`. Every server is started afresh for each size, and so that the wait after
    the drain is spent once, all are filled and drained in turn and then watched together."""
    for size, full_count in MESSAGES.items():
        count = int(full_count * scale)
        test = f"{size} bytes"
        started, drained = [], []
        try:
            for server in servers:
                if server.stores:
                    try:
                        started.append((server.start([SERVER_CORE]), *_fill(server, count, size)))
                    except (OSError, RuntimeError) as error:
                        print(f"{server.name} {test}: {error}", file=sys.stderr)
            for server, before, full in started:
                per_message = (full - before) / count
                records.add(
                    round_, "memory", test, 1, server.name,
                    messages=count, rss_bytes_per_message=per_message,
                )  # fmt: skip
                try:
                    with alone(), Wire(server.port) as wire:
                        drain(wire, QUEUE, count, size)
                        if wire.number("LLEN", QUEUE) != 0:
                            raise RuntimeError("messages are left after the drain")
                    drained.append((time.monotonic(), server, before, full))
                except (OSError, RuntimeError) as error:
                    print(f"{server.name} drain of {test}: {error}", file=sys.stderr)
            _watch(records, round_, test, drained, waits)
        finally:
            for server in servers:
                server.stop()


def _fill(server, count, size):
    """RSS before and after."""
    with alone(), Wire(server.port) as wire:
        before = server.rss_bytes()
        fill(wire, QUEUE, count, size)
        if wire.number("LLEN", QUEUE) != count:
            raise RuntimeError("messages are missing after the fill")
        return before, server.rss_bytes()


def _watch(records, round_, test, drained, waits):
    """The share of the queue's memory that is back after each wait."""
    moments = [
        (end + wait, wait, server, before, full)
        for end, server, before, full in drained
        for wait in waits
    ]
    for moment, wait, server, before, full in sorted(moments, key=lambda entry: entry[0]):
        time.sleep(max(0, moment - time.monotonic()))
        share = (full - server.rss_bytes()) / (full - before)
        records.add(
            round_, "memory", test, 1, server.name, **{f"given_back_share_{wait}_s": share}
        )


def queues(records, servers, round_):
    """Section `queues`: RSS of a hundred thousand queues of one message each, beyond the message;
    the name is part of it, but for its bytes."""
    value = b"v" * QUEUE_MESSAGE_BYTES
    names = [b"queue:%06d" % index for index in range(QUEUES)]
    payload_bytes = QUEUE_MESSAGE_BYTES + len(names[0])
    for server in servers:
        if not server.stores:
            continue
        try:
            server.start([SERVER_CORE])
            with alone(), Wire(server.port) as wire:
                before = server.rss_bytes()
                for start in range(0, QUEUES, AT_ONCE):
                    batch = names[start : start + AT_ONCE]
                    wire.pipeline(b"".join(encode("LPUSH", name, value) for name in batch), len(batch))
                held = server.rss_bytes()
            records.add(
                round_, "queues", f"{QUEUES:,} queues of one message", 1, server.name,
                rss_bytes_beyond_message=(held - before) / QUEUES - payload_bytes,
            )  # fmt: skip
        except (OSError, RuntimeError) as error:
            print(f"{server.name} {QUEUES} queues: {error}", file=sys.stderr)
        finally:
            server.stop()


def connections(records, servers, round_):
    """Section `connections`: RSS per connection that has done one PING, and what keeping 10,000
    of them costs per second."""
    for server in servers:
        if not server.stores:
            continue
        wires = []
        try:
            with alone():
                server.start([SERVER_CORE])
                before = server.rss_bytes()
                begun = time.monotonic()
                for _ in range(CONNECTIONS):
                    wires.append(connect(server.port))
                opened = time.monotonic()
                for wire in wires:
                    wire.sendall(b"*1\r\n$4\r\nPING\r\n")
                    if not wire.recv(64):
                        raise RuntimeError("a connection was closed")
                held = server.rss_bytes()
                cpu = server.settled_cpu_ns()
                time.sleep(IDLE_SECONDS)
                idle = server.cpu_ns() - cpu
            records.add(
                round_, "connections", f"{CONNECTIONS:,} idle", 1, server.name,
                rss_bytes_per_connection=(held - before) / CONNECTIONS,
                connect_us=(opened - begun) * 1e6 / CONNECTIONS,
                idle_cpu_us_per_s=idle / 1000 / IDLE_SECONDS,
            )  # fmt: skip
        except (OSError, RuntimeError) as error:
            print(f"{server.name} {CONNECTIONS} connections: {error}", file=sys.stderr)
        finally:
            for wire in wires:
                wire.close()
            server.stop()
