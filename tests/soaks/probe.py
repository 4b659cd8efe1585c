"""An untouched queue: messages are handed from one client to another on a schedule that does not
wait for the server, and each is timed from the moment at which it was due."""

import array
import bisect
import gc
import os
import select
import statistics
import time

from load import Client, Load, percentile

QUEUE = "untouched"
# Requests that wait at the server at any moment, so that it never waits for the consumer.
AHEAD = 16
NUMBER = "%012d"
WAIT = Client.encode("BRPOP", QUEUE, 0)
REPLY_BYTES = len(Client.encode(QUEUE, NUMBER % 0))


def capacity(port):
    """Messages a second that go one after the other, each sent when the last has come."""
    consumer, producer = Client(port), Client(port)
    sent, ends = 0, time.monotonic() + 1
    while time.monotonic() < ends:
        consumer.send("BRPOP", QUEUE, 0)
        producer.must("LPUSH", QUEUE, NUMBER % sent)
        consumer.read()
        sent += 1
    consumer.socket.close()
    producer.socket.close()
    return sent


def run(port, rate, stop):
    """Until the end: when the first message was due; the numbers of those that came and how late
    each was, in seconds; how late each was sent, which is the sender's doing and not the server's;
    and how many were refused."""
    # Ahead of all loads on this core: what is timed is the server.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    gc.disable()
    consumer, producer = Client(port).socket, Client(port).socket
    for side in (consumer, producer):
        side.setblocking(False)
    consumer.sendall(WAIT * AHEAD)
    numbers, late, own = array.array("q"), array.array("d"), array.array("d")
    sent, refused, unsent, partial = 0, 0, b"", b""
    began = time.monotonic() + 0.01
    while not (stop.is_set() and sent == len(late) + refused):
        passed = time.monotonic() - began
        due = 0 if stop.is_set() else int(passed * rate) + 1 - sent
        if due > 0:
            own.extend(passed - number / rate for number in range(sent, sent + due))
            pushes = (Client.encode("LPUSH", QUEUE, NUMBER % n) for n in range(sent, sent + due))
            unsent += b"".join(pushes)
            sent += due
        if unsent:
            try:
                unsent = unsent[producer.send(unsent) :]
            except BlockingIOError:
                pass
        until = began + sent / rate - time.monotonic()
        ready, _, _ = select.select([consumer, producer], [], [], max(0.0, min(until, 0.1)))
        if consumer in ready:
            came = consumer.recv(1 << 20)
            now = time.monotonic()
            if not came:
                raise ConnectionError("the consumer of the untouched queue was closed")
            came = partial + came
            whole = len(came) // REPLY_BYTES
            partial = came[whole * REPLY_BYTES :]
            consumer.sendall(WAIT * whole)
            for end in range(REPLY_BYTES, len(came) + 1, REPLY_BYTES):
                number = int(came[end - 14 : end - 2])
                assert not numbers or number > numbers[-1], "in order, and none twice"
                numbers.append(number)
                late.append(now - began - number / rate)
        if producer in ready:
            replies = producer.recv(1 << 20)
            if not replies:
                raise ConnectionError("the producer of the untouched queue was closed")
            refused += replies.count(b"-")
    return began, numbers.tobytes(), late.tobytes(), own.tobytes(), refused


class Probe:
    """The untouched queue at half of what it can do."""

    def __init__(self, port):
        self.rate = capacity(port) // 2
        self.load = Load(run, port, self.rate)
        self.windows = []

    def window(self, name):
        """What is due from now to `end` belongs together."""
        self.windows.append([name, time.monotonic(), None])

    def end_window(self):
        self.windows[-1][2] = time.monotonic()

    def end(self):
        """The windows of each name: times and the sender's part in them, both sorted. And how many
        messages were refused."""
        began, numbers, late, own, refused = self.load.end()
        numbers = array.array("q", numbers)
        late, own = array.array("d", late), array.array("d", own)
        found = {}
        for name, *moments in self.windows:
            edges = [(at - began) * self.rate for at in moments]
            came = slice(*(bisect.bisect_left(numbers, edge) for edge in edges))
            sent = slice(*map(int, edges))
            window = sorted(late[came]), sorted(own[sent])
            found.setdefault(name, []).append(window)
        return found, refused


def figures(windows):
    """The middle, the 99th percentile and the longest, and the 99th percentile of the sender's own
    delay, in microseconds: of each the median of the windows."""
    of_each = (
        (percentile(late, 0.5), percentile(late, 0.99), late[-1], percentile(own, 0.99))
        for late, own in windows
    )  # fmt: skip
    return [statistics.median(column) * 1e6 for column in zip(*of_each)]
