"""The soak of a subscriber that never reads, and one that reads slowly, beside fast ones.

`weir bench fanout` publishes and receives, open loop, without the two and beside them in turn. The
slow one only sleeps and reads, in a process of its own.
"""

import time

from load import Client, Load, Server, expect, expect_as_without, is_beside, ledger, open_loop

CHANNEL = "weir-bench:channel:0"
POLICY = f"{CHANNEL} kind channel max-bytes 256kb overflow drop-oldest"
# More than the system's buffers take for the two: from then on their outboxes are full.
FILL = 10_000
FIGURES = {
    "PUBLISH p50": "reply_p50_us",
    "PUBLISH p99": "reply_p99_us",
    "receiving p50": "p50_us",
    "receiving p99": "p99_us",
}


def subscribe(port):
    client = Client(port, receive_bytes=4096)
    client.must("SUBSCRIBE", CHANNEL)
    return client


def read_slowly(port, stop):
    """Reads a message now and then, and the rest at the end: how many came, and how many are counted
    as dropped for it."""
    client, came = subscribe(port), 0
    while client.read()[2] != b"the end":
        came += 1
        if not stop.is_set():
            time.sleep(0.05)
    address = "%s:%d" % client.socket.getsockname()
    lines = Client(port).must("CLIENT", "LIST").decode().splitlines()
    line = next(line for line in lines if f" addr={address} " in line)
    words = dict(word.split("=", 1) for word in line.split() if "=" in word)
    client.socket.close()
    return came, int(words["outbox-dropped"])


def await_subscribers(client, wanted):
    while client.must("PUBSUB", "NUMSUB", CHANNEL)[1] != wanted:
        time.sleep(0.02)


def fill(client):
    request = Client.encode("PUBLISH", CHANNEL, b"x" * 1000)
    for _ in range(FILL // 100):
        client.socket.sendall(request * 100)
        for _ in range(100):
            client.read()


def one_round(binary, server, args, is_stuck):
    """The figures of a run; beside the two, also what the slow one missed and what was counted."""
    client, gap, dropped = Client(server.port), 0, 0
    await_subscribers(client, 0)
    if is_stuck:
        idle = subscribe(server.port)
        slow = Load(read_slowly, server.port)
        await_subscribers(client, 2)
        fill(client)
    plan = {
        "rate": args.rate, "size": 1000, "connections": 1, "consumers": args.subscribers,
        "seconds": args.seconds,
    }  # fmt: skip
    run = open_loop(binary, server, args.pin, "fanout", plan)
    if is_stuck:
        slow.stop.set()
        await_subscribers(client, 2)
        client.must("PUBLISH", CHANNEL, "the end")
        came, dropped = slow.end()
        gap = FILL + run["sent"] - came
        idle.socket.close()
    return run, gap, dropped


def stuck(binary, args):
    server = Server(binary, "--policy", POLICY, "--workers", str(args.workers))
    server.pin(args.pin)
    runs, gaps, drops = ([], []), [], []
    for number in range(args.rounds * 2):
        is_stuck = is_beside(number)
        run, gap, dropped = one_round(binary, server, args, is_stuck)
        runs[is_stuck].append(run)
        if is_stuck:
            gaps.append(gap)
            drops.append(dropped)
    good = True
    for what, name in FIGURES.items():
        good &= expect_as_without(what, runs, name, 1.2)
    sent = [FILL + run["sent"] for run in runs[True]]
    good &= expect(min(gaps) > 0, f"the slow one was too slow for {gaps} of {sent}")
    good &= expect(drops == gaps, f"it misses {gaps}, {drops} are counted")
    late = max(run["late_p99_us"] for side in runs for run in side)
    print(f"      {len(runs[0])} rounds of each; the client itself sent {late:.0f} us late at p99")
    client = Client(server.port)
    await_subscribers(client, 0)
    counts = ledger(client)
    parts = ["out", "held", "dropped_oldest", "dropped_newest", "disconnected", "closed"]
    balance = sum(counts[f"outbox_{part}"] for part in parts)
    good &= expect(counts["outbox_in"] == balance, "the outboxes balance")
    server.stop()
    return good
