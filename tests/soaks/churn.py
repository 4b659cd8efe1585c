"""An hour of comings and goings, in some minutes: memory and descriptors stay where they were."""

import random
import time

from load import Client, Load, Server, expect, expect_balance, ledger

# What an hour has at a steady pace: 20 queues a second are made, filled with 50 messages and
# deleted or drained, by 50 clients a second that come and go; 20 subscriptions begin and end.
ROUNDS = 20 * 3600
CLIENTS_PER_ROUND = 2.5
MESSAGES_PER_ROUND = 50


def churn_rounds(port, seed, rounds, stop):
    """Lives so many rounds, each with names of its own; how many."""
    chance = random.Random(seed)
    body = chance.randbytes(1 << 16)
    for number in range(rounds):
        if stop.is_set():
            return number
        queue = f"queue:{seed}:{number}:" + "n" * chance.randrange(40)
        channel = f"channel:{seed}:{number}"
        producer, consumer = Client(port), Client(port)
        extra = Client(port) if number % 2 else None
        consumer.must("SUBSCRIBE", channel)
        pushes, sizes = [], []
        for _ in range(MESSAGES_PER_ROUND):
            sizes.append(min(int(chance.expovariate(1 / 300)) + 16, 20_000))
            start = chance.randrange(len(body) - sizes[-1])
            pushes.append(Client.encode("LPUSH", queue, body[start : start + sizes[-1]]))
        producer.socket.sendall(b"".join(pushes))
        for _ in pushes:
            producer.read()
        producer.must("SET", f"mark:{queue}", "x", "PX", 500)
        producer.must("PUBLISH", channel, body[:200])
        consumer.read()
        if extra:
            extra.must("BRPOP", queue, 1)
            # Gone while it waits.
            extra.send("BRPOP", f"none:{queue}", 0)
            extra.socket.close()
        consumer.must("UNSUBSCRIBE", channel)
        popped = consumer.must("RPOP", queue, chance.randrange(1, MESSAGES_PER_ROUND + 1))
        assert popped
        producer.must("DEL", queue)
        for client in (producer, consumer):
            client.stream.close()
            client.socket.close()
    return rounds


def resting(server, client):
    """Memory and descriptors once whoever went is gone and what is free has gone back."""
    ends = time.monotonic() + 20
    while client.must("CLIENT", "LIST").count(b"\n") > 1 and time.monotonic() < ends:
        time.sleep(0.05)
    # Keys expire after half a second, and the allocator gives back what is free within some.
    time.sleep(5)
    return server.rss_bytes(), server.descriptors()


def churn(binary, args):
    server = Server(binary, "--workers", str(args.workers))
    client, loads_len = Client(server.port), 3
    client.must("PING")

    def live(rounds, first_seed):
        each = rounds // loads_len
        loads = [
            Load(churn_rounds, server.port, first_seed + index, each) for index in range(loads_len)
        ]
        return sum(load.result() for load in loads)

    rounds = int(ROUNDS * args.share)
    # An hour before the hour: what a server has touched while it came to its pace stays at hand.
    live(rounds, 100)
    before = resting(server, client)
    lived, took, sizes = 0, 0, [before[0]]
    for quarter in range(4):
        began = time.monotonic()
        lived += live(rounds // 4, 200 + quarter * 100)
        took += time.monotonic() - began
        after = resting(server, client)
        sizes.append(after[0])
    print(
        f"{lived} rounds in {took:.0f} s: {lived * CLIENTS_PER_ROUND:.0f} clients, {lived} queues,"
        f" {lived * MESSAGES_PER_ROUND} messages, {lived} subscriptions"
    )
    grown = after[0] / before[0] - 1
    steps = ", ".join(f"{size / 2**20:.1f}" for size in sizes)
    text = f"RSS {steps} MiB after the warm-up and each quarter"
    good = expect(grown <= 0.05, f"{text}: {grown * 100:+.1f}%")
    good &= expect(after[1] == before[1], f"{before[1]} descriptors, {after[1]} at the end")
    good &= expect_balance(ledger(client))
    good &= expect(client.must("DBSIZE") == 0, "no key is left")
    server.stop()
    return good
