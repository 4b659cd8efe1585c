"""Dramatiq: results, retries, dead letters, delays, groups, pipelines, rate limits."""

import os

from dramatiq import group, pipeline
from dramatiq.results import ResultFailure

from crew import BIN, Crew, count, expect, expect_each, until
from jobs import add, alone, broken, broker, plain, stubborn

JOBS, RETRIED, BROKEN, DELAYED, LIMITED = 2000, 60, 60, 100, 10
PATIENCE_MS = 60_000


def main():
    with Crew() as crew:
        path = f"{os.environ['PYTHONPATH']}:{os.path.dirname(__file__)}"
        for n in range(2):
            crew.hire(f"worker{n}", [BIN / "dramatiq", "jobs", "--processes", "1", "--threads", "4"],
                      PYTHONPATH=path)
        added = [add.send(n, 1000) for n in range(JOBS)]
        delayed = [plain.send_with_options(args=("delayed", n), delay=1000)
                   for n in range(DELAYED)]
        retried = [stubborn.send(n) for n in range(RETRIED)]
        failed = [broken.send(n) for n in range(BROKEN)]
        limited = [alone.send(n) for n in range(LIMITED)]
        together = group(plain.message("group", n) for n in range(100)).run()
        chained = pipeline([plain.message("chain", 5), add.message(7)]).run()

        got = [message.get_result(block=True, timeout=PATIENCE_MS) for message in added]
        expect("sums", got, [n + 1000 for n in range(JOBS)])
        for name, messages in (("delayed", delayed), ("retried", retried), ("limited", limited)):
            got = [message.get_result(block=True, timeout=PATIENCE_MS) for message in messages]
            expect(name, got, list(range(len(messages))))
        expect("the group", list(together.get_results(block=True, timeout=PATIENCE_MS)),
               list(range(100)))
        expect("the pipeline", chained.get_result(block=True, timeout=PATIENCE_MS), 12)
        for n, message in enumerate(failed):
            try:
                message.get_result(block=True, timeout=PATIENCE_MS)
            except ResultFailure as failure:
                expect("an error", failure.orig_exc_msg, f"broken {n}")
            else:
                raise SystemExit("a failed message has a result")
        broker.join("default", timeout=PATIENCE_MS)
        expect("what is left", broker.client.hlen("dramatiq:default.msgs"), 0)
        until("dead letters", lambda: broker.client.zcard("dramatiq:default.XQ") == BROKEN)
        expect("executions", count("add "), JOBS + 1)
        expect_each("delayed", DELAYED)
        expect_each("stubborn", RETRIED, times=3)
        expect_each("broken", BROKEN)
        expect_each("alone", LIMITED)
        expect_each("group", 100)
    print(f"{JOBS + DELAYED + RETRIED + LIMITED + 102} messages with results, {BROKEN} dead, "
          f"{2 * RETRIED} retries, {DELAYED} delayed, {LIMITED} one at a time")


if __name__ == "__main__":
    main()
