// Streams through ioredis: a walk through the commands, a producer and a consumer of a group.
//
//     streams.js smoke PORT | produce PORT STREAM NAME COUNT | consume PORT STREAM

'use strict';

const assert = require('node:assert/strict');
const Redis = require('ioredis');

const STOP = 'stop';
const GROUP = 'workers';

const idsOf = (entries) => entries.map(([id]) => id);

async function smoke(port) {
  const client = new Redis(port);
  await client.flushall();
  assert.equal(await client.xadd('log', '1-1', 'n', 1, 'name', 'one'), '1-1');
  assert.equal(await client.xadd('log', '2-*', 'n', 2), '2-0');
  assert.equal(await client.xadd('none', 'NOMKSTREAM', '*', 'n', 1), null);
  assert.match(await client.xadd('log', 'MAXLEN', '~', 1000, '*', 'n', 3), /^\d{13,}-0$/);
  assert.equal(await client.xlen('log'), 3);
  const range = await client.xrange('log', '-', '2');
  assert.deepEqual(range, [['1-1', ['n', '1', 'name', 'one']], ['2-0', ['n', '2']]]);
  assert.deepEqual(idsOf(await client.xrevrange('log', '(2-0', '-', 'COUNT', 5)), ['1-1']);
  await assert.rejects(client.xadd('log', '1-1', 'n', 0), /equal or smaller/);

  const waiter = client.duplicate();
  const waiting = waiter.xread('COUNT', 10, 'BLOCK', 0, 'STREAMS', 'log', 'later', '$', '$');
  await blocked(client);
  await client.xadd('later', '5-5', 'here', 'now');
  assert.deepEqual(await waiting, [['later', [['5-5', ['here', 'now']]]]]);
  waiter.disconnect();

  assert.equal(await client.xgroup('CREATE', 'jobs', GROUP, '$', 'MKSTREAM'), 'OK');
  for (let n = 1; n <= 4; n++) await client.xadd('jobs', `${n}-0`, 'n', n);
  const read = (id) => client.xreadgroup('GROUP', GROUP, 'anna', 'COUNT', 3, 'STREAMS', 'jobs', id);
  const [[stream, entries]] = await read('>');
  assert.equal(stream, 'jobs');
  assert.deepEqual(idsOf(entries), ['1-0', '2-0', '3-0']);
  assert.equal(await client.xack('jobs', GROUP, '1-0'), 1);
  const pending = await client.xpending('jobs', GROUP);
  assert.deepEqual(pending, [2, '2-0', '3-0', [['anna', '2']]]);
  const listed = await client.xpending('jobs', GROUP, '-', '+', 10, 'anna');
  assert.deepEqual(listed.map(([id, owner, , count]) => [id, owner, count]), [
    ['2-0', 'anna', 1],
    ['3-0', 'anna', 1],
  ]);
  assert.deepEqual(await client.xclaim('jobs', GROUP, 'bert', 0, '3-0', 'JUSTID'), ['3-0']);
  const claimed = await client.xautoclaim('jobs', GROUP, 'bert', 0, '0', 'COUNT', 25);
  assert.deepEqual(claimed, ['0-0', [['2-0', ['n', '2']], ['3-0', ['n', '3']]], []]);
  assert.deepEqual(await read('0'), [['jobs', []]]);
  const info = await client.xinfo('STREAM', 'jobs');
  assert.equal(info[info.indexOf('length') + 1], 4);
  assert.equal(await client.xgroup('DELCONSUMER', 'jobs', GROUP, 'bert'), 2);
  const replies = await client.multi().xadd('jobs', '9-9', 'n', 9).xtrim('jobs', 'MAXLEN', 1).exec();
  assert.deepEqual(replies, [[null, '9-9'], [null, 4]]);
  assert.equal(await client.xgroup('DESTROY', 'jobs', GROUP), 1);
  await assert.rejects(read('>'), /NOGROUP/);
  await client.quit();
}

// Asks until somebody waits.
async function blocked(client) {
  while (!(await client.info('clients')).includes('blocked_clients:1')) continue;
}

async function produce(port, stream, name, count) {
  const client = new Redis(port);
  for (let start = 0; start < count; start += 500) {
    const pipeline = client.pipeline();
    for (let n = start; n < Math.min(start + 500, count); n++) {
      pipeline.xadd(stream, '*', 'producer', name, 'number', n);
    }
    for (const [error] of await pipeline.exec()) assert.equal(error, null);
  }
  await client.quit();
}

// Reads through the group until told to stop; prints how many of each producer, and their sum.
async function consume(port, stream) {
  const client = new Redis(port);
  const consumer = `node-${process.pid}`;
  const from = ['GROUP', GROUP, consumer, 'COUNT', 100, 'BLOCK', 0, 'STREAMS', stream, '>'];
  const seen = {};
  let stops = 0;
  while (stops === 0) {
    const [[, entries]] = await client.xreadgroup(...from);
    for (const [id, [, name, , text]] of entries) {
      if (name === STOP) {
        stops += 1;
        continue;
      }
      const number = Number(text);
      const entry = (seen[name] ??= { count: 0, total: 0, last: -1 });
      assert.ok(number > entry.last, `${id} ${name}:${number} came after ${entry.last}`);
      entry.count += 1;
      entry.total += number;
      entry.last = number;
    }
    const ids = idsOf(entries);
    assert.equal(await client.xack(stream, GROUP, ...ids), ids.length);
  }
  for (; stops > 1; stops--) await client.xadd(stream, '*', 'producer', STOP);
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
