"use strict";
// Bee-Queue: results, retries, failures, delays, progress, jobs of one id.

const path = require("node:path");
const Queue = require("bee-queue");
const { count, expect, expectEach, hire, port, run, until } = require("crew");

const JOBS = 2000, DELAYED = 100, RETRIED = 50, BROKEN = 50, TALKATIVE = 20;

run(async () => {
  const queue = new Queue("main", {
    redis: { host: "127.0.0.1", port }, isWorker: false, storeJobs: true,
  });
  await queue.ready();
  const file = path.join(__dirname, "worker.js");
  await Promise.all([hire("worker0", file), hire("worker1", file)]);

  // What becomes of jobs is published. A job may end before its id is known here.
  const ends = new Map(), jobs = new Map();
  let retries = 0, progress = 0;
  queue.on("job succeeded", (id, result) => ends.set(id, result));
  queue.on("job failed", (id, error) => ends.set(id, error.message));
  queue.on("job retrying", () => { retries += 1; });
  queue.on("job progress", () => { progress += 1; });
  const send = async (kind, number, configure = (job) => job) => {
    for (let n = 0; n < number; n += 1) {
      const job = await configure(queue.createJob({ kind, n })).save();
      jobs.set(job.id, [kind, n]);
    }
  };
  await send("plain", JOBS);
  await send("delayed", DELAYED, (job) => job.delayUntil(Date.now() + 1000));
  await send("stubborn", RETRIED, (job) => job.retries(2).backoff("fixed", 20));
  await send("broken", BROKEN);
  await send("talkative", TALKATIVE);
  await send("once", 1, (job) => job.setId("once"));
  for (let n = 0; n < 20; n += 1) {
    const again = await queue.createJob({ kind: "once", n: 0 }).setId("once").save();
    expect("the id of a job that exists", again.id, null);
  }
  const bulk = Array.from({ length: 500 }, (_, n) => queue.createJob({ kind: "bulk", n }));
  expect("errors of a bulk", (await queue.saveAll(bulk)).size, 0);

  bulk.forEach((job, n) => jobs.set(job.id, ["bulk", n]));
  await until("all jobs end", () => ends.size === jobs.size, 60);
  for (const [id, [kind, n]] of jobs) {
    expect(`${kind} ${n}`, ends.get(id), kind === "broken" ? `broken ${n}` : n + 1000);
  }
  await until("all are counted", async () => {
    const health = await queue.checkHealth();
    return health.succeeded === jobs.size - BROKEN && health.failed === BROKEN
      && health.waiting + health.active + health.delayed === 0;
  });
  expect("retries", retries, 2 * RETRIED);
  expect("progress", progress, TALKATIVE);
  for (const [kind, number, times] of [["plain", JOBS, 1], ["delayed", DELAYED, 1],
    ["stubborn", RETRIED, 3], ["broken", BROKEN, 1], ["once", 1, 1], ["bulk", 500, 1]]) {
    expectEach(kind, number, times);
  }
  expect("a stored job", (await queue.getJob("once")).status, "succeeded");
  await queue.destroy();
  return `${jobs.size - BROKEN} jobs with results, ${BROKEN} failed, ${2 * RETRIED} retries, `
    + `${DELAYED} delayed`;
});
