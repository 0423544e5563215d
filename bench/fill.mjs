// One of several processes that store entries through the public API: node bench/fill.mjs <redis port> <count> <first> <step>
import { keyOf, openSuite, tagOf } from './entries.mjs';

const AT_A_TIME = 1_000; // Below the 10,000 calls the package lets be unanswered.

const [port, count, first, step] = process.argv.slice(2).map(Number);

/** Misses store their value behind the answer; commands of one connection keep their order, so a PING comes after all of them. */
async function fill() {
  const { redis, suite } = await openSuite(port, { deadline: '30s' });
  const options = { ttl: '1h', tags: [tagOf(count)] };
  let next = first;
  const writer = async () => {
    while (next < count) {
      const key = keyOf(count, next);
      next += step;
      await suite.data.getOrSet(key, () => 1, options);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, writer));
  await redis.ping();
  await suite.close();
  redis.disconnect();
}

async function reply({ id }) {
  await fill();
  process.send({ id, answer: true });
}

process.on('message', (message) => void reply(message));
process.on('disconnect', () => process.exit());
process.send({ ready: {} });
