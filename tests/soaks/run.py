#!/usr/bin/env python3
"""Soaks of policies: long loads whose outcome is checked, to be run by hand on a quiet machine.

    tests/soaks/run.py BINARY overload [--seconds 600] [--budget-mib 512]
    tests/soaks/run.py BINARY forgotten [--queues 4000] [--budget-mib 256]
    tests/soaks/run.py BINARY stuck [--seconds 30] [--subscribers 100]

overload: producers at about twice the rate of the consumers. RSS stays within the budget and 10%,
a well-behaved queue's hand-off stays quick, and the ledger balances to the message.
forgotten: queues like celeryev.* without consumers fill the budget; the busy queue beside them
loses nothing.
stuck: a subscriber that never reads and a slow one beside fast ones; what the slow one misses is
what the ledger counts as dropped.

Needs Python alone. The server is started on a free port and stopped by its pid.
"""

import argparse
import socket
import subprocess
import sys
import threading
import time


class Client:
    """One connection; replies as Python values."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))

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
        self.process = subprocess.Popen(flags, stdout=subprocess.DEVNULL)
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


def ledger(client, *key):
    flat = client.must("WEIR.LEDGER", *key)
    return {name.decode(): count for name, count in zip(flat[::2], flat[1::2])}


def lost(counts):
    outside = {"in", "out", "held", "returned", "delayed"}
    return sum(
        count
        for name, count in counts.items()
        if not name.endswith("_bytes") and not name.startswith("outbox_") and name not in outside
    )


def expect(holds, what):
    print(("ok    " if holds else "FAILED"), what)
    return holds


def percentile(values, share):
    return sorted(values)[int(len(values) * share)] if values else 0.0


def hand_off(port, seconds, stop):
    """Times from a push to what it serves, in seconds."""
    waiter, pusher, times = Client(port), Client(port), []
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop.is_set():
        waiter.send("BRPOP", "well-behaved", 10)
        time.sleep(0.01)
        began = time.monotonic()
        if isinstance(pusher.ask("LPUSH", "well-behaved", "x"), RuntimeError):
            pusher.ask("CLIENT", "UNBLOCK", "0")
            waiter = Client(port)
            continue
        waiter.read()
        times.append(time.monotonic() - began)
    return times


def overload(binary, args):
    budget = args.budget_mib << 20
    server = Server(binary, "--maxmemory", str(budget), "--policy", "* memory shed")
    stop, pushed, popped, peak = threading.Event(), [0], [0], [0]
    calm = hand_off(server.port, 5, stop)

    def produce():
        client, payload, batch = Client(server.port), b"x" * 1000, 100
        while not stop.is_set():
            for _ in range(batch):
                client.send("LPUSH", "work", payload)
            pushed[0] += sum(isinstance(client.read(), int) for _ in range(batch))

    def consume():
        client, payload = Client(server.port), 50
        while not stop.is_set():
            popped[0] += len(client.must("RPOP", "work", payload) or ())
            time.sleep(0.002)

    def watch():
        while not stop.is_set():
            peak[0] = max(peak[0], server.rss_bytes())
            time.sleep(0.02)

    threads = [threading.Thread(target=run) for run in (produce, consume, watch)]
    for thread in threads:
        thread.start()
    busy = hand_off(server.port, args.seconds, stop)
    stop.set()
    for thread in threads:
        thread.join()
    client = Client(server.port)
    total, work = ledger(client), ledger(client, "work")
    good = expect(peak[0] <= budget * 1.1, f"peak RSS {peak[0] >> 20} MiB of {budget >> 20}")
    quick, slow = percentile(calm, 0.99) * 1e3, percentile(busy, 0.99) * 1e3
    good &= expect(slow <= 2 * quick, f"hand-off p99 {quick:.2f} ms unloaded, {slow:.2f} loaded")
    good &= expect(work["in"] == pushed[0], f"{pushed[0]} pushed, {work['in']} in the ledger")
    good &= expect(work["out"] == popped[0], f"{popped[0]} popped, {work['out']} in the ledger")
    balance = total["out"] + total["held"] + lost(total)
    good &= expect(total["in"] == balance, f"{lost(total)} lost of {total['in']}, balanced")
    good &= expect(total["memory_pressure"] > 0, f"{total['memory_pressure']} by memory pressure")
    server.stop()
    return good


def forgotten(binary, args):
    budget = args.budget_mib << 20
    server = Server(
        binary, "--maxmemory", str(budget), "--policy", "celeryev.* memory shed",
        "--policy", "busy memory shed",
    )  # fmt: skip
    client, payload = Client(server.port), b"x" * 1000
    rounds = 2 * budget // (args.queues * 1000)
    for _ in range(rounds):
        for queue in range(args.queues):
            client.send("RPUSH", f"celeryev.{queue}", payload)
        refused = [client.read() for _ in range(args.queues)]
        refused = sum(isinstance(reply, RuntimeError) for reply in refused)
        assert refused == 0, f"{refused} refused"
        client.must("LPUSH", "busy", payload)
        client.must("RPOP", "busy")
        client.must("LPUSH", "busy", payload)
    busy, total = ledger(client, "busy"), ledger(client)
    good = expect(lost(busy) == 0, f"the busy queue lost {lost(busy)} of {busy['in']}")
    good &= expect(total["memory_pressure"] > 0, f"{total['memory_pressure']} by memory pressure")
    rss = server.rss_bytes()
    good &= expect(rss <= budget * 1.1, f"RSS {rss >> 20} MiB of {budget >> 20}")
    server.stop()
    return good


def stuck(binary, args):
    server = Server(binary, "--policy", "news kind channel max-bytes 1mb overflow drop-oldest")
    stop, seen = threading.Event(), []

    def fast():
        client = Client(server.port)
        client.must("SUBSCRIBE", "news")
        client.socket.settimeout(5)
        try:
            while not stop.is_set():
                client.read()
        except OSError:
            pass

    readers = [threading.Thread(target=fast, daemon=True) for _ in range(args.subscribers)]
    for reader in readers:
        reader.start()
    publisher, payload = Client(server.port), "y" * 1000

    def publish(number):
        began = time.monotonic()
        publisher.must("PUBLISH", "news", f"{number} {payload}")
        return time.monotonic() - began

    calm = [publish(-1) for _ in range(2000)]
    stuck_client = Client(server.port)
    stuck_client.must("SUBSCRIBE", "news")
    slow_client = Client(server.port)
    slow_client.must("SUBSCRIBE", "news")

    def slowly():
        slow_client.socket.settimeout(5)
        try:
            while True:
                seen.append(int(slow_client.read()[2].split()[0]))
                if not stop.is_set():
                    time.sleep(0.005)
        except OSError:
            pass

    slow = threading.Thread(target=slowly, daemon=True)
    slow.start()
    busy, number = [], 0
    until = time.monotonic() + args.seconds
    while time.monotonic() < until:
        busy.append(publish(number))
        number += 1
    stop.set()
    slow.join()
    gap = number - len([n for n in seen if n >= 0])
    flat = [line for line in publisher.must("CLIENT", "LIST").decode().splitlines()]
    address = "%s:%d" % slow_client.socket.getsockname()
    line = next(line for line in flat if f" addr={address} " in line)
    dropped = int(dict(word.split("=", 1) for word in line.split() if "=" in word)["outbox-dropped"])
    quick, loaded = percentile(calm, 0.5) * 1e6, percentile(busy, 0.5) * 1e6
    good = expect(loaded <= 1.2 * quick, f"PUBLISH takes {quick:.0f} us, with them {loaded:.0f}")
    good &= expect(dropped == gap, f"the slow one misses {gap} of {number}, {dropped} are counted")
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
    parser.add_argument("--queues", type=int, default=4000)
    parser.add_argument("--subscribers", type=int, default=100)
    args = parser.parse_args()
    defaults = {"overload": (600, 512), "forgotten": (60, 256), "stuck": (30, 0)}[args.soak]
    args.seconds = args.seconds or defaults[0]
    args.budget_mib = args.budget_mib or defaults[1]
    soak = {"overload": overload, "forgotten": forgotten, "stuck": stuck}[args.soak]
    sys.exit(0 if soak(args.binary, args) else 1)


if __name__ == "__main__":
    main()
