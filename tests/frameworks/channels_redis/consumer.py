"""A process with channels of its own: it answers, and keeps count of what its groups get."""

import asyncio
import os
import sys

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from crew import PORT, note

KINDS = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}
CAPACITY = 10_000


def layer_of(kind):
    # redis-py gives up reading after 5 s, just when channels_redis expects the end of a wait.
    hosts = [{"host": "127.0.0.1", "port": PORT, "socket_timeout": 30}]
    return KINDS[kind](hosts=hosts, capacity=CAPACITY, prefix=kind)


async def serve_group(layer, kind, name, channel):
    """Takes messages until one says that it was the last."""
    while (message := await layer.receive(channel))["type"] != "last":
        note(f"{kind}-{name} {message['number']}")
        if "reply" in message:
            await layer.send(message["reply"], {"type": "answer", "number": message["number"]})


async def main():
    kind, name = sys.argv[1:]
    layer = layer_of(kind)
    channels = [await layer.new_channel() for _ in range(3)]
    for at, channel in enumerate(channels):
        await layer.group_add("all", channel)
        await layer.group_add(f"group{at}", channel)
    # The check knows by these that everybody is there.
    for channel in channels:
        await layer.send(os.environ["CHECK_HELLO"], {"type": "hello", "channel": channel})
    await asyncio.gather(*(serve_group(layer, kind, f"{name}{at}", channel)
                           for at, channel in enumerate(channels)))


if __name__ == "__main__":
    asyncio.run(main())
