"""A raw RESP connection, fast enough to fill and drain millions of messages from Python."""

import socket
import time

RECEIVE_BYTES = 1 << 20


def encode(*arguments):
    """One request as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def connect(port, timeout=120):
    stream = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


class Wire:
    def __init__(self, port, timeout=120):
        self.socket = connect(port, timeout)
        self.buffer = bytearray(RECEIVE_BYTES)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self):
        """The next bytes, as a view that is good until the next call."""
        count = self.socket.recv_into(self.buffer)
        if count == 0:
            raise ConnectionError("the server closed the connection")
        return memoryview(self.buffer)[:count]

    def line(self, *arguments):
        """Sends a command whose reply is one line, and returns that line."""
        self.socket.sendall(encode(*arguments))
        reply = b""
        while not reply.endswith(b"\r\n"):
            reply += bytes(self.receive())
        if reply.startswith(b"-"):
            raise RuntimeError(f"{arguments[0]}: {reply.decode().strip()}")
        return reply[:-2]

    def number(self, *arguments):
        return int(self.line(*arguments)[1:])

    def pipeline(self, requests, count):
        """Sends prebuilt requests, and waits for their `count` one-line replies."""
        self.socket.sendall(requests)
        while count > 0:
            received = self.receive()
            count -= bytes(received).count(b"\n")

    def until(self, end):
        """Reads up to bytes that nothing else ends with, and returns the last of what came."""
        tail = b""
        while not tail.endswith(end):
            tail = tail[-len(end):] + bytes(self.receive())
        return tail

    def skip(self, count):
        """Reads `count` bytes and drops them."""
        while count > 0:
            count -= len(self.receive())


def in_rounds(wires, batches):
    """Sends prebuilt batches, pairs of the requests and how many lines answer them, over all
    connections in turn: each waits for its answers before it sends the next. Returns seconds. All
    requests are made before the clock starts: a client that makes them while the server waits
    would be measured too."""
    begun = time.monotonic()
    for at in range(0, len(batches), len(wires)):
        round_ = list(zip(wires, batches[at : at + len(wires)]))
        for wire, (requests, _) in round_:
            wire.sendall(requests)
        for wire, (_, waiting) in round_:
            while waiting > 0:
                waiting -= wire.recv(1 << 16).count(b"\n")
    return time.monotonic() - begun


def messages(count, size):
    """Distinct messages that no server can keep as a number."""
    return [(b"m%07d" % index).ljust(size, b".")[:size] for index in range(count)]


def fill(wire, key, count, size, batch=8192):
    """Pushes `count` messages of `size` bytes, one LPUSH each."""
    requests = b"".join(encode("LPUSH", key, message) for message in messages(batch, size))
    for _ in range(count // batch):
        wire.pipeline(requests, batch)
    rest = count % batch
    if rest:
        requests = b"".join(encode("LPUSH", key, message) for message in messages(rest, size))
        wire.pipeline(requests, rest)


def drain(wire, key, count, size, at_once=1000, commands=8):
    """Pops `count` messages of `size` bytes by LPOP with a count."""
    message_bytes = len(b"$%d\r\n" % size) + size + 2
    while count > 0:
        requests, expected = b"", 0
        for _ in range(commands):
            popped = min(at_once, count)
            if popped == 0:
                break
            requests += encode("LPOP", key, popped)
            expected += len(b"*%d\r\n" % popped) + popped * message_bytes
            count -= popped
        wire.socket.sendall(requests)
        wire.skip(expected)
