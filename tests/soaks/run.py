#!/usr/bin/env python3
"""Soaks of policies: long loads whose outcome is checked, to be run by hand on a quiet machine.

    tests/soaks/run.py BINARY overload [--seconds 600] [--budget-mib 512]
    tests/soaks/run.py BINARY forgotten [--queues 4000] [--budget-mib 256]
    tests/soaks/run.py BINARY stuck [--rounds 8] [--workers 1 --pin]
    tests/soaks/run.py BINARY scrapes [--rounds 8] [--queues 100000] [--workers 1 --pin]
    tests/soaks/run.py BINARY faults [--seconds 0.6] [--rounds 5] [--workers 2] [--only NAME,NAME]
    tests/soaks/run.py BINARY churn [--share 1] [--workers 2]

overload: a producer at twice the rate of the consumer. RSS stays within the budget and 10%, a
well-behaved queue's hand-off stays quick, and the ledger balances to the message.
forgotten: queues like celeryev.* without consumers fill the budget; the busy queue beside them
loses nothing.
stuck: a subscriber that never reads and a slow one beside fast ones: publishing and receiving take
as long as without them, and what the slow one misses is what the ledger counts as dropped. Medians
of rounds that take turns; with --pin the server has the first core and the load the second.
scrapes: /metrics with many queues, how long it takes and what a busy queue beside it notices.
faults: clients are killed, cut off, reset, and do what starves others, beside a queue that nobody
touches. Its hand-off at half load keeps its p99 within three times the calm one, by the medians of
rounds with and without that take turns, and nothing stays open. Needs two cores, root (for a
network that is cut) and, for jumps of the clock, libfaketime.
churn: an hour of comings and goings in some minutes. Memory and descriptors stay where they were.

Needs Python alone. Each load is a process of its own, so that none waits for another's interpreter.
The server is started on a free port and stopped by its pid.
"""

import argparse
import multiprocessing
import random
import signal
import sys
import time

from churn import churn
from faults import faults
from load import (
    Client, Load, Server, expect, expect_balance, ledger, lost, paced, percentile, rss_bytes,
)  # fmt: skip
from scrape import scrapes
from stuck import stuck

PAYLOAD = b"x" * 2000


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
        peak = max(peak, rss_bytes(pid))
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
    good &= expect_balance(total)
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
    good &= expect_balance(total)
    good &= expect(peak <= budget * 1.1, f"peak RSS {peak >> 20} MiB of {budget >> 20}")
    server.stop()
    return good


SOAKS = {
    "overload": (overload, {"seconds": 600, "budget_mib": 512}),
    "forgotten": (forgotten, {"budget_mib": 256, "queues": 4000}),
    "stuck": (stuck, {"seconds": 1, "rate": 500, "rounds": 8}),
    "scrapes": (scrapes, {"seconds": 2, "rate": 5000, "rounds": 8, "queues": 100_000}),
    "faults": (faults, {"seconds": 0.6, "rounds": 5}),
    "churn": (churn, {}),
}


def number(text):
    return float(text) if "." in text else int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("soak", choices=list(SOAKS))
    parser.add_argument("--seconds", type=number)
    parser.add_argument("--budget-mib", type=int)
    parser.add_argument("--per-second", type=int, default=5000, help="what the consumer takes")
    parser.add_argument("--queues", type=int)
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--rate", type=int, help="messages a second, open loop")
    parser.add_argument("--rounds", type=int, help="without and beside, each")
    parser.add_argument("--interval", type=float, default=1, help="seconds between two scrapes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pin", action="store_true", help="server and load on a core each")
    parser.add_argument("--share", type=float, default=1, help="of the hour of churn")
    parser.add_argument("--only", help="faults, by comma")
    args = parser.parse_args()
    # Whoever ends the soak ends its server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    soak, defaults = SOAKS[args.soak]
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    sys.exit(0 if soak(args.binary, args) else 1)


if __name__ == "__main__":
    main()
