"""CPU per delivery of a published message, by number of subscribers.

Run as a program it is the subscriber process: `fanout.py KIND PORT SUBSCRIBERS` subscribes, says
`ready`, reads as cheaply as it can, and at end of input says how many bytes came.
"""

import os
import selectors
import subprocess
import sys

from machine import CLIENT_CORE, alone, undisturbed
from operations import VALUE
from wire import RECEIVE_BYTES, Wire, encode, in_rounds

CHANNEL = "bench:fanout"
# (subscribers, publishing connections, pipeline, publishes per round). One connection at P=1 is
# one message at a time: each delivery is a write of its own. Many publishers in a pipeline let a
# server put several messages for a subscriber in one write.
CASES = [
    (1, 1, 1, 30_000),
    (10, 1, 1, 15_000),
    (100, 1, 1, 4_000),
    (1000, 1, 1, 400),
    (1, 50, 16, 500_000),
    (10, 50, 16, 100_000),
    (100, 50, 16, 20_000),
    (1000, 50, 16, 3_200),
]


class Redis:
    """Publishing and subscribing as Redis's protocol has it."""

    publication = encode("PUBLISH", CHANNEL, VALUE)
    delivery_bytes = len(encode("message", CHANNEL, VALUE))

    @staticmethod
    def publisher(port):
        return Wire(port)

    @staticmethod
    def subscriber(port):
        wire = Wire(port)
        wire.line("SUBSCRIBE", CHANNEL)
        return wire


class Nats:
    """The same in NATS's, where `verbose` has each publication answered, as Redis answers it."""

    publication = b"PUB %s %d\r\n%s\r\n" % (CHANNEL.encode(), len(VALUE), VALUE.encode())
    delivery_bytes = len(b"MSG %s 1 %d\r\n%s\r\n" % (CHANNEL.encode(), len(VALUE), VALUE.encode()))

    @staticmethod
    def publisher(port):
        wire = Wire(port)
        wire.until(b"\r\n")
        wire.socket.sendall(b'CONNECT {"verbose":true}\r\n')
        wire.until(b"+OK\r\n")
        return wire

    @staticmethod
    def subscriber(port):
        wire = Wire(port)
        wire.until(b"\r\n")
        wire.socket.sendall(b'CONNECT {"verbose":false}\r\nSUB %s 1\r\nPING\r\n' % CHANNEL.encode())
        wire.until(b"PONG\r\n")
        return wire


KINDS = {"redis": Redis, "nats": Nats}


def kind_of(server):
    return "redis" if server.speaks_redis else "nats"


def subscribe(kind, port, count):
    selector = selectors.DefaultSelector()
    wires = [KINDS[kind].subscriber(port) for _ in range(count)]
    for wire in wires:
        wire.socket.setblocking(False)
        selector.register(wire.socket, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    buffer = bytearray(RECEIVE_BYTES)
    received = 0
    # At the end whatever is on its way is read.
    patience = None
    while True:
        ready = selector.select(patience)
        if not ready:
            print(received, flush=True)
            return
        for key, _ in ready:
            if key.fileobj is sys.stdin:
                selector.unregister(sys.stdin)
                patience = 0.2
                continue
            try:
                count = key.fileobj.recv_into(buffer)
            except BlockingIOError:
                continue
            if count == 0:
                selector.unregister(key.fileobj)
            received += count


def measure(server, subscribers, publishers, pipeline, publishes):
    kind = KINDS[kind_of(server)]
    reader = subprocess.Popen(
        ["taskset", "-c", str(CLIENT_CORE), sys.executable, os.path.abspath(__file__),
         kind_of(server), str(server.port), str(subscribers)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wires = []
    try:
        if reader.stdout.readline().strip() != "ready":
            raise RuntimeError("the subscribers did not come up")
        wires = [kind.publisher(server.port) for _ in range(publishers)]
        batches = [(kind.publication * pipeline, pipeline)] * (publishes // pipeline)
        before = server.settled_cpu_ns()
        os.sched_setaffinity(0, [CLIENT_CORE])
        seconds = in_rounds([wire.socket for wire in wires], batches)
        spent = server.settled_cpu_ns() - before
        received, _ = reader.communicate(timeout=60)
    finally:
        os.sched_setaffinity(0, range(os.cpu_count()))
        for wire in wires:
            wire.socket.close()
        reader.kill()
        reader.wait()
    published = len(batches) * pipeline
    delivered = int(received) / kind.delivery_bytes
    return {
        "cpu_us_per_delivery": spent / 1000 / max(delivered, 1),
        "delivered_share": delivered / (published * subscribers),
        "deliveries_per_s": published * subscribers / seconds,
    }


def section(records, servers, round_, scale):
    turn = servers if round_ % 2 else servers[::-1]
    for subscribers, publishers, pipeline, publishes in CASES:
        publishes = int(publishes * scale)
        test = f"{subscribers} from {publishers}"
        with alone():
            for server in turn:
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
    subscribe(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
