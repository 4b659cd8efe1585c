"use strict";
// A worker process of the queue that check.js fills.

const Queue = require("bee-queue");
const { note, port } = require("crew");

const queue = new Queue("main", {
  redis: { host: "127.0.0.1", port }, activateDelayedJobs: true, nearTermWindow: 500,
});

queue.process(10, async (job) => {
  const { kind, n } = job.data;
  note(`${kind} ${n}`);
  if (kind === "stubborn" && job.options.retries > 0) throw new Error("again");
  if (kind === "broken") throw new Error(`broken ${n}`);
  if (kind === "talkative") job.reportProgress({ n });
  return n + 1000;
});
queue.on("error", (error) => console.log(error));
queue.ready().then(() => process.send("ready"));
