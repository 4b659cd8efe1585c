"use strict";
// Socket.IO's adapters: pub/sub, sharded pub/sub, streams. Clients of three servers hear each
// other in rooms, answer questions of any server, and are counted across all.

const path = require("node:path");
const { io } = require("socket.io-client");
const { expect, hire, port, run, until } = require("crew");
const { Redis } = require("ioredis");

const SERVERS = 3, CLIENTS = 12, SHOUTS = 200, QUESTIONS = 20;

async function check(kind) {
  const file = path.join(__dirname, "node.js");
  const ports = await Promise.all(
    Array.from({ length: SERVERS }, (_, n) => hire(`${kind}${n}`, file, kind)));
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, n) =>
    new Promise((resolve) => {
      const client = io(`http://127.0.0.1:${ports[n % SERVERS]}`, { transports: ["websocket"] });
      client.heard = new Map();
      client.answers = [];
      client.on("heard", (room, n) => {
        const key = `${room} ${n}`;
        client.heard.set(key, (client.heard.get(key) ?? 0) + 1);
      });
      client.on("question", (n, answer) => answer(n));
      client.on("answers", (n, count) => client.answers.push(count));
      client.once("connect", () => resolve(client));
    })));
  const ask = (client, ...words) => new Promise((resolve) => {
    client.emit(...words, (...answer) => resolve(answer));
  });
  await Promise.all(clients.map((client) => ask(client, "join", "all")));
  await Promise.all(clients.map((client, n) => ask(client, "join", `room${n % 2}`)));
  await until("everybody is counted", async () => {
    const [all, inRoom] = await ask(clients[0], "census");
    return all === CLIENTS && inRoom === CLIENTS / 2;
  });

  clients.forEach((client, n) => {
    for (let shout = 0; shout < SHOUTS; shout += 1) {
      client.emit("shout", shout % 2 === 0 ? "all" : "room1", n * SHOUTS + shout);
    }
  });
  const half = CLIENTS * SHOUTS / 2;
  const wanted = (n) => half + (n % 2 === 1 ? half : 0);
  await until("everybody heard all", () =>
    clients.every((client, n) => client.heard.size === wanted(n)));
  for (const client of clients) {
    expect("most often", Math.max(...client.heard.values()), 1);
  }

  for (const client of clients.slice(0, SERVERS)) {
    for (let n = 0; n < QUESTIONS; n += 1) client.emit("ask", n);
  }
  await until("all answers", () => clients.slice(0, SERVERS).every(
    (client) => client.answers.length === QUESTIONS));
  for (const client of clients.slice(0, SERVERS)) {
    expect("answers", [...new Set(client.answers)], [CLIENTS]);
  }

  // A room that one server makes of the members of another, wherever they are.
  await ask(clients[1], "gather");
  await until("the gathered hear", async () => {
    clients[2].emit("shout", "gathered", 0);
    return clients.every((client, n) => client.heard.has("gathered 0") === (n % 2 === 0));
  });
  for (const client of clients) client.disconnect();
  return CLIENTS * half + (CLIENTS / 2) * half;
}

run(async () => {
  let delivered = 0;
  const redis = new Redis({ port });
  for (const kind of ["redis", "sharded", "streams"]) {
    delivered += await check(kind);
    if (kind === "streams") expect("a stream", await redis.type("socket.io"), "stream");
  }
  return `${delivered} messages heard once each by ${CLIENTS} clients of ${SERVERS} servers, `
    + `${3 * SERVERS * QUESTIONS} questions answered by all; by pub/sub, sharded, and streams`;
});
