"use strict";
// node-resque, which keeps Resque's keys: failures, retries, delayed jobs, locks, statistics.

const path = require("node:path");
const { Plugins, Queue } = require("node-resque");
const { count, expect, expectEach, hire, port, run, until } = require("crew");

const JOBS = 1500, DELAYED = 100, RETRIED = 30, BROKEN = 50;
const connection = { pkg: "ioredis", host: "127.0.0.1", port, database: 0 };

run(async () => {
  const queue = new Queue({ connection }, {
    locked: { plugins: [Plugins.QueueLock], perform: async () => {} },
  });
  await queue.connect();
  // The lock lets one of many through; the workers are not there yet.
  for (let n = 0; n < 20; n += 1) await queue.enqueue("main", "locked", []);
  expect("locked jobs", await queue.length("main"), 1);
  for (let n = 0; n < JOBS; n += 1) await queue.enqueue("main", "add", [n]);
  for (let n = 0; n < BROKEN; n += 1) await queue.enqueue("main", "broken", [n]);
  for (let n = 0; n < RETRIED; n += 1) await queue.enqueue("main", "stubborn", [n]);
  expect("waiting", await queue.length("main"), 1 + JOBS + BROKEN + RETRIED);
  const file = path.join(__dirname, "worker.js");
  await Promise.all([hire("worker0", file), hire("worker1", file)]);
  for (let n = 0; n < DELAYED; n += 1) await queue.enqueueIn(1000, "main", "delayed", [n]);
  await queue.enqueueIn(3600_000, "main", "removed", [0]);
  expect("removed", (await queue.delDelayed("main", "removed", [0])).length, 1);

  await until("failures", async () => (await queue.failedCount()) === BROKEN + RETRIED);
  await until("delayed jobs", () => count("delayed ") === DELAYED);
  await until("all others", () => count("add ") === JOBS);
  expectEach("add", JOBS);
  expectEach("delayed", DELAYED);
  expectEach("broken", BROKEN);
  expectEach("stubborn", RETRIED, 3);
  expectEach("locked", 1);
  expect("removed executions", count("removed"), 0);
  const failed = await queue.failed(0, -1);
  expect("errors", failed.filter((failure) => failure.error === "again").length, RETRIED);
  for (const failure of failed) {
    if (failure.error !== "again") expect("error", failure.error, `broken ${failure.payload.args[0]}`);
  }
  await until("statistics", async () => {
    const { processed, failed } = await queue.stats();
    return processed === String(JOBS + DELAYED + 1) && failed === String(BROKEN + 3 * RETRIED);
  });
  expect("leader", typeof await queue.leader(), "string");
  const processes = Object.keys(await queue.workers()).map((name) => name.split("+")[0]);
  expect("processes", new Set(processes).size, 2);
  expect("what is left", await queue.length("main"), 0);
  await queue.end();
  return `${JOBS + DELAYED + 1} jobs, ${BROKEN + RETRIED} failed, ${2 * RETRIED} retries, `
    + `${DELAYED} delayed`;
});
