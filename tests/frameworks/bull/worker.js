"use strict";
// A worker process of the queue that check.js fills.

const Queue = require("bull");
const { note, port } = require("crew");

const queue = new Queue("main", { redis: { host: "127.0.0.1", port } });

queue.process("*", 10, async (job) => {
  const { name, data } = job;
  note(`${name} ${data.n}`);
  if (name === "stubborn" && job.attemptsMade < 2) throw new Error("again");
  if (name === "broken") throw new Error(`broken ${data.n}`);
  if (name === "talkative") await job.progress(50);
  return data.n + 1000;
});
queue.on("error", (error) => console.log(error));
queue.isReady().then(() => process.send("ready"));
