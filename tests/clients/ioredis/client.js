// Weir through ioredis: a walk through the families, a producer and a consumer.
//
//     client.js smoke PORT | produce PORT QUEUE NAME COUNT | consume PORT QUEUE

'use strict';

const assert = require('node:assert/strict');
const Redis = require('ioredis');

const STOP = 'stop';

async function smoke(port) {
  const client = new Redis(port);
  await client.flushall();
  assert.equal(await client.rpush('q', 'a', 'b', 'c'), 3);
  assert.equal(await client.lpop('q'), 'a');
  assert.deepEqual(await client.lrange('q', 0, -1), ['b', 'c']);
  assert.equal(await client.brpoplpush('q', 'done', 1), 'c');
  assert.deepEqual(await client.blpop('none', 'q', 1), ['q', 'b']);
  assert.equal(await client.blpop('none', 0.01), null);

  const waiter = client.duplicate();
  const waiting = waiter.blpop('later', 0);
  await client.rpush('later', 'here');
  assert.deepEqual(await waiting, ['later', 'here']);
  waiter.disconnect();

  assert.equal(await client.set('k', '1', 'EX', 100, 'NX'), 'OK');
  assert.equal(await client.incrby('k', 5), 6);
  assert.deepEqual(await client.mget('k', 'absent'), ['6', null]);
  assert.equal(await client.getBuffer('k').then(String), '6');
  const keys = [];
  for await (const page of client.scanStream({ count: 10 })) keys.push(...page);
  assert.deepEqual(keys.sort(), ['done', 'k']);

  const replies = await client.multi().rpush('t', 'x').llen('t').del('t').exec();
  assert.deepEqual(replies, [[null, 1], [null, 1], [null, 1]]);
  await assert.rejects(client.lpush('k', 'x'), /WRONGTYPE/);

  const listener = client.duplicate();
  const heard = new Promise((resolve) => {
    listener.on('message', (channel, message) => resolve([channel, message]));
  });
  assert.equal(await listener.subscribe('news'), 1);
  assert.equal(await client.publish('news', 'hello'), 1);
  assert.deepEqual(await heard, ['news', 'hello']);
  listener.disconnect();
  await client.quit();
}

async function produce(port, queue, name, count) {
  const client = new Redis(port);
  for (let start = 0; start < count; start += 500) {
    const pipeline = client.pipeline();
    for (let batch = start; batch < Math.min(start + 500, count); batch += 50) {
      const messages = [];
      for (let n = batch; n < Math.min(batch + 50, count); n++) messages.push(`${name}:${n}`);
      pipeline.rpush(queue, ...messages);
    }
    for (const [error] of await pipeline.exec()) assert.equal(error, null);
  }
  await client.quit();
}

// Takes messages until told to stop; prints how many of each producer, and their sum.
async function consume(port, queue) {
  const client = new Redis(port);
  const seen = {};
  for (;;) {
    const [, messages] = await client.blmpop(0, 1, queue, 'LEFT', 'COUNT', 100);
    let stops = 0;
    for (const message of messages) {
      if (message === STOP) {
        stops += 1;
        continue;
      }
      const [name, text] = message.split(':');
      const number = Number(text);
      const entry = (seen[name] ??= { count: 0, total: 0, last: -1 });
      assert.ok(number > entry.last, `${message} came after ${entry.last}`);
      entry.count += 1;
      entry.total += number;
      entry.last = number;
    }
    if (stops > 0) {
      if (stops > 1) await client.rpush(queue, ...Array(stops - 1).fill(STOP));
      break;
    }
  }
  const counts = Object.entries(seen).map(([name, { count, total }]) => [name, [count, total]]);
  console.log(JSON.stringify(Object.fromEntries(counts)));
  await client.quit();
}

const [task, port, ...rest] = process.argv.slice(2);
const tasks = {
  smoke: () => smoke(Number(port)),
  produce: () => produce(Number(port), rest[0], rest[1], Number(rest[2])),
  consume: () => consume(Number(port), rest[0]),
};
tasks[task]().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
