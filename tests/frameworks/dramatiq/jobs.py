"""The actors: workers import them, the check sends them messages."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as LimitBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from crew import URL, note

broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=f"{URL}/1"), store_results=True))
dramatiq.set_broker(broker)
limits = LimitBackend(url=f"{URL}/2")


@dramatiq.actor
def add(number, other):
    note(f"add {number}")
    return number + other


@dramatiq.actor
def plain(kind, number):
    note(f"{kind} {number}")
    return number


@dramatiq.actor(max_retries=3, min_backoff=1, max_backoff=5)
def stubborn(number):
    message = dramatiq.middleware.CurrentMessage.get_current_message()
    note(f"stubborn {number}")
    if message.options.get("retries", 0) < 2:
        raise RuntimeError("again")
    return number


@dramatiq.actor(max_retries=0)
def broken(number):
    note(f"broken {number}")
    raise ValueError(f"broken {number}")


@dramatiq.actor(max_retries=200, min_backoff=1, max_backoff=20)
def alone(number):
    with ConcurrentRateLimiter(limits, "alone", limit=1).acquire():
        note(f"alone {number}")
        return number


broker.add_middleware(dramatiq.middleware.CurrentMessage())
