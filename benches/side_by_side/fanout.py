"""CPU per delivery of a published message, by number of subscribers.

Run as a program it is the subscriber process: `fanout.py PORT SUBSCRIBERS` subscribes, says
`ready`, reads as cheaply as it can, and at end of input says how many bytes came.
"""

import os
import selectors
import subprocess
import sys

from machine import CLIENT_CORE, alone, undisturbed
from operations import VALUE, drive
from wire import RECEIVE_BYTES, Wire, encode

CHANNEL = "bench:fanout"
# (subscribers, publishing connections, pipeline, publishes per round). One connection at P=1 is
# one message at a time: each delivery is a write of its own. Many publishers in a pipeline let a
# server put several messages for a subscriber in one write.
CASES = [
    (1, 1, 1, 30_000),
    (10, 1, 1, 15_000),
    (100, 1, 1, 4_000),
    (1, 50, 16, 500_000),
    (10, 50, 16, 100_000),
    (100, 50, 16, 20_000),
]
DELIVERY_BYTES = len(encode("message", CHANNEL, VALUE))


def subscribe(port, count):
    selector = selectors.DefaultSelector()
    wires = [Wire(port) for _ in range(count)]
    for wire in wires:
        wire.line("SUBSCRIBE", CHANNEL)
        wire.socket.setblocking(False)
        selector.register(wire.socket, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    buffer = bytearray(RECEIVE_BYTES)
    received = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is sys.stdin:
                print(received, flush=True)
                return
            try:
                count = key.fileobj.recv_into(buffer)
            except BlockingIOError:
                continue
            if count == 0:
                selector.unregister(key.fileobj)
            received += count


def measure(server, subscribers, publishers, pipeline, publishes):
    reader = subprocess.Popen(
        ["taskset", "-c", str(CLIENT_CORE), sys.executable, os.path.abspath(__file__),
         str(server.port), str(subscribers)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if reader.stdout.readline().strip() != "ready":
            raise RuntimeError("the subscribers did not come up")
        before = server.settled_cpu_ns()
        command = ["PUBLISH", CHANNEL, VALUE]
        figures = drive(server.port, command, pipeline, publishes, connections=publishers)
        spent = server.settled_cpu_ns() - before
        received, _ = reader.communicate(timeout=60)
    finally:
        reader.kill()
        reader.wait()
    delivered = int(received) / DELIVERY_BYTES
    return {
        "cpu_us_per_delivery": spent / 1000 / max(delivered, 1),
        "delivered_share": delivered / (publishes * subscribers),
        "deliveries_per_s": figures["ops_per_s"] * subscribers,
    }


def section(records, servers, round_, scale):
    turn = servers if round_ % 2 else servers[::-1]
    for subscribers, publishers, pipeline, publishes in CASES:
        publishes = int(publishes * scale)
        test = f"{subscribers} from {publishers}"
        with alone():
            for server in turn:
                if not server.stores:
                    continue
                try:
                    figures = undisturbed(
                        server,
                        lambda: measure(server, subscribers, publishers, pipeline, publishes),
                    )
                except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                    print(f"{server.name} fan-out {test}: {error}", file=sys.stderr)
                    continue
                records.add(round_, "fanout", test, pipeline, server.name, **figures)


if __name__ == "__main__":
    subscribe(int(sys.argv[1]), int(sys.argv[2]))
