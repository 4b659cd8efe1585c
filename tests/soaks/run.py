#!/usr/bin/env python3
"""Soaks of policies: long loads whose outcome is checked, to be run by hand on a quiet machine.

    tests/soaks/run.py BINARY overload [--seconds 600] [--budget-mib 512]
    tests/soaks/run.py BINARY forgotten [--queues 4000] [--budget-mib 256]
    tests/soaks/run.py BINARY stuck [--seconds 30] [--subscribers 100]

overload: a producer at twice the rate of the consumer. RSS stays within the budget and 10%, a
well-behaved queue's hand-off stays quick, and the ledger balances to the message.
forgotten: queues like celeryev.* without consumers fill the budget; the busy queue beside them
loses nothing.
stuck: a subscriber that never reads and a slow one beside fast ones: publishing and receiving take
as long as without them, and what the slow one misses is what the ledger counts as dropped.

Needs Python alone. Each load is a process of its own, so that none waits for another's interpreter.
The server is started on a free port and stopped by its pid.
"""

import argparse
import atexit
import multiprocessing
import random
import selectors
import signal
import socket
import subprocess
import sys
import time

PAYLOAD = b"x" * 2000


class Client:
    """One connection; replies as Python values."""

    def __init__(self, port, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    @staticmethod
    def encode(*words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        return b"".join(parts)

    def send(self, *words):
        self.socket.sendall(self.encode(*words))

    def read(self):
        line = self.stream.readline()
        if not line:
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.stream.read(int(rest) + 2)[:-2]
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def must(self, *words):
        reply = self.ask(*words)
        if isinstance(reply, RuntimeError):
            raise reply
        return reply


class Server:
    """A server of its own for one soak."""

    def __init__(self, binary, *flags):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        flags = [binary, "--bind", "127.0.0.1", "--port", str(self.port), *flags]
        self.process = subprocess.Popen(flags, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        for _ in range(200):
            try:
                Client(self.port).must("PING")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the server does not start")

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Load:
    """A function in a process of its own, given an event to end at; what it returns comes back."""

    def __init__(self, run, *args):
        self.stop = multiprocessing.Event()
        self.mine, its = multiprocessing.Pipe()

        def act():
            its.send(run(*args, self.stop))

        self.process = multiprocessing.Process(target=act, daemon=True)
        self.process.start()

    def end(self):
        self.stop.set()
        result = self.mine.recv()
        self.process.join()
        return result


def ledger(client, *key):
    flat = client.must("WEIR.LEDGER", *key)
    return {name.decode(): count for name, count in zip(flat[::2], flat[1::2])}


def lost(counts):
    """What a ledger says of queues: the sum over all causes."""
    others = ("outbox_", "stream_", "groups_")
    outside = {"in", "out", "held", "returned", "delayed"}
    return sum(
        count
        for name, count in counts.items()
        if not name.endswith("_bytes") and not name.startswith(others) and name not in outside
    )


def expect(holds, what):
    print(("ok    " if holds else "FAILED"), what, flush=True)
    return holds


def percentile(values, share):
    return sorted(values)[int(len(values) * share)] if values else 0.0


def paced(stop, interval):
    """Steps at an even pace until the end; late steps are not made up for."""
    at = time.monotonic()
    while not stop.is_set():
        yield
        at = max(at + interval, time.monotonic() - interval)
        time.sleep(max(0.0, at - time.monotonic()))


def hand_off(port, stop):
    """Times from a push to the end of the reply of who waited for it, in seconds."""
    waiter, pusher, times = Client(port), Client(port), []
    for _ in paced(stop, 0.01):
        waiter.send("BRPOP", "well-behaved", 0)
        # The server has seen the waiter when it answers a request that came after.
        while b" cmd=brpop" not in pusher.must("CLIENT", "LIST"):
            time.sleep(0.001)
        began = time.monotonic()
        pusher.must("LPUSH", "well-behaved", "x")
        waiter.read()
        times.append(time.monotonic() - began)
    return times


def produce(port, per_second, stop):
    client, batch = Client(port), per_second // 100
    request, taken = Client.encode("LPUSH", "work", PAYLOAD) * batch, 0
    for _ in paced(stop, 0.01):
        client.socket.sendall(request)
        taken += sum(isinstance(client.read(), int) for _ in range(batch))
    return taken


def consume(port, per_second, stop):
    client, batch, popped = Client(port), per_second // 100, 0
    for _ in paced(stop, 0.01):
        popped += len(client.must("RPOP", "work", batch) or ())
    return popped


def watch(pid, stop):
    peak = 0
    for _ in paced(stop, 0.02):
        with open(f"/proc/{pid}/statm") as statm:
            peak = max(peak, int(statm.read().split()[1]) * 4096)
    return peak


def overload(binary, args):
    budget = args.budget_mib << 20
    server = Server(binary, "--maxmemory", str(budget), "--policy", "work memory shed")
    quiet_for = min(20, args.seconds / 4)
    timer = Load(hand_off, server.port)
    time.sleep(quiet_for)
    calm = timer.end()
    loads = [
        Load(produce, server.port, args.per_second * 2),
        Load(consume, server.port, args.per_second),
        Load(watch, server.process.pid),
    ]
    # What is timed is the full server.
    while server.rss_bytes() < budget * 0.9:
        time.sleep(0.1)
    timer = Load(hand_off, server.port)
    time.sleep(args.seconds)
    busy = timer.end()
    pushed, popped, peak = [load.end() for load in loads]
    client = Client(server.port)
    total, work = ledger(client), ledger(client, "work")
    good = expect(peak <= budget * 1.1, f"peak RSS {peak >> 20} MiB of {budget >> 20}")
    for share in (0.5, 0.99):
        quick, slow = percentile(calm, share) * 1e3, percentile(busy, share) * 1e3
        text = f"hand-off p{share * 100:.0f} {quick:.3f} ms unloaded, {slow:.3f} loaded"
        good &= expect(slow <= 2 * quick, f"{text} ({len(calm)}, {len(busy)} times)")
    good &= expect(work["in"] == pushed, f"{pushed} pushed, {work['in']} in the ledger")
    good &= expect(work["out"] == popped, f"{popped} popped, {work['out']} in the ledger")
    balance = total["out"] + total["held"] + lost(total)
    good &= expect(total["in"] == balance, f"{lost(total)} lost of {total['in']}, balanced")
    good &= expect(total["held"] == client.must("LLEN", "work"), f"{total['held']} held")
    good &= expect(total["memory_pressure"] > 0, f"{total['memory_pressure']} by memory pressure")
    server.stop()
    return good


def forgotten(binary, args):
    budget = args.budget_mib << 20
    server = Server(
        binary, "--maxmemory", str(budget), "--policy", "celeryev.* memory shed",
        "--policy", "busy memory shed",
    )  # fmt: skip
    client, peak, chance = Client(server.port), 0, random.Random(1)
    # Enough to fill the budget three times over, at 50 MB a second.
    batches, refused, failed = 3 * budget // (250 * len(PAYLOAD)), 0, 0
    stop = multiprocessing.Event()
    for _, _ in zip(range(batches), paced(stop, 0.01)):
        queues = chance.choices(range(args.queues), k=250)
        requests = (Client.encode("RPUSH", f"celeryev.{queue}", PAYLOAD) for queue in queues)
        client.socket.sendall(b"".join(requests))
        replies = [client.read() for _ in queues]
        refused += sum(isinstance(reply, RuntimeError) for reply in replies)
        for words in (("LPUSH", "busy", PAYLOAD), ("LPUSH", "busy", PAYLOAD), ("RPOP", "busy")):
            failed += isinstance(client.ask(*words), RuntimeError)
        peak = max(peak, server.rss_bytes())
    busy, total = ledger(client, "busy"), ledger(client)
    good = expect(lost(busy) == 0, f"the busy queue lost {lost(busy)} of {busy['in']}")
    good &= expect(failed == 0, f"{failed} of its commands were refused")
    print(f"      {refused} of {batches * 250} pushes to the others were refused")
    good &= expect(total["memory_pressure"] > 0, f"{total['memory_pressure']} by memory pressure")
    balance = total["out"] + total["held"] + lost(total)
    good &= expect(total["in"] == balance, f"{lost(total)} lost of {total['in']}, balanced")
    good &= expect(peak <= budget * 1.1, f"peak RSS {peak >> 20} MiB of {budget >> 20}")
    server.stop()
    return good


def subscribe_fast(port, clients_len, stop):
    """Reads at once whatever comes to many subscribers; times from publishing to one of them."""
    selector, times = selectors.DefaultSelector(), []
    for _ in range(clients_len):
        client = Client(port)
        client.must("SUBSCRIBE", "news")
        client.socket.setblocking(False)
        selector.register(client.socket, selectors.EVENT_READ)
    while not stop.is_set():
        for key, _ in selector.select(0.1):
            came = key.fileobj.recv(1 << 16)
            now, at = time.monotonic(), came.find(b"@")
            # A message that was cut in two tells nothing.
            if 0 <= at <= len(came) - 20:
                times.append((now, now - float(came[at + 1 : at + 20])))
    return times


def subscribe_slowly(port, stop):
    """Reads a message now and then, and the rest at the end; the numbers that came."""
    client, seen = Client(port, receive_bytes=4096), []
    client.must("SUBSCRIBE", "news")
    number = 0
    while number >= 0:
        number = int(client.read()[2].split()[0])
        seen.append(number)
        if not stop.is_set():
            time.sleep(0.05)
    return seen[:-1], "%s:%d" % client.socket.getsockname(), client


def publish_for(client, seconds, first):
    """Publishes 500 messages a second; the number of the next, and how long each took."""
    padding, times, number = "y" * 1000, [], first
    ends = time.monotonic() + seconds
    for _ in paced(multiprocessing.Event(), 0.002):
        began = time.monotonic()
        if began >= ends:
            return number, times
        client.must("PUBLISH", "news", f"{number} @{began:019.9f} {padding}")
        times.append(time.monotonic() - began)
        number += 1


def slow_reader(port, stop):
    seen, address, client = subscribe_slowly(port, stop)
    lines = Client(port).must("CLIENT", "LIST").decode().splitlines()
    line = next(line for line in lines if f" addr={address} " in line)
    words = dict(word.split("=", 1) for word in line.split() if "=" in word)
    client.socket.close()
    return seen, int(words["outbox-dropped"])


def stuck(binary, args):
    server = Server(binary, "--policy", "news kind channel max-bytes 256kb overflow drop-oldest")
    fast = Load(subscribe_fast, server.port, args.subscribers)
    publisher = Client(server.port)
    while publisher.must("PUBSUB", "NUMSUB", "news")[1] < args.subscribers:
        time.sleep(0.05)
    publish_for(publisher, 1, 0)
    began = time.monotonic()
    _, calm = publish_for(publisher, args.seconds / 3, 0)
    calm_until = time.monotonic()
    stuck_client = Client(server.port, receive_bytes=4096)
    stuck_client.must("SUBSCRIBE", "news")
    slow = Load(slow_reader, server.port)
    while publisher.must("PUBSUB", "NUMSUB", "news")[1] < args.subscribers + 2:
        time.sleep(0.05)
    busy_from = time.monotonic()
    number, busy = publish_for(publisher, args.seconds, 0)
    busy_until = time.monotonic()
    slow.stop.set()
    time.sleep(1)
    # The last of all says so.
    publisher.must("PUBLISH", "news", "-1")
    seen, dropped = slow.end()
    received = fast.end()
    good = True
    early = [took for at, took in received if began <= at < calm_until]
    late = [took for at, took in received if busy_from <= at < busy_until]
    for what, before, after in (("PUBLISH", calm, busy), ("receiving", early, late)):
        for share in (0.5, 0.99):
            quick, loaded = percentile(before, share) * 1e6, percentile(after, share) * 1e6
            text = f"{what} p{share * 100:.0f} {quick:.0f} us, beside the stuck {loaded:.0f}"
            good &= expect(loaded <= 1.2 * quick, text)
    gap = number - len(seen)
    good &= expect(gap > 0, f"the slow one was too slow for {gap} of {number}")
    good &= expect(dropped == gap, f"it misses {gap}, {dropped} are counted")
    counts = ledger(publisher)
    parts = ["out", "held", "dropped_oldest", "dropped_newest", "disconnected", "closed"]
    balance = sum(counts[f"outbox_{part}"] for part in parts)
    good &= expect(counts["outbox_in"] == balance, "the outboxes balance")
    server.stop()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("soak", choices=["overload", "forgotten", "stuck"])
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--budget-mib", type=int)
    parser.add_argument("--per-second", type=int, default=5000, help="what the consumer takes")
    parser.add_argument("--queues", type=int, default=4000)
    parser.add_argument("--subscribers", type=int, default=100)
    args = parser.parse_args()
    # Whoever ends the soak ends its server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    defaults = {"overload": (600, 512), "forgotten": (60, 256), "stuck": (30, 0)}[args.soak]
    args.seconds = args.seconds or defaults[0]
    args.budget_mib = args.budget_mib or defaults[1]
    soak = {"overload": overload, "forgotten": forgotten, "stuck": stuck}[args.soak]
    sys.exit(0 if soak(args.binary, args) else 1)


if __name__ == "__main__":
    main()
