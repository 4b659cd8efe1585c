"""The jobs: workers import them, the check enqueues them."""

from rq import get_current_job

from crew import note


def add(number, other):
    note(f"add {number}")
    return number + other


def plain(kind, number):
    note(f"{kind} {number}")
    return number


def stubborn(number):
    note(f"stubborn {number}")
    if get_current_job().retries_left > 0:
        raise RuntimeError("again")
    return number


def broken(number):
    note(f"broken {number}")
    raise ValueError(f"broken {number}")


def succeeded(job, _connection, result):
    note(f"succeeded {result}")


def failed(job, _connection, *_error):
    note(f"failed {job.args[0]}")
