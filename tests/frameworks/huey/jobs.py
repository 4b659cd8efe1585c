"""The tasks of two queues: one on a list, one with priorities on a sorted set."""

import os

from huey import PriorityRedisHuey, RedisHuey, crontab

from crew import PORT, note

KINDS = {"list": RedisHuey, "priority": PriorityRedisHuey}
huey = KINDS[os.environ.get("CHECK_KIND", "list")](
    os.environ.get("CHECK_KIND", "list"), port=PORT, blocking=True)


@huey.task()
def add(number, other):
    note(f"add-{huey.name} {number}")
    return number + other


@huey.task()
def plain(kind, number):
    note(f"{kind}-{huey.name} {number}")
    return number


@huey.task(retries=2)
def stubborn(number, task=None):
    note(f"stubborn-{huey.name} {number}")
    raise RuntimeError("again")


@huey.task(retries=2, context=True)
def second_try(number, task=None):
    note(f"second-{huey.name} {number}")
    if task.retries > 1:
        raise RuntimeError("again")
    return number


@huey.task(priority=5)
def urgent(number):
    note(f"urgent-{huey.name} {number}")
    return number


@huey.task()
def counted(number):
    with huey.lock_task("counter"):
        note(f"locked-{huey.name} {number}")
    return number


@huey.periodic_task(crontab(minute="*"))
def every_minute():
    note("periodic")
