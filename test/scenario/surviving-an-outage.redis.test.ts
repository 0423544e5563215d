import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createRedis, type RedisClient, RedisError } from '../../src/index.ts';
import { closedLater } from '../support/connections.ts';
import { collectingLogger } from '../support/outages.ts';
import { type RedisProcess, reservePort, startRedis } from '../support/redis-server.ts';
import { atOnce, delayOf, hitAfter, showInTurn, oneByOne, openShop, type Shop } from './shop.ts';

const DEADLINE_MS = 100;
/** What a busy machine adds to a request. */
const TOLERANCE_MS = 250;

let server: RedisProcess;
let shop: Shop;

function connect(port: number): RedisClient {
  const client = createRedis({ url: `redis://127.0.0.1:${port}`, preset: 'production', logger: collectingLogger() });
  if (client === undefined) throw new Error('unreachable');
  return closedLater(client);
}

/** Where deadlines are not the point: a busy machine lets one of 100 ms pass, which is an incident of its own. */
async function openPatientShop(): Promise<Shop> {
  const patient = await openShop(connect(server.port), { prefix: 'patient', deadline: '500ms' });
  await hitAfter(patient, 'a');
  return patient;
}

beforeEach(async () => {
  server = await startRedis();
  shop = await openShop(connect(server.port));
  await hitAfter(shop, 'a');
  await atOnce(50, () => shop.show('a')); // Opens the visitors' connections.
});
afterEach(async () => {
  await shop.close();
  await server.stop();
});

const outages: readonly (readonly [string, () => unknown, () => unknown])[] = [
  ['killed', () => server.kill(), () => server.restart()],
  ['frozen', () => server.freeze(), () => server.thaw()],
];

describe.each(outages)('while Redis is %s', (_what, begin, end) => {
  it('every request is answered by its handler, at the deadline at the latest, and soon at once', async () => {
    await begin();
    const asked = atOnce(50, (i) => shop.show(i % 2 === 0 ? 'a' : 'b'));
    const delayMs = await delayOf(shop, asked);
    const first = await asked;
    expect(new Set(first.map(({ status, cache }) => `${status} ${cache}`))).toEqual(new Set(['200 bypass']));
    expect(delayMs).toBeLessThan(DEADLINE_MS + TOLERANCE_MS);
    const later = await showInTurn(shop, 'a', 15);
    const muchLater = await oneByOne(85, () => shop.show('a')); // The client itself gives the connection up.
    expect(new Set([...later.answers, ...muchLater].map(({ status, cache }) => `${status} ${cache}`))).toEqual(
      new Set(['200 bypass']),
    );
    expect(later.medianDelayMs).toBeLessThan(DEADLINE_MS / 4);
    await end();
  });

  it('works again within a second after Redis does, and tells each incident once', async () => {
    const patient = await openPatientShop();
    await begin();
    await atOnce(20, () => patient.show('a'));
    await sleep(400);
    await atOnce(20, () => patient.show('a'));
    await end();
    expect(await hitAfter(patient, 'a')).toBeLessThan(1_000);
    expect(await hitAfter(patient, 'b')).toBeLessThan(500);
    expect(patient.incidents).toEqual(['degraded redis', 'recovered redis']);
  });

  it('a save is answered in time, heeded here at once and everywhere when Redis is back', async () => {
    const elsewhere = await openShop(connect(server.port));
    try {
      await hitAfter(elsewhere, 'a');
      await begin();
      const saving = atOnce(11, () => shop.save('a'));
      const delayMs = await delayOf(shop, saving);
      const saves = await saving;
      expect(new Set(saves.map(({ status }) => status))).toEqual(new Set([200]));
      expect(delayMs).toBeLessThan(DEADLINE_MS + TOLERANCE_MS);
      elsewhere.versions.set('a', 11);
      expect((await shop.show('a')).version).toBe(11);
      await end();
      const answers = await oneByOne(30, () => shop.show('a')); // While it is coming back.
      await hitAfter(shop, 'a');
      answers.push(await shop.show('a'));
      expect(new Set(answers.map(({ version }) => version))).toEqual(new Set([11]));
      await sleep(300); // The invalidation is written again every 250 ms.
      await hitAfter(elsewhere, 'a');
      expect((await elsewhere.show('a')).version).toBe(11);
    } finally {
      await elsewhere.close();
    }
  });

  it('what invalidate() could not confirm is heeded all the same', async () => {
    await begin();
    await expect(shop.suite.invalidate(['product:a'])).rejects.toBeInstanceOf(RedisError);
    shop.versions.set('a', 5);
    await end();
    await oneByOne(20, async () => expect((await shop.show('a')).version).toBe(5));
    await hitAfter(shop, 'a');
    expect((await shop.show('a')).version).toBe(5);
  });
});

describe('while Redis is frozen', () => {
  it('what was given up does not pile up', async () => {
    const client = connect(server.port);
    const { commandQueue } = client as unknown as { commandQueue: { length: number } };
    const other = await openShop(client, { prefix: 'other' });
    try {
      await hitAfter(other, 'a');
      server.freeze();
      await atOnce(20, () => other.show('a'));
      await oneByOne(20, () => atOnce(100, (i) => other.suite.data.getOrSet(`k${i}`, () => 'x'.repeat(10_000))));
      await oneByOne(20, () => atOnce(100, (i) => other.suite.data.set(`k${i}`, i)));
      // Of 20 visits their lookups and questions, and a probe; of 4,000 calls after them nothing.
      expect(commandQueue.length).toBeLessThanOrEqual(45);
    } finally {
      server.thaw();
      await other.close();
    }
  });
});

describe('a Redis that comes back empty', () => {
  it('makes misses, and no entry of before is ever seen again', async () => {
    const patient = await openPatientShop();
    await server.kill();
    patient.versions.set('a', 1);
    await server.restart();
    await hitAfter(patient, 'a');
    expect((await patient.show('a')).version).toBe(1);
    expect(await patient.suite.data.set('k', 1)).toBe(true);
    expect(await patient.suite.data.get('k')).toBe(1);
  });

  it('takes what is set first thing', async () => {
    const { data } = (await openPatientShop()).suite;
    await data.set('k', 0);
    await (await admin(server.port)).flushall();
    expect(await data.set('k', 1)).toBe(true);
    expect(await data.get('k')).toBe(1);
  });
});

describe('a Redis that is not there when the application starts', () => {
  it('is used once it is there, without a restart', async () => {
    const port = await reservePort();
    const early = await openShop(connect(port));
    let late: RedisProcess | undefined;
    try {
      const first = await oneByOne(10, () => early.show('a'));
      const later = await showInTurn(early, 'a', 20);
      const answers = [...first, ...later.answers];
      expect(new Set(answers.map(({ status, cache }) => `${status} ${cache}`))).toEqual(new Set(['200 bypass']));
      expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(DEADLINE_MS + 2 * TOLERANCE_MS);
      expect(later.medianDelayMs).toBeLessThan(DEADLINE_MS / 4);
      expect((await early.save('a')).status).toBe(200);
      late = await startRedis([], port);
      expect(await hitAfter(early, 'a')).toBeLessThan(1_000);
      expect((await early.show('a')).version).toBe(1);
      expect(early.incidents).toEqual(['degraded redis', 'recovered redis']);
    } finally {
      await early.close();
      await late?.stop();
    }
  });
});

async function admin(port: number): Promise<Redis> {
  const client = closedLater(new Redis({ port, disconnectTimeout: 50 }));
  await client.ping();
  return client;
}
