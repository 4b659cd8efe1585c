"""TaskIQ on lists, streams and pub/sub: results, retries, failures, scheduled tasks."""

import asyncio
import importlib
import os
import sys
from datetime import datetime, timedelta, timezone

from redis.asyncio import Redis

from crew import BIN, PORT, Crew, count, expect, expect_each

JOBS, BROKEN, SCHEDULED = 800, 30, 50
PATIENCE_S = 60


def jobs_of(kind):
    os.environ["CHECK_KIND"] = kind
    sys.modules.pop("jobs", None)
    return importlib.import_module("jobs")


async def listening(kind):
    """Waits until the workers of a broker take what is sent: pub/sub keeps nothing for later."""
    redis = Redis(port=PORT)
    for _ in range(1000):
        if kind == "pubsub" and (await redis.pubsub_numsub("taskiq-pubsub"))[0][1] == 2:
            break
        if kind != "pubsub":
            break
        await asyncio.sleep(0.02)
    else:
        raise SystemExit("the workers do not subscribe")
    await redis.aclose()


async def check(kind):
    jobs = jobs_of(kind)
    await jobs.broker.startup()
    await listening(kind)
    added = [await jobs.add.kiq(n, 1000) for n in range(JOBS)]
    broken = [await jobs.broken.kiq(n) for n in range(BROKEN)]
    # Every worker of the pub/sub broker gets every task.
    times = 2 if kind == "pubsub" else 1
    if kind == "list":
        await jobs.source.startup()
        soon = datetime.now(timezone.utc) + timedelta(seconds=1)
        for n in range(SCHEDULED):
            await jobs.plain.schedule_by_time(jobs.source, soon, "scheduled", n)

    async def get(task):
        return await task.wait_result(check_interval=0.02, timeout=PATIENCE_S)

    got = [await get(task) for task in added]
    expect("sums", [result.return_value for result in got], [n + 1000 for n in range(JOBS)])
    for n, task in enumerate(broken):
        result = await get(task)
        expect("an error", (result.is_err, str(result.error)), (True, f"broken {n}"))
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    wanted = SCHEDULED if kind == "list" else 0
    while count(f"scheduled-{kind}") < wanted or count(f"add-{kind}") < times * JOBS:
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit("not all tasks are executed")
        await asyncio.sleep(0.05)
    await jobs.broker.shutdown()
    expect_each(f"add-{kind}", JOBS, times)
    expect_each(f"scheduled-{kind}", wanted)
    if times == 1:
        expect_each(f"broken-{kind}", BROKEN, times=3)


def main():
    path = f"{os.environ['PYTHONPATH']}:{os.path.dirname(__file__)}"
    with Crew() as crew:
        for kind in ("list", "stream", "pubsub"):
            crew.hire(f"{kind}", [BIN / "taskiq", "worker", "jobs:broker", "-w", "2",
                                  "--log-level", "WARNING"], PYTHONPATH=path, CHECK_KIND=kind)
        crew.hire("scheduler", [BIN / "taskiq", "scheduler", "jobs:scheduler",
                                "--update-interval", "1"], PYTHONPATH=path, CHECK_KIND="list")
        for kind in ("list", "stream", "pubsub"):
            asyncio.run(check(kind))
    print(f"{3 * JOBS} tasks with results, {3 * BROKEN} failed after retries, "
          f"{SCHEDULED} scheduled; by list, stream and pub/sub")


if __name__ == "__main__":
    main()
