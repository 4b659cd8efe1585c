"use strict";
// The worker processes of a check in Node, what they did, and waiting for it; as crew.py.

const fs = require("node:fs");
const path = require("node:path");
const { fork } = require("node:child_process");

const folder = process.env.CHECK_FOLDER;
const port = Number(process.env.CHECK_PORT);

// Notes that a job was executed; called in workers.
function note(line) {
  fs.appendFileSync(path.join(folder, `done-${process.pid}`), `${line}\n`);
}

// How often each line was noted by all workers together.
function noted() {
  const counts = new Map();
  for (const file of fs.readdirSync(folder)) {
    if (!file.startsWith("done-")) continue;
    for (const line of fs.readFileSync(path.join(folder, file), "utf8").trim().split("\n")) {
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
  }
  return counts;
}

// How many lines with this prefix were noted.
function count(prefix) {
  let sum = 0;
  for (const [line, times] of noted()) if (line.startsWith(prefix)) sum += times;
  return sum;
}

// Fails unless both are equal.
function expect(what, actual, expected) {
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== wanted) throw new Error(`${what}: ${is} and not ${wanted}`);
}

// Fails unless `prefix 0` to `prefix number-1` were noted so many times each, and nothing else.
function expectEach(prefix, number, times = 1) {
  const counts = noted();
  for (let n = 0; n < number; n += 1) expect(`${prefix} ${n}`, counts.get(`${prefix} ${n}`), times);
  expect(prefix, count(`${prefix} `), number * times);
}

// Waits until a condition holds; fails after so many seconds.
async function until(what, condition, seconds = 45) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`after ${seconds} s still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const crew = [];

// Starts a worker; resolves when it says that it is ready.
function hire(name, file, ...words) {
  const log = fs.openSync(path.join(folder, `${name}.log`), "w");
  const worker = fork(file, words, { stdio: ["ignore", log, log, "ipc"] });
  crew.push(worker);
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("exit", (code) => reject(new Error(`${name} ends with ${code}`)));
  });
}

// Runs a check: prints what it says, ends its workers, and fails if it throws.
async function run(check) {
  let code = 0;
  try {
    console.log(await check());
  } catch (error) {
    code = 1;
    for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".log"))) {
      if (file === "check.log" || file === "server.log") continue;
      const lines = fs.readFileSync(path.join(folder, file), "utf8").trim().split("\n");
      console.log([`-- ${file}`, ...lines.slice(-12)].join("\n"));
    }
    console.log(error);
  }
  for (const worker of crew) worker.kill("SIGKILL");
  process.exit(code);
}

module.exports = { port, note, noted, count, expect, expectEach, until, hire, run };
