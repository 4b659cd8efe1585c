"""RQ: results, retries, failures, dependencies, scheduled jobs, cancelled jobs, callbacks."""

import os
from datetime import timedelta

from redis import Redis
from rq import Callback, Queue, Retry
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

import jobs
from crew import BIN, PORT, URL, Crew, count, expect, expect_each, until

JOBS, RETRIED, BROKEN, SCHEDULED, CANCELLED, FORKED = 1200, 40, 60, 60, 40, 40


def main():
    connection = Redis(port=PORT)
    queue, forked = Queue("main", connection=connection), Queue("forked", connection=connection)
    with Crew() as crew:
        path = f"{os.environ['PYTHONPATH']}:{os.path.dirname(__file__)}"
        worker = [BIN / "rq", "worker", "--url", URL, "--with-scheduler", "--quiet"]
        simple = [*worker, "--worker-class", "rq.worker.SimpleWorker"]
        for n in range(3):
            crew.hire(f"simple{n}", [*simple, "--name", f"simple{n}", "main"], PYTHONPATH=path)
        # The stock worker forks for every job.
        crew.hire("forking", [*worker, "--name", "forking", "forked", "main"], PYTHONPATH=path)

        added = [queue.enqueue(jobs.add, n, 1000, result_ttl=3600) for n in range(JOBS)]
        cancelled = [queue.enqueue_in(timedelta(hours=1), jobs.plain, "cancelled", n)
                     for n in range(CANCELLED)]
        scheduled = [queue.enqueue_in(timedelta(seconds=1), jobs.plain, "scheduled", n)
                     for n in range(SCHEDULED)]
        stubborn = [queue.enqueue(jobs.stubborn, n, retry=Retry(max=2)) for n in range(RETRIED)]
        broken = [queue.enqueue(jobs.broken, n, on_failure=Callback(jobs.failed))
                  for n in range(BROKEN)]
        dependent = [queue.enqueue(jobs.plain, "dependent", n, depends_on=added[n],
                                   on_success=Callback(jobs.succeeded)) for n in range(50)]
        bulk = queue.enqueue_many(
            [Queue.prepare_data(jobs.plain, ("bulk", n)) for n in range(200)])
        child = [forked.enqueue(jobs.plain, "forked", n) for n in range(FORKED)]
        for job in cancelled:
            job.cancel()

        done = [*added, *scheduled, *stubborn, *dependent, *bulk, *child]
        finished = {JobStatus.FINISHED, JobStatus.FAILED}

        def left():
            waiting[:] = [job for job in waiting if job.get_status() not in finished]
            return not waiting

        waiting = [*done, *broken]
        until("all jobs end", left, 60)
        for job in done:
            expect(f"state of {job.description}", job.get_status(), JobStatus.FINISHED)
        expect("sums", [job.return_value() for job in added], [n + 1000 for n in range(JOBS)])
        for n, job in enumerate(broken):
            expect("state", job.get_status(), JobStatus.FAILED)
            assert f"ValueError: broken {n}" in job.latest_result().exc_string
        expect_each("add", JOBS)
        expect_each("bulk", 200)
        expect_each("scheduled", SCHEDULED)
        expect_each("stubborn", RETRIED, times=3)
        expect_each("dependent", 50)
        expect_each("succeeded", 50)
        until("callbacks of failures", lambda: count("failed ") == BROKEN)
        expect_each("forked", FORKED)
        expect("cancelled executions", count("cancelled"), 0)
        expect("failed jobs", len(FailedJobRegistry(queue=queue)), BROKEN)
        expect("finished jobs",
               len(FinishedJobRegistry(queue=queue)) + len(FinishedJobRegistry(queue=forked)),
               len(done))
        expect("scheduled jobs", len(ScheduledJobRegistry(queue=queue)), 0)
        # A failed job that is enqueued again fails again.
        registry = FailedJobRegistry(queue=queue)
        registry.requeue(broken[0].id)
        until("it fails twice", lambda: count("broken 0") == 2)
        until("it is back", lambda: len(registry) == BROKEN)
        expect("what is left", queue.count + forked.count, 0)
        Job.fetch(added[0].id, connection=connection).delete()
        expect("a deleted job", Job.exists(added[0].id, connection=connection), False)
    print(f"{len(done)} jobs with results, {BROKEN} failed, {2 * RETRIED} retries, {SCHEDULED} "
          f"scheduled, {CANCELLED} cancelled, 50 dependent")


if __name__ == "__main__":
    main()
