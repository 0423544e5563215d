import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import { Redis } from 'ioredis';
import { ask, listen, openSuite } from '../http-cache/support.ts';
import { closedLater, uniquePrefix } from '../support/connections.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { runningTime } from '../support/running-time.ts';

let server: RedisProcess;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const DEADLINE_MS = 150;

/** A value behind a cache, on a server that can be frozen. */
async function bench(): Promise<{ port: number; errors: string[]; runs(): number }> {
  const redis = closedLater(new Redis({ host: server.host, port: server.port }));
  const suite = openSuite('memory', { redis, backend: 'redis', prefix: uniquePrefix(), deadline: DEADLINE_MS });
  const errors: string[] = [];
  suite.events.on('cache:error', ({ operation }) => errors.push(operation));
  const app = express();
  let runs = 0;
  app.get('/value', suite.cache({ ttl: '1m', tags: ['value'] }), (_req, res) => void res.send(`run ${++runs}`));
  app.post('/json', suite.invalidateAfter('value'), (_req, res) => void res.json({ done: true }));
  app.post('/stream', suite.invalidateAfter('value'), (_req, res) => {
    res.writeHead(200, { 'Content-Length': '4' });
    res.write('ab');
    res.end('cd');
  });
  app.post('/refused', suite.invalidateAfter('value'), (_req, res) => void res.status(422).send('no'));
  return { port: await listen(app), errors, runs: () => runs };
}

describe('a writer while Redis is slow', () => {
  it.each([
    ['/json', '{"done":true}'],
    ['/stream', 'abcd'],
  ])('answers %s when the purge is written, and no sooner', async (path, text) => {
    const { port } = await bench();
    await ask(port, '/value');
    server.freeze();
    setTimeout(() => server.thaw(), 60);
    const startedAt = performance.now();
    expect((await ask(port, path, { method: 'POST' })).text).toBe(text);
    expect(performance.now() - startedAt).toBeGreaterThan(50);
    expect((await ask(port, '/value')).text).toBe('run 2');
  });

  it.each(['/json', '/stream'])(
    'answers %s at the deadline when it is not, says so, and never serves what it purged',
    async (path) => {
      const { port, errors } = await bench();
      await ask(port, '/value');
      expect((await ask(port, '/value')).text).toBe('run 1');
      server.freeze();
      try {
        const startedAt = { real: performance.now(), running: runningTime() };
        expect((await ask(port, path, { method: 'POST' })).status).toBe(200);
        expect(runningTime() - startedAt.running).toBeLessThan(DEADLINE_MS + 500);
        expect(performance.now() - startedAt.real).toBeGreaterThan(DEADLINE_MS - 10);
        expect(errors).toContain('invalidate');
        expect((await ask(port, '/value')).text).toBe('run 2');
      } finally {
        server.thaw();
      }
      for (let i = 0; i < 20; i++) expect((await ask(port, '/value')).text).not.toBe('run 1');
    },
  );

  it('is not held when it has written nothing', async () => {
    const { port } = await bench();
    server.freeze();
    try {
      const startedAt = runningTime();
      expect((await ask(port, '/refused', { method: 'POST' })).status).toBe(422);
      expect(runningTime() - startedAt).toBeLessThan(DEADLINE_MS);
    } finally {
      server.thaw();
    }
  });

  it('a reader meanwhile reaches its handler after the deadline at most, and is counted', async () => {
    const { port, errors } = await bench();
    await ask(port, '/value');
    server.freeze();
    try {
      const answer = await ask(port, '/value');
      expect(answer.text).toBe('run 2');
      expect(answer.headers['cache-status']).toBe('express-redis-suite; fwd=bypass');
      expect(errors).toContain('read entry');
    } finally {
      server.thaw();
    }
  });
});
