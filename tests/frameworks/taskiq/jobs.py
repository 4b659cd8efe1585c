"""The tasks of three brokers: a list, a stream, and pub/sub."""

import os

from taskiq import SimpleRetryMiddleware, TaskiqScheduler
from taskiq_redis import (
    ListQueueBroker,
    ListRedisScheduleSource,
    PubSubBroker,
    RedisAsyncResultBackend,
    RedisStreamBroker,
)

from crew import URL, note

KINDS = {"list": ListQueueBroker, "stream": RedisStreamBroker, "pubsub": PubSubBroker}


def broker_of(kind):
    broker = KINDS[kind](url=URL, queue_name=f"taskiq-{kind}")
    return broker.with_result_backend(
        RedisAsyncResultBackend(redis_url=f"{URL}/1", result_ex_time=3600)
    ).with_middlewares(SimpleRetryMiddleware(default_retry_count=3))


kind = os.environ.get("CHECK_KIND", "list")
broker = broker_of(kind)
source = ListRedisScheduleSource(f"{URL}/2")
scheduler = TaskiqScheduler(broker, [source])


@broker.task
async def add(number, other):
    note(f"add-{kind} {number}")
    return number + other


@broker.task
async def plain(name, number):
    note(f"{name}-{kind} {number}")
    return number


@broker.task(retry_on_error=True, max_retries=3)
async def broken(number):
    note(f"broken-{kind} {number}")
    raise ValueError(f"broken {number}")
