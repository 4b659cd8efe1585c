"""The functions of arq's workers."""

from arq import Retry
from arq.connections import RedisSettings

from crew import PORT, note

SETTINGS = RedisSettings(port=PORT)


async def add(_context, number, other):
    note(f"add {number}")
    return number + other


async def plain(_context, kind, number):
    note(f"{kind} {number}")
    return number


async def stubborn(context, number):
    note(f"stubborn {number}")
    if context["job_try"] < 3:
        raise Retry(defer=0.1)
    return number


async def broken(_context, number):
    note(f"broken {number}")
    raise ValueError(f"broken {number}")


class Worker:
    """What `arq jobs.Worker` runs."""

    functions = [add, plain, stubborn, broken]
    redis_settings = SETTINGS
    poll_delay = 0.05
    max_jobs = 20
    allow_abort_jobs = True
    health_check_interval = 1
