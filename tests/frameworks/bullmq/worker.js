"use strict";
// A worker process of the queues that check.js fills.

const { Worker, UnrecoverableError } = require("bullmq");
const { note, port } = require("crew");

const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };

async function work(job) {
  const { name, data } = job;
  note(`${name} ${data.n}`);
  if (name === "stubborn" && job.attemptsMade < 2) throw new Error("again");
  if (name === "broken") throw new Error(`broken ${data.n}`);
  if (name === "hopeless") throw new UnrecoverableError(`hopeless ${data.n}`);
  if (name === "parent") {
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((sum, value) => sum + value, 0);
  }
  if (name === "talkative") {
    await job.updateProgress(50);
    await job.log(`line of ${data.n}`);
  }
  return data.n + 1000;
}

const workers = [
  new Worker("main", work, { connection, concurrency: 20 }),
  new Worker("children", work, { connection, concurrency: 10 }),
  new Worker("limited", work, { connection, limiter: { max: 10, duration: 300 } }),
];
for (const worker of workers) worker.on("error", (error) => console.log(error));
Promise.all(workers.map((worker) => worker.waitUntilReady())).then(() => process.send("ready"));
