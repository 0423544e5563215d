// One data cache in its own process, with a database of its own: node bench/data-process.mjs <contestant> <redis port> <database>
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataContestants } from './data-contestants.mjs';
import { valueOf } from './data-values.mjs';

const AT_A_TIME = 50; // As many as connections in the HTTP benchmark.
const KEYS = 300;
const WARM_INVALIDATIONS = 200;
const BETWEEN_LOOKS = 20; // At the clock, which would be a good part of a hit from memory.

const [name, port, db] = process.argv.slice(2);
const contestant = dataContestants[name];
const place = { port: Number(port), db: Number(db) };
let loads = 0;
let next = 0;
let tagged;
let taggedLoads = 0;

const sizeOf = (key) => Number(key.split('-')[0]);
const cache = await contestant.open(place, (key) => {
  loads++;
  return valueOf(key, sizeOf(key));
});
const slow = await contestant.open(place, async (key) => {
  loads++;
  await sleep(100);
  return valueOf(key, 300);
});
const loadTagged = (key) => {
  taggedLoads++;
  return valueOf(key, sizeOf(key));
};
const keyOf = (bytes, i) => `${bytes}-${i % KEYS}`;

/** Has so many calls under way at a time until `count` are done. */
async function inParallel(count, call) {
  let started = 0;
  const worker = async () => {
    while (started < count) await call(started++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

const answers = {
  fill: async ({ bytes }) => {
    await inParallel(KEYS, (i) => cache.get(keyOf(bytes, i)));
    const key = keyOf(bytes, 7);
    if (!isDeepStrictEqual(await cache.get(key), valueOf(key, bytes))) throw new Error(`${name}: another value`);
  },
  /** Hits for about `ms`, always as many calls under way. */
  slice: async ({ bytes, ms }) => {
    const loadsBefore = loads;
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    let done = 0;
    const worker = async () => {
      while (performance.now() - startedAt < ms) {
        for (let i = 0; i < BETWEEN_LOOKS; i++) await cache.get(keyOf(bytes, next++));
        done += BETWEEN_LOOKS;
        await new Promise(setImmediate); // Hits from memory would keep everything else from happening.
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    const elapsedMs = performance.now() - startedAt;
    const cpu = process.cpuUsage(cpuBefore);
    return { done, elapsedMs, cpuUs: cpu.user + cpu.system, loads: loads - loadsBefore };
  },
  /** Many callers of one key that nobody has. */
  burst: async ({ key, at, callers }) => {
    const loadsBefore = loads;
    await sleep(at - Date.now());
    const waited = Array.from({ length: callers }, async () => {
      const startedAt = performance.now();
      await slow.get(key);
      return performance.now() - startedAt;
    });
    const waits = await Promise.all(waited);
    return { loads: loads - loadsBefore, waits };
  },
  /** Stores so many entries, `perTag` with each tag; gives up after a while. */
  fillTagged: async ({ run, count, perTag, bytes, maxMs }) => {
    tagged ??= await contestant.open(place, loadTagged, { isTagged: true });
    const startedAt = performance.now();
    let stored = 0;
    await inParallel(count, async (i) => {
      if (performance.now() - startedAt > maxMs) return;
      await tagged.get(`${bytes}-${run}-${i}`, [`${run}-${Math.floor(i / perTag)}`]);
      stored++;
    });
    return stored;
  },
  /** Milliseconds, in a process that has done it often, and whether what had the tag is loaded again. */
  invalidate: async ({ run, bytes }) => {
    for (let i = 0; i < WARM_INVALIDATIONS; i++) await tagged.invalidate(`nobody's-${i % 10}`);
    const startedAt = performance.now();
    await tagged.invalidate(`${run}-0`);
    const ms = performance.now() - startedAt;
    const loadsBefore = taggedLoads;
    for (const i of [0, 3, 7]) await tagged.get(`${bytes}-${run}-${i}`, [`${run}-0`]);
    return { ms, isGone: taggedLoads === loadsBefore + 3 };
  },
};

process.on('message', ({ id, ask, ...details }) => {
  void answers[ask](details).then((answer) => process.send({ id, answer: answer ?? null }));
});
process.on('disconnect', () => process.exit());
process.send({ ready: {} });
