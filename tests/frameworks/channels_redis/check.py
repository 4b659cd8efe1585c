"""channels_redis: both layers, between processes: groups, replies, expiry, capacity, leaving."""

import asyncio
import os
import sys

from channels.exceptions import ChannelFull
from redis.asyncio import Redis

from channels_redis.core import RedisChannelLayer
from consumer import layer_of
from crew import PORT, Crew, count, expect, noted, until

PROCESSES, CHANNELS, BROADCASTS, DIRECT = 3, 3, 300, 400


async def check(kind, layer, crew):
    hello = await layer.new_channel("hello")
    for n in range(PROCESSES):
        crew.hire(f"{kind}{n}", [sys.executable, os.path.join(os.path.dirname(__file__),
                                                              "consumer.py"), kind, f"p{n}-"],
                  CHECK_HELLO=hello)
    channels = []
    async with asyncio.timeout(30):
        while len(channels) < PROCESSES * CHANNELS:
            channels.append((await layer.receive(hello))["channel"])
    for n in range(BROADCASTS):
        await layer.group_send("all", {"type": "x", "number": n})
        await layer.group_send("group1", {"type": "x", "number": BROADCASTS + n})
    mine = await layer.new_channel("mine")
    for n in range(DIRECT):
        message = {"type": "x", "number": 2 * BROADCASTS + n, "reply": mine}
        await layer.send(channels[n % len(channels)], message)
    async with asyncio.timeout(30):
        answers = [(await layer.receive(mine))["number"] for _ in range(DIRECT)]
    expect("answers", sorted(answers), [2 * BROADCASTS + n for n in range(DIRECT)])
    # One leaves the group: it alone gets no more.
    await layer.group_discard("all", channels[0])
    await layer.group_send("all", {"type": "last"})
    await layer.send(channels[0], {"type": "last"})


async def check_bounds():
    """What the core layer drops: a full channel's messages, and expired ones."""
    layer = RedisChannelLayer(hosts=[("127.0.0.1", PORT)], capacity=5, expiry=1, prefix="small")
    channel = await layer.new_channel()
    for n in range(5):
        await layer.send(channel, {"type": "x", "number": n})
    try:
        await layer.send(channel, {"type": "x", "number": 5})
    except ChannelFull:
        pass
    else:
        raise SystemExit("a full channel takes more")
    await layer.group_add("small", channel)
    await layer.group_send("small", {"type": "x", "number": 6})
    expect("messages", [(await layer.receive(channel))["number"] for _ in range(5)],
           list(range(5)))
    redis = Redis(port=PORT)
    await layer.send(channel, {"type": "x", "number": 7})
    for _ in range(200):
        if not [key async for key in redis.scan_iter("small:specific*")]:
            break
        await asyncio.sleep(0.05)
    else:
        raise SystemExit("messages do not expire")
    await redis.aclose()
    await layer.close_pools()


async def run():
    with Crew() as crew:
        for kind in ("core", "pubsub"):
            layer = layer_of(kind)
            await check(kind, layer, crew)
            until("consumers end", lambda: all(p.poll() == 0 for p in crew.processes))
            crew.processes.clear()
            total = PROCESSES * CHANNELS * BROADCASTS + PROCESSES * BROADCASTS + DIRECT
            expect("messages", count(f"{kind}-"), total)
            times = noted()
            expect("most often", max(n for line, n in times.items() if line[:4] == kind[:4]), 1)
            await (layer.close_pools() if kind == "core" else layer.flush())
        await check_bounds()
    print(f"{2 * total} messages between {PROCESSES * CHANNELS} channels in {PROCESSES} "
          "processes, by lists and by pub/sub, each once")


if __name__ == "__main__":
    asyncio.run(run())
