"use strict";
// BullMQ: results, retries with backoff, failures, delays, priorities, flows, schedulers, rate
// limits, bulk, progress, events.

const path = require("node:path");
const { FlowProducer, Queue, QueueEvents } = require("bullmq");
const { count, expect, expectEach, hire, port, run, until } = require("crew");

const JOBS = 3000, DELAYED = 100, RETRIED = 60, BROKEN = 60, PRIORITIES = 200;
const FLOWS = 20, CHILDREN = 10, LIMITED = 50, TALKATIVE = 20;
const connection = { host: "127.0.0.1", port };

function numbered(name, number, opts) {
  return Array.from({ length: number }, (_, n) => ({
    name, data: { n }, opts: typeof opts === "function" ? opts(n) : opts,
  }));
}

run(async () => {
  const queue = new Queue("main", { connection });
  const limited = new Queue("limited", { connection });
  const children = new Queue("children", { connection });
  const events = new QueueEvents("main", { connection });
  const seen = {};
  for (const name of ["completed", "failed", "delayed", "progress", "retries-exhausted"]) {
    events.on(name, () => { seen[name] = (seen[name] ?? 0) + 1; });
  }
  await events.waitUntilReady();

  // Taken in order of priority by one worker that starts when all are there.
  const urgent = await queue.addBulk(numbered("priority", PRIORITIES, (n) => ({
    priority: 1 + (n * 7) % 10,
  })));
  expect("waiting by priority", await queue.getPrioritizedCount(), PRIORITIES);
  const file = path.join(__dirname, "worker.js");
  await Promise.all([hire("worker0", file), hire("worker1", file)]);

  const jobs = await queue.addBulk(numbered("plain", JOBS));
  const others = await queue.addBulk([
    ...numbered("delayed", DELAYED, { delay: 1000 }),
    ...numbered("stubborn", RETRIED, {
      attempts: 3, backoff: { type: "exponential", delay: 20 },
    }),
    ...numbered("talkative", TALKATIVE),
  ]);
  const broken = await queue.addBulk([
    ...numbered("broken", BROKEN, { attempts: 2 }),
    ...numbered("hopeless", BROKEN, { attempts: 5 }),
  ]);
  await limited.addBulk(numbered("limited", LIMITED));
  await limited.upsertJobScheduler("often", { every: 200, limit: 5 }, {
    name: "scheduled", data: { n: 0 },
  });
  const flows = new FlowProducer({ connection });
  const parents = await flows.addBulk(Array.from({ length: FLOWS }, (_, n) => ({
    name: "parent", queueName: "main", data: { n },
    children: numbered("child", CHILDREN).map((child) => ({ ...child, queueName: "children" })),
  })));
  // The same id again is the same job.
  for (let n = 0; n < 20; n += 1) {
    await queue.add("same", { n: 0 }, { jobId: "same" });
  }
  const removed = await queue.add("removed", { n: 0 }, { delay: 3600_000 });
  await removed.remove();

  const done = [...urgent, ...jobs, ...others];
  const results = await Promise.all(done.map((job) => job.waitUntilFinished(events, 60_000)));
  expect("results", results, done.map((job) => job.data.n + 1000));
  const failures = await Promise.allSettled(
    broken.map((job) => job.waitUntilFinished(events, 60_000)));
  expect("failures", failures.map((failure) => failure.reason.message),
    broken.map((job) => `${job.name} ${job.data.n}`));
  const sums = await Promise.all(
    parents.map(({ job }) => job.waitUntilFinished(events, 60_000)));
  const sum = CHILDREN * 1000 + CHILDREN * (CHILDREN - 1) / 2;
  expect("sums of children", sums, parents.map(() => sum));
  await until("limited jobs end",
    async () => (await limited.getCompletedCount()) === LIMITED + 5);
  await until("the same ends", () => count("same") === 1);

  const total = done.length + FLOWS + 1;
  await until("the events of all", () => seen.completed === total
    && seen.failed === 2 * BROKEN, 10);
  expect("counts", await queue.getJobCounts("completed", "failed", "waiting", "active", "delayed"),
    { completed: total, failed: 2 * BROKEN, waiting: 0, active: 0, delayed: 0 });
  expect("children", await children.getCompletedCount(), FLOWS * CHILDREN);
  expect("progress", seen.progress, TALKATIVE);
  const { logs } = await queue.getJobLogs(others.at(-1).id);
  expect("logs", logs, [`line of ${TALKATIVE - 1}`]);
  expectEach("priority", PRIORITIES);
  expectEach("plain", JOBS);
  expectEach("delayed", DELAYED);
  expectEach("stubborn", RETRIED, 3);
  expectEach("broken", BROKEN, 2);
  expectEach("hopeless", BROKEN);
  expectEach("limited", LIMITED);
  expectEach("child", CHILDREN, FLOWS);
  expectEach("parent", FLOWS);
  expect("removed", count("removed"), 0);
  expect("scheduled", count("scheduled"), 5);

  // Failed jobs are tried again and fail again; what is completed is cleaned away.
  await queue.retryJobs({ state: "failed", count: 1000 });
  await until("they fail again", async () => (await queue.getFailedCount()) === 2 * BROKEN
    && count("hopeless") === 2 * BROKEN);
  expect("cleaned", (await queue.clean(0, 10_000, "completed")).length, total);
  await queue.obliterate();
  return `${total} jobs with results, ${2 * BROKEN} failed, ${RETRIED * 2 + BROKEN} retries, `
    + `${DELAYED} delayed, ${PRIORITIES} by priority, ${FLOWS} flows, ${LIMITED} limited`;
});
