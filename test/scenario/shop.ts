import { afterAll } from '@jest/globals';
import express, { type Request } from 'express';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createSuite, type RedisClient, type Suite, type SuiteOptions } from '../../src/index.ts';
import { runningTime } from '../support/running-time.ts';

/** What a visitor saw. */
export interface Answer {
  readonly status: number;
  readonly version: number;
  /** `hit`, `miss` or `bypass`, from Cache-Status. */
  readonly cache: string;
  /** Of running time. */
  readonly tookMs: number;
}

/** A small Express application with a cached route, over HTTP. */
export interface Shop {
  readonly suite: Suite;
  /** `degraded redis`, `recovered redis`, in order. */
  readonly incidents: string[];
  /** What the products are at, whatever is cached. */
  readonly versions: Map<string, number>;
  show(id: string): Promise<Answer>;
  /** Asks for something that is not cached: what a request takes on this machine at this moment. */
  compare(): Promise<Answer>;
  /** Saves a new version through the route that invalidates. */
  save(id: string): Promise<Answer>;
  close(): Promise<void>;
}

const shops: Shop[] = [];

afterAll(() => Promise.all(shops.splice(0).map((shop) => shop.close())));

/** Opens a shop, which is closed after the test file at the latest. */
export async function openShop(redis: RedisClient, options: SuiteOptions = {}): Promise<Shop> {
  const suite = createSuite({ redis, prefix: 'shop', ...options });
  const versions = new Map<string, number>();
  const incidents: string[] = [];
  suite.events.on('redis:degraded', ({ node }) => incidents.push(`degraded ${node}`));
  suite.events.on('redis:recovered', ({ node }) => incidents.push(`recovered ${node}`));

  const app = express();
  const product = app.route('/products/:id');
  product.get(suite.cache({ ttl: '5m', tags: (req) => [`product:${idOf(req)}`] }), (req, res) => {
    res.json({ version: versions.get(idOf(req)) ?? 0 });
  });
  product.put(
    suite.invalidateAfter((req) => [`product:${idOf(req)}`]),
    (req, res) => {
      const version = (versions.get(idOf(req)) ?? 0) + 1;
      versions.set(idOf(req), version);
      res.json({ version });
    },
  );
  app.get('/version', (_req, res) => {
    res.json({ version: 0 });
  });
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, '127.0.0.1', () => resolve(listening));
  });
  const { port } = server.address() as AddressInfo;

  const agent = new Agent({ keepAlive: true });

  async function ask(method: string, path: string): Promise<Answer> {
    const startedAt = runningTime();
    // One name for all processes of the shop: the host is part of a response's key.
    const sent = request({ port, agent, method, path, headers: { host: 'shop.test' } }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const { version } = (await json(response)) as { version: number };
    const said = response.headers['cache-status'] ?? '';
    const cache = said.includes('; hit') ? 'hit' : said.includes('fwd=bypass') ? 'bypass' : 'miss';
    return { status: response.statusCode ?? 0, version, cache, tookMs: runningTime() - startedAt };
  }

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await suite.close();
    agent.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const shop: Shop = {
    suite,
    incidents,
    versions,
    show: (id) => ask('GET', `/products/${id}`),
    compare: () => ask('GET', '/version'),
    save: (id) => ask('PUT', `/products/${id}`),
    close: () => (closing ??= close()),
  };
  shops.push(shop);
  return shop;
}

/**
 * Milliseconds by which the slowest answer of the shop is slower than an answer without any cache. Asked side by side: machines that run tests are busy.
 */
export async function delayOf(shop: Shop, answers: Promise<readonly Answer[]>): Promise<number> {
  const usual = await atOnce(20, () => shop.compare());
  return slowest(await answers) - slowest(usual);
}

/** The slowest of many answers. */
function slowest(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ tookMs }) => tookMs));
}

/** Calls again and again, one after the other. */
export async function oneByOne<T>(count: number, call: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < count; i++) results.push(await call(i));
  return results;
}

/** Calls many times at once. */
export function atOnce<T>(count: number, call: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => call(i)));
}

/** Milliseconds until a product comes from the cache. Visits until it does, for five seconds at most. */
export async function hitAfter(shop: Shop, id: string): Promise<number> {
  const startedAt = runningTime();
  while ((await shop.show(id)).cache !== 'hit') {
    if (runningTime() - startedAt > 5_000) throw new Error(`"${id}" does not come from the cache`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return runningTime() - startedAt;
}

function idOf(req: Request): string {
  return String(req.params['id']);
}

/** Visits one after the other: what they saw, and the milliseconds by which half of them were slower than a request without any cache right after them. */
export async function showInTurn(
  shop: Shop,
  id: string,
  count: number,
): Promise<{ readonly answers: readonly Answer[]; readonly medianDelayMs: number }> {
  const pairs = await oneByOne(count, async () => [await shop.show(id), await shop.compare()] as const);
  const delays = pairs.map(([shown, usual]) => shown.tookMs - usual.tookMs).toSorted((a, b) => a - b);
  return { answers: pairs.map(([shown]) => shown), medianDelayMs: delays[Math.floor(count / 2)] ?? Number.NaN };
}
