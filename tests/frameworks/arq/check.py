"""arq: results, retries, failures, deferred and aborted jobs, jobs of one id."""

import asyncio
import os

from arq import create_pool
from arq.constants import abort_jobs_ss, health_check_key_suffix
from arq.jobs import JobStatus
from arq.utils import timestamp_ms

from crew import BIN, Crew, count, expect, expect_each
from jobs import SETTINGS

JOBS, RETRIED, BROKEN, DEFERRED, ABORTED, SAME = 1500, 60, 60, 100, 30, 200
PATIENCE_S = 60


async def send_and_check():
    pool = await create_pool(SETTINGS)
    added = [await pool.enqueue_job("add", n, 1000) for n in range(JOBS)]
    aborted = [await pool.enqueue_job("plain", "aborted", n, _defer_by=3600)
               for n in range(ABORTED)]
    deferred = [await pool.enqueue_job("plain", "deferred", n, _defer_by=1)
                for n in range(DEFERRED)]
    retried = [await pool.enqueue_job("stubborn", n) for n in range(RETRIED)]
    broken = [await pool.enqueue_job("broken", n) for n in range(BROKEN)]
    # WATCH keeps all but the first of an id out.
    same = await asyncio.gather(
        *(pool.enqueue_job("plain", "same", 0, _job_id="same", _defer_by=1) for _ in range(SAME)))
    expect("jobs of one id", sum(job is not None for job in same), 1)

    async def results(jobs):
        return [await job.result(timeout=PATIENCE_S, poll_delay=0.02) for job in jobs]

    expect("sums", await results(added), [n + 1000 for n in range(JOBS)])
    expect("deferred", await results(deferred), list(range(DEFERRED)))
    expect("retried", await results(retried), list(range(RETRIED)))
    for n, job in enumerate(broken):
        try:
            await job.result(timeout=PATIENCE_S, poll_delay=0.02)
        except ValueError as error:
            expect("an error", str(error), f"broken {n}")
        else:
            raise SystemExit("a failed job has a result")
    # Aborting makes a job due first and says why afterwards: a worker that looks in between would
    # run it, at any server. So it is said before.
    await pool.zadd(abort_jobs_ss, {job.job_id: timestamp_ms() for job in aborted})
    gone = await asyncio.gather(*(job.abort(timeout=PATIENCE_S) for job in aborted))
    expect("aborted", gone, [True] * ABORTED)
    info = await retried[0].result_info()
    expect("tries", (info.job_try, info.success), (3, True))
    expect("state", await added[0].status(), JobStatus.complete)
    expect("results kept", len(await pool.all_job_results()),
           JOBS + DEFERRED + RETRIED + BROKEN + ABORTED + 1)
    expect("what is left", await pool.queued_jobs(), [])
    expect("health", bool(await pool.get("arq:queue" + health_check_key_suffix)), True)
    await pool.aclose()


def main():
    path = f"{os.environ['PYTHONPATH']}:{os.path.dirname(__file__)}"
    with Crew() as crew:
        for n in range(2):
            crew.hire(f"worker{n}", [BIN / "arq", "jobs.Worker"], PYTHONPATH=path)
        asyncio.run(send_and_check())
        expect_each("add", JOBS)
        expect_each("deferred", DEFERRED)
        expect_each("stubborn", RETRIED, times=3)
        expect_each("broken", BROKEN)
        expect_each("same", 1)
        expect("aborted executions", count("aborted"), 0)
    print(f"{JOBS + DEFERRED + RETRIED + 1} jobs with results, {BROKEN} failed, {2 * RETRIED} "
          f"retries, {DEFERRED} deferred, {ABORTED} aborted, {SAME} of one id")


if __name__ == "__main__":
    main()
