// Socket.IO over Weir: two servers that share one stream through @socket.io/redis-streams-adapter,
// and a client of each. What one server emits reaches the clients of both, in order, once.
//
//     adapter.js PORT MESSAGES

'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const Redis = require('ioredis');
const { Server } = require('socket.io');
const { io } = require('socket.io-client');
const { createAdapter } = require('@socket.io/redis-streams-adapter');

async function startServer(port) {
  const redis = new Redis(port);
  const server = new Server({
    adapter: createAdapter(redis, { maxLen: 100_000 }),
    connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
  });
  server.on('connection', (socket) => socket.join(['everybody', socket.handshake.auth.room]));
  server.listen(0);
  await once(server.httpServer, 'listening');
  return { server, redis, port: server.httpServer.address().port };
}

function connect(port, room) {
  return io(`http://127.0.0.1:${port}`, {
    auth: { room },
    transports: ['websocket'],
    reconnectionDelay: 10,
    reconnectionDelayMax: 10,
  });
}

// Both servers must be waiting at the end of the stream: what came before is not theirs.
async function listening(redis, count) {
  while (!(await redis.info('clients')).includes(`blocked_clients:${count}\r\n`)) continue;
}

// Collects what a client hears until it has heard so many.
function hear(client, event, count) {
  const heard = [];
  return new Promise((resolve) => {
    client.on(event, (...args) => {
      heard.push(args[0]);
      if (heard.length === count) resolve(heard);
    });
  });
}

async function broadcast(servers, clients, messages) {
  const numbers = Array.from({ length: messages }, (_, n) => n);
  const hearing = clients.map((client) => hear(client, 'number', messages));
  for (const n of numbers) servers[n % 2].server.to('everybody').emit('number', n);
  for (const heard of await Promise.all(hearing)) {
    // Each server's own order holds; the two are not ordered among each other.
    for (const parity of [0, 1]) {
      const expected = numbers.filter((n) => n % 2 === parity);
      assert.deepEqual(heard.filter((n) => n % 2 === parity), expected);
    }
  }
}

async function talk(servers, clients) {
  const [one, other] = servers.map(({ server }) => server);
  const red = hear(clients[0], 'only', 1);
  other.to('red').emit('only', Buffer.from([0, 1, 255]));
  assert.deepEqual(await red, [Buffer.from([0, 1, 255])]);

  const sockets = await one.fetchSockets();
  assert.deepEqual(sockets.map(({ id }) => id).sort(), clients.map(({ id }) => id).sort());

  for (const client of clients) client.on('question', (answer) => answer(client.id));
  const answers = await one.timeout(60_000).emitWithAck('question');
  assert.deepEqual(answers.sort(), clients.map(({ id }) => id).sort());

  other.on('ping', (answer) => answer('pong'));
  assert.deepEqual(await one.serverSideEmitWithAck('ping'), ['pong']);
}

// A client that loses its connection gets what it missed.
async function recover(servers, client) {
  const id = client.id;
  const gone = once(client, 'disconnect');
  const back = once(client, 'connect');
  const missed = hear(client, 'missed', 3);
  client.io.engine.close();
  await gone;
  for (const n of [1, 2, 3]) servers[1].server.emit('missed', n);
  await back;
  assert.ok(client.recovered && client.id === id, 'the session is recovered');
  assert.deepEqual(await missed, [1, 2, 3]);
}

async function main(port, messages) {
  const servers = [await startServer(port), await startServer(port)];
  await servers[0].redis.flushall();
  await listening(servers[0].redis, 2);
  const clients = [connect(servers[0].port, 'red'), connect(servers[1].port, 'blue')];
  await Promise.all(clients.map((client) => once(client, 'connect')));
  await broadcast(servers, clients, messages);
  await talk(servers, clients);
  await recover(servers, clients[0]);
  for (const client of clients) client.disconnect();
  console.log(`socket.io: ${messages} broadcasts, each once on both servers`);
}

main(Number(process.argv[2]), Number(process.argv[3])).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
