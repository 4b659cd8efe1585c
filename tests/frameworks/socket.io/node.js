"use strict";
// One server of a Socket.IO cluster; check.js tells it what to do.

const { createServer } = require("node:http");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createShardedAdapter } = require("@socket.io/redis-adapter");
const streams = require("@socket.io/redis-streams-adapter");
const { createClient } = require("redis");
const { Redis } = require("ioredis");
const { Server } = require("socket.io");
const { port } = require("crew");

const kind = process.argv[2];

async function adapter() {
  if (kind === "redis") {
    const publisher = new Redis({ port });
    return createAdapter(publisher, publisher.duplicate());
  }
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  await client.connect();
  if (kind === "streams") return streams.createAdapter(client);
  const subscriber = client.duplicate();
  await subscriber.connect();
  return createShardedAdapter(client, subscriber);
}

async function main() {
  const http = createServer();
  const io = new Server(http, {
    adapter: await adapter(),
    connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
  });
  io.on("connection", (socket) => {
    socket.on("join", async (room, done) => {
      await socket.join(room);
      done();
    });
    socket.on("shout", (room, n) => io.to(room).emit("heard", room, n));
    socket.on("ask", (n) => io.to("all").timeout(10_000).emit("question", n,
      (error, answers) => socket.emit("answers", n, error ? "late" : answers.length)));
    socket.on("census", async (done) => {
      const all = await io.fetchSockets();
      const inRoom = await io.in("room1").fetchSockets();
      done(all.length, inRoom.length);
    });
    socket.on("gather", async (done) => {
      io.in("room0").socketsJoin("gathered");
      done();
    });
  });
  io.on("who", (done) => done(process.pid));
  http.listen(0, "127.0.0.1", () => process.send(http.address().port));
}

main();
