"""Scrapes of a server with many queues, beside a busy one: how long they take, and what the busy one
notices of them.
"""

import http.client
import os
import time

from load import (
    Client, Load, Server, expect, expect_as_without, is_beside, open_loop, paced, percentile,
)  # fmt: skip

QUEUES_PER_WRITE = 1000
# How long scrapes are timed beside nothing else, twenty a second.
ALONE_S = 3


def fill(port, queues):
    client = Client(port)
    for first in range(0, queues, QUEUES_PER_WRITE):
        numbers = range(first, min(first + QUEUES_PER_WRITE, queues))
        requests = (Client.encode("LPUSH", f"queue:{number}", b"x" * 64) for number in numbers)
        client.socket.sendall(b"".join(requests))
        for _ in numbers:
            client.read()


def scrape(port, interval, stop):
    """Scrapes at an even pace: seconds that each took, and the bytes of the last."""
    link = http.client.HTTPConnection("127.0.0.1", port)
    times, size = [], 0
    for _ in paced(stop, interval):
        began = time.monotonic()
        link.request("GET", "/metrics")
        size = len(link.getresponse().read())
        times.append(time.monotonic() - began)
    return times, size


def http_port(client):
    lines = client.must("INFO", "server").decode().splitlines()
    address = next(line for line in lines if line.startswith("http_address:"))
    return int(address.rsplit(":", 1)[1])


def http_cpu_ns(pid):
    """Processor time of the thread that answers scrapes."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm") as name:
            if name.read().strip() == "weir-http":
                with open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
                    return int(stat.read().split()[0])
    raise SystemExit("no thread answers scrapes")


def scrapes(binary, args):
    server = Server(binary, "--workers", str(args.workers))
    server.pin(args.pin)
    fill(server.port, args.queues)
    port = http_port(Client(server.port))
    cpu_ns = http_cpu_ns(server.process.pid)
    alone = Load(scrape, port, 0.05)
    time.sleep(ALONE_S)
    taken, size = alone.end()
    beside, runs = [], ([], [])
    for number in range(args.rounds * 2):
        is_scraped = is_beside(number)
        scraper = Load(scrape, port, args.interval) if is_scraped else None
        plan = {"rate": args.rate, "connections": 4, "consumers": 4, "seconds": args.seconds}
        runs[is_scraped].append(open_loop(binary, server, args.pin, "handoff", plan))
        if scraper:
            times, size = scraper.end()
            taken += times
            beside += times
    cpu_ms = (http_cpu_ns(server.process.pid) - cpu_ns) / 1e6 / len(taken)
    print(f"      {args.queues} queues, {size} bytes, {cpu_ms:.1f} ms of CPU for each scrape")
    good = True
    for what, times in (("alone", taken[: -len(beside)]), ("beside the load", beside)):
        wall = [percentile(times, share) * 1e3 for share in (0.5, 0.99)]
        text = f"{len(times)} scrapes {what} took {wall[0]:.1f} ms, p99 {wall[1]:.1f}"
        good &= expect(wall[0] < 50, text)
    for what in ("p50", "p99"):
        good &= expect_as_without(f"hand-off {what}", runs, f"{what}_us", 1.1)
    server.stop()
    return good
