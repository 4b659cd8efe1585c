"""Huey on a list and on a sorted set: results, retries, failures, schedules, revokes, chains."""

import importlib
import os
import sys

from huey.exceptions import TaskException

from crew import BIN, Crew, count, expect, expect_each, until

JOBS, RETRIED, BROKEN, DELAYED, REVOKED, URGENT = 800, 40, 40, 60, 30, 50
PATIENCE_S = 60


def jobs_of(kind):
    os.environ["CHECK_KIND"] = kind
    sys.modules.pop("jobs", None)
    return importlib.import_module("jobs")


def check(kind, jobs):
    added = [jobs.add(n, 1000) for n in range(JOBS)]
    delayed = [jobs.plain.schedule(("delayed", n), delay=2) for n in range(DELAYED)]
    revoked = [jobs.plain.schedule(("revoked", n), delay=2) for n in range(REVOKED)]
    for result in revoked:
        result.revoke()
    broken = [jobs.stubborn(n) for n in range(BROKEN)]
    retried = [jobs.second_try(n) for n in range(RETRIED)]
    urgent = [jobs.urgent(n) for n in range(URGENT)] if kind == "priority" else []
    chained = jobs.huey.enqueue(jobs.plain.s("chain", 5).then(jobs.add, 7))
    together = jobs.plain.map([("map", n) for n in range(100)])

    def get(result):
        return result.get(blocking=True, timeout=PATIENCE_S, max_delay=0.1)

    expect("sums", [get(result) for result in added], [n + 1000 for n in range(JOBS)])
    for name, results in (("delayed", delayed), ("retried", retried), ("urgent", urgent)):
        expect(name, [get(result) for result in results], list(range(len(results))))
    expect("the chain", [get(result) for result in chained], [5, 12])
    expect("the map", together.get(blocking=True, timeout=PATIENCE_S), list(range(100)))
    for result in broken:
        # A failed try leaves its error until the next try: the last one stays.
        until("all tries", lambda: count(f"stubborn-{kind} ") == 3 * BROKEN)
        try:
            get(result)
        except TaskException as error:
            expect("an error", error.metadata["error"], "RuntimeError('again')")
        else:
            raise SystemExit("a failed task has a result")
    until("nothing waits", lambda: jobs.huey.pending_count() == 0)
    until("nothing is scheduled", lambda: jobs.huey.scheduled_count() == 0)
    expect("executions", count(f"add-{kind} "), JOBS + 1)
    expect_each(f"delayed-{kind}", DELAYED)
    expect_each(f"stubborn-{kind}", BROKEN, times=3)
    expect_each(f"second-{kind}", RETRIED, times=2)
    expect_each(f"map-{kind}", 100)
    expect("revoked executions", count(f"revoked-{kind}"), 0)


def main():
    path = f"{os.environ['PYTHONPATH']}:{os.path.dirname(__file__)}"
    with Crew() as crew:
        for kind in ("list", "priority"):
            for n in range(2):
                consumer = [BIN / "huey_consumer", "jobs.huey", "-w", "4", "-d", "0.05",
                            "-m", "0.2", "-q"]
                # One of a queue's consumers moves what is scheduled.
                crew.hire(f"{kind}{n}", consumer + ["-n"] * n, PYTHONPATH=path, CHECK_KIND=kind)
        for kind in ("list", "priority"):
            check(kind, jobs_of(kind))
    each = JOBS + DELAYED + RETRIED + 102
    print(f"{2 * each + URGENT} tasks with results, {2 * BROKEN} failed, "
          f"{2 * (2 * BROKEN + RETRIED)} retries, {2 * DELAYED} scheduled, {2 * REVOKED} revoked")


if __name__ == "__main__":
    main()
