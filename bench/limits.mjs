// One limiter in its own process, with a database of its own: node bench/limits.mjs <contestant> <redis port> <database>
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { countTrips } from './count-trips.mjs';
import { limiters } from './limit-contestants.mjs';

const AT_A_TIME = 50; // As many as connections in the HTTP benchmark.

const [name, port, db] = process.argv.slice(2);
const redis = new Redis({ host: '127.0.0.1', port: Number(port), db: Number(db), lazyConnect: true });
await redis.connect();
const trips = countTrips(redis.stream);
const opened = new Map();
let next = 0; // Goes on from slice to slice, or some clients would never come.

const answers = {
  open: async ({ id, policies }) => {
    opened.set(id, await limiters[name].open(redis, policies));
  },
  /** For about `ms`, always as many requests under way. */
  slice: async ({ id, ms, clients }) => {
    const take = opened.get(id);
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    let done = 0;
    let admitted = 0;
    const worker = async () => {
      while (performance.now() - startedAt < ms) {
        if (await take(`10.0.${next % 4}.${Math.floor(next++ / 4) % clients}`)) admitted++;
        done++;
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    const elapsedMs = performance.now() - startedAt;
    const cpu = process.cpuUsage(cpuBefore);
    return { done, admitted, elapsedMs, cpuUs: cpu.user + cpu.system };
  },
  trips: async ({ id, requests }) => {
    await opened.get(id)('first'); // What is read beside a first decision is not part of every one.
    const before = trips.count;
    for (let i = 0; i < requests; i++) await opened.get(id)('10.0.0.0');
    return (trips.count - before) / requests;
  },
  /** What one client occupies that has used its limit: at once, or evenly over `overMs`. */
  bytes: async ({ id, limit, overMs }) => {
    await redis.flushdb();
    const steps = Math.min(limit, 100);
    for (let step = 0; step < steps; step++) {
      const tries = Array.from({ length: limit / steps }, () => opened.get(id)('203.0.113.77'));
      await Promise.all([...tries, sleep(overMs / steps)]);
    }
    const keys = (await redis.keys('*')).filter((key) => key.includes('203.0.113.77'));
    const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    return sizes.reduce((sum, bytes) => sum + bytes, 0);
  },
};

async function reply({ id: question, ask, ...details }) {
  process.send({ id: question, answer: (await answers[ask]({ ...details, id: details.scenario })) ?? null });
}

process.on('message', (message) => void reply(message));
process.on('disconnect', () => process.exit());
process.send({ ready: {} });
