// A burst over four processes. As a program it is one of them: node bench/bursts.mjs <coalesce> <redis port>.
import { Agent, createServer, request } from 'node:http';
import express from 'express';
import { Redis } from 'ioredis';
import { startProcess } from './processes.mjs';

const PROCESSES = 4;
const REQUESTS_EACH = 100;
const HANDLER_MS = 100;
const WAYS = { cluster: "`coalesce: 'cluster'` (default)", process: "`coalesce: 'process'`", off: 'no cache' };

/** For each way: how often handlers ran in a burst, and how long it took until all requests were answered. */
export async function runBursts(redisPort, count) {
  const results = [];
  for (const [way, title] of Object.entries(WAYS)) {
    const servers = await Promise.all(
      Array.from({ length: PROCESSES }, () => startProcess(process.execPath, 'bursts.mjs', [way, redisPort])),
    );
    const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS_EACH });
    const runs = [];
    const ms = [];
    await burst(servers, agent, 'warm-up');
    for (let i = 0; i < count; i++) {
      const before = await totalRuns(servers);
      const startedAt = performance.now();
      await burst(servers, agent, `/${way}-${i}`);
      ms.push(performance.now() - startedAt);
      runs.push((await totalRuns(servers)) - before);
    }
    agent.destroy();
    for (const server of servers) server.stop();
    results.push({ way, title, runs, ms });
  }
  return results;
}

async function totalRuns(servers) {
  const usages = await Promise.all(servers.map((server) => server.ask({ ask: 'usage' })));
  return usages.reduce((sum, { handlerRuns }) => sum + handlerRuns, 0);
}

async function burst(servers, agent, name) {
  const path = `/items/${encodeURIComponent(name)}`;
  const asked = servers.flatMap(({ port }) =>
    Array.from({ length: REQUESTS_EACH }, () => fetchOnce(agent, port, path)),
  );
  await Promise.all(asked);
}

function fetchOnce(agent, port, path) {
  return new Promise((resolve, reject) => {
    const asked = request({ agent, port, host: '127.0.0.1', path, headers: { Host: 'shop.example' } }, (response) => {
      response.resume().once('end', () => (response.statusCode === 200 ? resolve() : reject(new Error('not 200'))));
    });
    asked.once('error', reject).end();
  });
}

if (process.argv[1]?.endsWith('bursts.mjs')) await serve(...process.argv.slice(2));

async function serve(way, redisPort) {
  const { createSuite } = await import('express-redis-suite');
  const redis = new Redis({ host: '127.0.0.1', port: Number(redisPort), lazyConnect: true });
  await redis.connect();
  const suite = createSuite({ redis, prefix: `burst:${way}`, deadline: '2s' });
  const app = express();
  let handlerRuns = 0;
  const cache = way === 'off' ? [] : [suite.cache({ ttl: '1h', coalesce: way })];
  app.get('/items/:name', ...cache, (_req, res) => {
    handlerRuns++;
    setTimeout(() => res.json({ made: handlerRuns }), HANDLER_MS);
  });
  const answers = { usage: () => ({ handlerRuns }) };
  process.on('message', ({ id, ask }) => process.send({ id, answer: answers[ask]() }));
  process.on('disconnect', () => process.exit());
  const server = createServer(app);
  server.listen(0, '127.0.0.1', () => process.send({ ready: { port: server.address().port } }));
}
