"use strict";
// A worker process: a multi-worker and a scheduler, of which one in all processes leads.

const { MultiWorker, Plugins, Scheduler } = require("node-resque");
const { note, port } = require("crew");

const connection = { pkg: "ioredis", host: "127.0.0.1", port, database: 0 };
const job = (name, perform, more = {}) => [name, { perform, ...more }];

const jobs = Object.fromEntries([
  job("add", async (n) => { note(`add ${n}`); return n + 1000; }),
  job("delayed", async (n) => { note(`delayed ${n}`); }),
  job("broken", async (n) => { note(`broken ${n}`); throw new Error(`broken ${n}`); }),
  job("stubborn", async (n) => { note(`stubborn ${n}`); throw new Error("again"); }, {
    plugins: [Plugins.Retry], pluginOptions: { Retry: { retryLimit: 3, retryDelay: 1 } },
  }),
  job("locked", async () => { note("locked 0"); }, { plugins: [Plugins.QueueLock] }),
]);

async function main() {
  const scheduler = new Scheduler({ connection, timeout: 200 });
  await scheduler.connect();
  scheduler.start();
  const workers = new MultiWorker({
    connection, queues: ["main"], minTaskProcessors: 5, maxTaskProcessors: 5, timeout: 20,
  }, jobs);
  workers.on("error", (error) => console.log(error));
  await workers.start();
  process.send("ready");
}

main();
