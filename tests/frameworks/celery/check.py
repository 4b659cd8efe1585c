"""Celery: broker and result backend, chords, groups, chains, retries, ETA, revoke, events."""

import os
import threading
from datetime import datetime, timedelta, timezone

from celery import chain, chord, group
from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as NotTold

from crew import BIN, Crew, count, expect, expect_each, until
from jobs import add, app, broken, late, plain, stubborn, total

JOBS, CHORDS, CHORD_SIZE, ETAS, REVOKED, RETRIED, BROKEN, LATE = 1500, 20, 20, 60, 30, 60, 60, 100
PATIENCE_S, ASK_AGAIN_S = 60, 10


def listen(events, stop, ready):
    """Counts the events of all workers, as monitors do."""
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={
            "*": lambda event: events.setdefault(event["type"], []).append(event.get("uuid")),
        })
        consumer = receiver.itercapture(limit=None, timeout=None, wakeup=False)
        next_event = iter(consumer)
        ready.set()
        while not stop.is_set():
            try:
                next(next_event)
            except (TimeoutError, StopIteration):
                return


def send_revoked():
    """Sends tasks for later and revokes them: a broadcast that every worker answers."""
    later = datetime.now(timezone.utc) + timedelta(seconds=5)
    sent = [plain.apply_async(("revoked", n), eta=later) for n in range(REVOKED)]
    replies = app.control.revoke([result.id for result in sent], reply=True, limit=2)
    expect("workers that revoke", len(replies), 2)
    return sent


def send_all():
    """Sends a bit of everything; returns the results to look at."""
    soon = datetime.now(timezone.utc) + timedelta(seconds=2)
    return {
        "add": [add.delay(n, 1000) for n in range(JOBS)],
        "chord": [chord(plain.si(f"chord{c}", n) for n in range(CHORD_SIZE))(total.s())
                  for c in range(CHORDS)],
        "eta": [plain.apply_async(("eta", n), eta=soon) for n in range(ETAS)],
        "stubborn": [stubborn.delay(n) for n in range(RETRIED)],
        "broken": [broken.delay(n) for n in range(BROKEN)],
        "late": [late.apply_async((n,), priority=n % 10) for n in range(LATE)],
        "chain": [chain(plain.s("chain", 1), add.si(JOBS, 5), add.s(7))()],
        "group": group(plain.s("group", n) for n in range(50))(),
    }


def get(result, **options):
    """What came of a task. Celery subscribes to it on one connection and looks whether it is there on
    another, without waiting for the first to be answered: where two cores serve the two, a busy machine
    may look before it subscribes, and what comes in between is not told. Who is not told asks again."""
    for _ in range(PATIENCE_S // ASK_AGAIN_S - 1):
        try:
            return result.get(timeout=ASK_AGAIN_S, **options)
        except NotTold:
            print("asks again for", result)
    return result.get(timeout=ASK_AGAIN_S, **options)


def check(sent):
    """Every result, exactly."""
    got = [get(result) for result in sent["add"]]
    expect("sums", got, [n + 1000 for n in range(JOBS)])
    for result in sent["chord"]:
        expect("a chord", get(result), CHORD_SIZE * (CHORD_SIZE - 1) // 2)
    expect("the group", get(sent["group"]), list(range(50)))
    expect("the chain", get(sent["chain"][0]), JOBS + 5 + 7)
    for name in ("eta", "stubborn", "late"):
        got = [get(result) for result in sent[name]]
        expect(name, got, list(range(len(sent[name]))))
    for n, result in enumerate(sent["broken"]):
        error = get(result, propagate=False)
        expect("an error", (type(error).__name__, str(error)), ("ValueError", f"broken {n}"))


def check_revoked(results):
    """They end as revoked when their time comes."""
    for result in results:
        try:
            get(result)
        except TaskRevokedError:
            continue
        raise SystemExit("a revoked task has a result")


def main():
    events, stop, ready = {}, threading.Event(), threading.Event()
    threading.Thread(target=listen, args=(events, stop, ready), daemon=True).start()
    ready.wait(10)
    with Crew() as crew:
        tasks = f"{os.environ['PYTHONPATH']}:{os.path.dirname(__file__)}"
        for n in range(2):
            crew.hire(f"worker{n}", [
                BIN / "celery", "-A", "jobs", "worker", "-c", "2", "-n", f"w{n}@check", "-E",
                "-l", "INFO",
            ], PYTHONPATH=tasks)
        until("both workers answer", lambda: len(app.control.ping(timeout=0.5)) == 2)
        revoked = send_revoked()
        sent = send_all()
        check(sent)
        check_revoked(revoked)
        expect_each("eta", ETAS)
        expect_each("stubborn", RETRIED, times=3)
        expect_each("broken", BROKEN)
        expect_each("late", LATE)
        expect("executions", count("add "), JOBS + 2)
        expect("callbacks", count("total"), CHORDS)
        expect("revoked executions", count("revoked"), 0)
        successes = JOBS + CHORDS * (CHORD_SIZE + 1) + ETAS + RETRIED + LATE + 3 + 50
        until("the events of all",
              lambda: len(set(events.get("task-succeeded", []))) == successes, 10)
        expect("failures seen", len(set(events["task-failed"])), BROKEN)
        expect("retries seen", len(events["task-retried"]), 2 * RETRIED)
        stop.set()
    print(f"{successes} tasks with results, {BROKEN} failed, {2 * RETRIED} retries, {CHORDS} "
          f"chords, {REVOKED} revoked, events of each")


if __name__ == "__main__":
    main()
