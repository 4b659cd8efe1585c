"""The tasks: a worker imports them, the check sends them."""


from celery import Celery

from crew import URL, note

app = Celery("jobs", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.update(
    worker_prefetch_multiplier=8,
    task_send_sent_event=True,
    broker_connection_retry_on_startup=True,
    result_extended=True,
    # Two queues by name, one of them with priorities.
    broker_transport_options={"priority_steps": [0, 3, 6, 9], "visibility_timeout": 3600},
)


@app.task
def add(number, other):
    note(f"add {number}")
    return number + other


@app.task
def total(numbers):
    note("total")
    return sum(numbers)


@app.task
def plain(kind, number):
    note(f"{kind} {number}")
    return number


@app.task(bind=True, max_retries=3)
def stubborn(self, number):
    note(f"stubborn {number}")
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return number


@app.task
def broken(number):
    note(f"broken {number}")
    raise ValueError(f"broken {number}")


@app.task(acks_late=True)
def late(number):
    note(f"late {number}")
    return number
