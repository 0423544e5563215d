import { describe, expect, it } from '@jest/globals';
import express from 'express';
import { backendOf } from '../../src/cache/backend.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { createWarmer, definePlan } from '../../src/warm/warm.ts';
import { openSuite } from '../data/backends.ts';
import { uniquePrefix } from '../support/connections.ts';
import { last } from './plans.ts';

describe('warming', () => {
  it('loads batches by one call, each key counted', async () => {
    const backend = backendOf({ backend: 'memory', prefix: uniquePrefix() });
    const calls: unknown[] = [];
    const data = {
      getOrSet: () => Promise.reject(new Error('not asked')),
      getOrSetMany: async (keys: readonly string[], _load: unknown, options: unknown) => {
        calls.push([keys, options]);
        return [];
      },
    };
    const plan = [{ keys: ['a', 'b', 'c'], loadMany: () => [1, 2, 3], ttl: '1h' as const, jitter: undefined }];
    expect(await last(createWarmer(backend, data).warm(plan))).toMatchObject({ done: 3, total: 3 });
    expect(calls).toEqual([[['a', 'b', 'c'], { jitter: 0.1, ttl: '1h' }]]); // What is undefined is not given.
    backend.close();
  });

  it('asks a server where it is given no application, and says whose paths it needs', async () => {
    const suite = openSuite(undefined);
    expect(await last(suite.warm([{ url: '/p' }]))).toMatchObject({ failed: 1, errors: [{ item: '/p' }] });
    const app = express().get('/p', (_req, res) => void res.send('p'));
    const server = app.listen(0);
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const plan = definePlan({ baseUrl: `http://localhost:${port}`, items: [{ url: '/p' }, { url: '/none' }] });
    expect(await last(suite.warm(plan))).toMatchObject({ done: 1, failed: 1 });
    server.close();
    server.closeAllConnections();
  });

  it('takes no path for a way to another host', async () => {
    const app = express().use((_req, res) => void res.send('p'));
    for (const url of ['//evil.example/p', '/\\evil.example/p', '/\t/evil.example/p']) {
      const { errors } = await last(openSuite(undefined).warm([{ url }], { app, baseUrl: 'https://shop.example' }));
      expect(errors.map(({ error }) => error.message)).toEqual([expect.stringContaining('leads to evil.example')]);
    }
    const other = [{ url: 'https://other.example/p' }];
    expect(await last(openSuite(undefined).warm(other, { app }))).toMatchObject({ done: 1, errors: [] });
  });

  it('refuses what is wrong', () => {
    const { warm } = openSuite(undefined);
    for (const [plan, options] of [
      [[], { concurrency: 0 }],
      [[], { perSecond: 0 }],
      [[], { jitter: 2 }],
      [[], { resume: true }],
      [[], { baseUrl: '/p' }],
      [[], { rate: 1 }],
      [[], { timeout: '25d' }],
      [{ itmes: [] }, {}],
      [{ items: 7 }, {}],
    ] as [never, never][]) {
      expect(() => warm(plan, options)).toThrow(ConfigError);
    }
  });
});
