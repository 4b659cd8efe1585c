"use strict";
// BullMQ: adds jobs while a worker process takes them. Prints jobs per second, from the first that
// is added to the last that is done.
//
//     node bullmq.js JOBS        with the server's port in CHECK_PORT

const { fork } = require("node:child_process");
const { Queue, Worker } = require("bullmq");

const connection = { host: "127.0.0.1", port: Number(process.env.CHECK_PORT), maxRetriesPerRequest: null };
const JOBS = Number(process.argv[2]);
// Additions under way at once, and jobs.
const CONCURRENCY = 50;

function work() {
  let done = 0;
  const worker = new Worker("bench", async (job) => job.data.n, { connection, concurrency: CONCURRENCY });
  worker.on("completed", () => {
    done += 1;
    if (done === JOBS) process.send("done");
  });
  worker.waitUntilReady().then(() => process.send("ready"));
}

async function add() {
  const worker = fork(__filename, [JOBS, "work"]);
  const hear = (word) => new Promise((resolve) => {
    worker.on("message", (said) => said === word && resolve());
  });
  const queue = new Queue("bench", { connection });
  await Promise.all([hear("ready"), queue.waitUntilReady()]);
  const done = hear("done");
  const began = process.hrtime.bigint();
  let next = 0;
  const lane = async () => {
    while (next < JOBS) {
      next += 1;
      await queue.add("job", { n: next, text: "a job as queues hold them" }, { removeOnComplete: true });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  await done;
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log((JOBS / seconds).toFixed(0));
  worker.kill();
  process.exit(0);
}

if (process.argv[3] === "work") work();
else add();
