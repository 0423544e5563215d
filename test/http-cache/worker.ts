/** One process of an application, for tests: what its handlers answer is told by the test, which counts and holds them. */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express, { type Response } from 'express';
import { Cluster, Redis } from 'ioredis';
import { passingOn } from '../support/express.ts';
import { type CacheOptions, createSuite } from '../../src/index.ts';

/** How a handler of a worker answers. */
export interface Told {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly end?: 'throw' | 'destroy' | 'never' | 'stream';
}

/** What a worker is made of. */
export interface WorkerSettings {
  readonly origin: string;
  readonly prefix: string;
  readonly redis?: string;
  readonly cluster?: readonly { host: string; port: number }[];
}

/** Options of the routes. */
const ROUTES: Readonly<Record<string, CacheOptions>> = {
  plain: { ttl: '1m' },
  small: { ttl: '1m', maxBytes: 100 },
  soon: { ttl: '300ms', jitter: 0, staleWhileRevalidate: '1m' },
};

async function answer(res: Response, { status = 200, headers = {}, body = '', end }: Told): Promise<void> {
  res.status(status).set(headers);
  if (end === 'throw') throw new Error('told to');
  if (end === 'never') return;
  if (end === undefined) return void res.send(body);
  res.write('begun ');
  await sleep(20);
  if (end === 'destroy') res.destroy();
  else res.end(body);
}

function start({ origin, prefix, redis, cluster }: WorkerSettings): void {
  const client = cluster === undefined ? new Redis(String(redis)) : new Cluster([...cluster]);
  const suite = createSuite({ redis: client, prefix, deadline: '2s' });
  const app = express().set('env', 'test');
  const ask = async (url: string): Promise<Told> => (await fetch(`${origin}${url}?pid=${process.pid}`)).json() as never;
  for (const [name, options] of Object.entries(ROUTES)) {
    app.get(
      `/${name}/:story`,
      suite.cache(options),
      passingOn(async (req, res) => {
        const isVarying = req.path.includes('/vary');
        if (isVarying) res.vary('Accept-Language');
        if (req.path.includes('/streams')) res.write('begun ');
        const told = await ask(req.originalUrl);
        const text = `${told.body ?? ''}${isVarying ? String(req.get('accept-language')) : ''}`;
        await answer(res, { ...told, body: text });
      }),
    );
  }
  app.get(
    '/nested/:story',
    suite.cache({ ttl: '1m' }),
    suite.cache({ ttl: '1m', keyPrefix: 'in' }),
    async (req, res) => {
      await answer(res, await ask(req.originalUrl));
    },
  );
  const server = app.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

process.on('unhandledRejection', (reason) => process.send?.({ rejection: String(reason) }));
process.on('disconnect', () => process.exit());
process.once('message', (settings) => start(settings as WorkerSettings));
