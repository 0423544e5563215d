import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe } from '@jest/globals';
import express, { type RequestHandler, type Response } from 'express';
import {
  appPolicy,
  type CacheOptions,
  type CachePolicy,
  createSuite,
  rfc9111Policy,
  type Suite,
} from '../../../src/index.ts';
import { testCluster, testRedis, uniquePrefix } from '../../support/connections.ts';
import { type Answer, type Ask, ask, EVERYWHERE, type Place, verdict } from '../support.ts';

export type PolicyName = 'app' | 'rfc9111';
export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** `hit`: the second request is answered from the cache. `stale`: stored, but the handler is asked again. `refused`: not stored. */
export type Fate = 'hit' | 'stale' | 'refused';

/** A rule, what the handler answers, and what becomes of it under each policy. */
export interface Row {
  /** Section and subject. Without a number before it the section is one of RFC 9111. */
  readonly rule: string;
  /** Cache-Control. */
  readonly cc?: string;
  /** A function where they hold dates. */
  readonly headers?: Headers | (() => Headers);
  readonly status?: number;
  readonly ask?: Ask;
  /** The second request. Default: as the first. */
  readonly again?: Ask;
  readonly options?: CacheOptions;
  /** Switches that differ from the policy's. */
  readonly switches?: Partial<CachePolicy>;
  readonly both?: Fate;
  readonly app?: Fate;
  readonly rfc9111?: Fate;
}

/** One suite, application and server for all rows of a table. */
export interface Stage {
  readonly suite: Suite;
  /** Serves a handler behind a cache, at a path of its own. */
  route(options: CacheOptions, ...handlers: RequestHandler[]): string;
  /** Serves handlers at a path of their own. */
  mount(...handlers: readonly RequestHandler[]): string;
  ask(path: string, asked?: Ask): Promise<Answer>;
  /** Sends a request whose response may be no HTTP, and waits for the connection to close. */
  askBlindly(path: string): Promise<void>;
}

/** The rows of a table that are run at a place. */
type Choose = <Row>(table: readonly Row[]) => readonly Row[];

/** Runs tables on every kind of cache and under both policies: all rows in memory and on Redis, every fourth on Cluster. */
export function everywhere(tables: (stage: () => Stage, policy: PolicyName, rows: Choose) => void): void {
  describe.each(EVERYWHERE)('on %s', (place) => {
    let stage: Stage | undefined;
    let close = (): Promise<void> => Promise.resolve();
    beforeAll(async () => {
      [stage, close] = await openStage(place);
    });
    afterAll(() => close());
    const current = (): Stage => {
      if (stage === undefined) throw new Error('A stage is open only while tests run.');
      return stage;
    };
    describe.each(['app', 'rfc9111'] as const)('policy %s', (policy) => {
      tables(current, policy, (table) => (place === 'cluster' ? table.filter((_row, i) => i % 4 === 0) : table));
    });
  });
}

async function openStage(place: Place): Promise<[Stage, () => Promise<void>]> {
  const redis = place === 'memory' ? undefined : place === 'redis' ? testRedis() : testCluster();
  const where = redis === undefined ? ({ backend: 'memory' } as const) : ({ redis, deadline: '2s' } as const);
  const suite = createSuite({ ...where, prefix: uniquePrefix() });
  const app = express().set('env', 'test').set('etag', false);
  const server = http.createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let routes = 0;
  const mount: Stage['mount'] = (...handlers) => {
    const path = `/${++routes}`;
    app.use(path, ...handlers);
    return path;
  };
  const stage: Stage = {
    suite,
    mount,
    route: (options, ...handlers) => mount(suite.cache({ jitter: 0, ...options }), ...handlers),
    ask: (path, asked) => ask(port, path, asked),
    async askBlindly(path) {
      const socket = connect(port, '127.0.0.1').resume();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
      await once(socket, 'close');
    },
  };
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await suite.close();
  };
  return [stage, close];
}

/** Options of a row's route. */
export function optionsOf({ options, switches }: Pick<Row, 'options' | 'switches'>, policy: PolicyName): CacheOptions {
  if (switches === undefined) return { ...options, policy };
  return { ...options, policy: { ...(policy === 'app' ? appPolicy : rfc9111Policy), ...switches } };
}

/** What becomes of a row: its handler is asked for twice. */
export async function fateOf(stage: Stage, row: Row, policy: PolicyName): Promise<string> {
  let runs = 0;
  const path = stage.route(optionsOf(row, policy), (_req, res) => {
    runs++;
    setAll(res, row);
    res.status(row.status ?? 200).end('body');
  });
  const verdicts = [verdict(await stage.ask(path, row.ask)), verdict(await stage.ask(path, row.again ?? row.ask))];
  const [first, second] = verdicts;
  const stored = storesOf(stage, path);
  if (runs === 1 && first === 'fwd=uri-miss; stored' && second === 'hit; ttl') return 'hit';
  if (runs === 2 && first === 'fwd=uri-miss; stored' && second === 'fwd=stale; stored') return 'stale';
  if (runs === 2 && first === 'fwd=uri-miss' && second === first && stored === 0) return 'refused';
  return `${verdicts.join(' | ')} | ${runs} runs, ${stored} stored`;
}

/** How many responses of a route were stored. */
export function storesOf({ suite }: Stage, path: string): number {
  return suite.stats().cache.routes[path]?.stores ?? 0;
}

export function expected({ both, ...fates }: Row, policy: PolicyName): Fate | undefined {
  return both ?? fates[policy];
}

export function headersOf({ cc, headers }: Pick<Row, 'cc' | 'headers'>): Headers {
  const given = typeof headers === 'function' ? headers() : headers;
  return { ...(cc !== undefined && { 'Cache-Control': cc }), ...given };
}

export function setAll(res: Response, row: Pick<Row, 'cc' | 'headers'>): void {
  for (const [name, value] of Object.entries(headersOf(row))) res.setHeader(name, value);
}

/** An HTTP date so many seconds from now. */
export function httpDate(seconds: number): string {
  return new Date(Date.now() + seconds * 1_000).toUTCString();
}

export const from = (headers: Headers): Ask => ({ headers });
