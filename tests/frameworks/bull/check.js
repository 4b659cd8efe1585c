"use strict";
// Bull: results, retries with backoff, failures, delays, priorities, repeated jobs, pause, events.

const path = require("node:path");
const Queue = require("bull");
const { count, expect, expectEach, hire, port, run, until } = require("crew");

const JOBS = 2000, DELAYED = 100, RETRIED = 50, BROKEN = 50, PRIORITIES = 200, TALKATIVE = 20;

function numbered(name, number, opts) {
  return Array.from({ length: number }, (_, n) => ({
    name, data: { n }, opts: typeof opts === "function" ? opts(n) : opts,
  }));
}

run(async () => {
  const queue = new Queue("main", { redis: { host: "127.0.0.1", port } });
  await queue.isReady();
  let progress = 0;
  queue.on("global:progress", () => { progress += 1; });
  await queue.pause();
  const urgent = await queue.addBulk(numbered("priority", PRIORITIES, (n) => ({
    priority: 1 + (n * 7) % 10,
  })));
  const file = path.join(__dirname, "worker.js");
  await Promise.all([hire("worker0", file), hire("worker1", file)]);
  expect("done while paused", count("priority"), 0);
  await queue.resume();

  const done = [...urgent, ...await queue.addBulk([
    ...numbered("plain", JOBS),
    ...numbered("delayed", DELAYED, { delay: 1000 }),
    ...numbered("stubborn", RETRIED, { attempts: 3, backoff: 20 }),
    ...numbered("talkative", TALKATIVE),
  ])];
  const broken = await queue.addBulk(numbered("broken", BROKEN, { attempts: 2 }));
  for (let n = 0; n < 20; n += 1) await queue.add("same", { n: 0 }, { jobId: "same" });
  await queue.add("repeated", { n: 0 }, { repeat: { every: 200, limit: 4 } });
  const removed = await queue.add("removed", { n: 0 }, { delay: 3600_000 });
  await removed.remove();

  expect("results", await Promise.all(done.map((job) => job.finished())),
    done.map((job) => job.data.n + 1000));
  const failures = await Promise.allSettled(broken.map((job) => job.finished()));
  expect("failures", failures.map((failure) => failure.reason?.message),
    broken.map((job) => `broken ${job.data.n}`));
  await until("repeated jobs", async () => (await queue.getCompletedCount()) === done.length + 5);
  expect("counts", await queue.getJobCounts(),
    { waiting: 0, active: 0, completed: done.length + 5, failed: BROKEN, delayed: 0, paused: 0 });
  expect("progress", progress, TALKATIVE);
  for (const [name, number, times] of [["priority", PRIORITIES, 1], ["plain", JOBS, 1],
    ["delayed", DELAYED, 1], ["stubborn", RETRIED, 3], ["broken", BROKEN, 2], ["same", 1, 1]]) {
    expectEach(name, number, times);
  }
  expect("repeated", count("repeated"), 4);
  expect("removed", count("removed"), 0);
  await Promise.all((await queue.getFailed()).map((job) => job.retry()));
  await until("they fail again", async () => count("broken ") === BROKEN * 3
    && (await queue.getFailedCount()) === BROKEN);
  expect("cleaned", (await queue.clean(0, "completed")).length, done.length + 5);
  await queue.obliterate({ force: true });
  return `${done.length + 5} jobs with results, ${BROKEN} failed, ${2 * RETRIED + BROKEN} `
    + `retries, ${DELAYED} delayed, ${PRIORITIES} by priority`;
});
