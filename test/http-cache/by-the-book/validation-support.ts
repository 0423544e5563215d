import type { IncomingHttpHeaders } from 'node:http';
import express, { type Request, type Response } from 'express';
import type { CacheOptions, Suite, SuiteOptions } from '../../../src/index.ts';
import { type Answer, ask, type Ask, listen, openSuite, type Place } from '../support.ts';

/** One of the two policies, with the switch that lets `app` keep what is stale for validation, too. */
export interface Setting {
  readonly place: Place;
  readonly policy: 'app' | 'rfc9111';
}

/** Both policies, in memory and in Redis. */
export const SETTINGS: readonly Setting[] = (['memory', 'redis'] as const).flatMap((place) => [
  { place, policy: 'app' as const },
  { place, policy: 'rfc9111' as const },
]);

/** The same, and one on a Cluster: for a few rows of each table. */
export const ALL_SETTINGS: readonly Setting[] = [...SETTINGS, { place: 'cluster', policy: 'rfc9111' }];

export type Handler = (req: Request, res: Response, run: number) => void;
type Headers = Readonly<Record<string, string>>;

/** What a handler was asked with, as it saw it. */
interface Seen {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** A cached route, and what reaches its handler. */
export interface Origin {
  readonly suite: Suite;
  readonly port: number;
  readonly seen: Seen[];
  get(headers?: Headers, options?: Ask & { readonly path?: string }): Promise<Answer>;
  head(headers?: Headers, path?: string): Promise<Answer>;
}

/** Serves one cached route at every path. */
export async function origin(
  { place, policy }: Setting,
  handler: Handler,
  options: CacheOptions = {},
  where: SuiteOptions = {},
): Promise<Origin> {
  const suite = openSuite(place, where);
  const app = express();
  const seen: Seen[] = [];
  const chosen = policy === 'app' ? { retain: '1m' as const } : policy;
  app.use(suite.cache({ policy: chosen, jitter: 0, ...options }), (req, res) => {
    seen.push({ method: req.method, headers: { ...req.headers } });
    handler(req, res, seen.length);
  });
  const port = await listen(app);
  return {
    suite,
    port,
    seen,
    get: (headers = {}, { path = '/', ...more } = {}) => ask(port, path, { headers, ...more }),
    head: (headers = {}, path = '/') => ask(port, path, { method: 'HEAD', headers }),
  };
}

/** Serves each row of a table at a path of its own, and goes through them one by one. */
export async function eachRow<Row>(
  setting: Setting,
  rows: readonly Row[],
  handler: (row: Row) => Handler,
  check: (row: Row, at: Origin) => Promise<void>,
): Promise<void> {
  const one = await origin(
    setting,
    (req, res) => {
      const row = rows[Number(req.path.slice(1))];
      if (row !== undefined) handler(row)(req, res, one.seen.length);
    },
    { cookies: 'ignore' },
  );
  for (const [i, row] of rows.entries()) {
    const path = `/${i}`;
    one.seen.length = 0;
    await check(row, {
      ...one,
      get: (headers, more) => one.get(headers, { ...more, path }),
      head: (headers) => one.head(headers, path),
    });
  }
}

const OF_A_BODY = ['content-length', 'content-type', 'content-encoding', 'content-range', 'transfer-encoding'];

/** A 304 without a body and with nothing said about one (RFC 9110 §15.4.5). */
export function isBare304({ status, headers, body }: Answer): boolean {
  return status === 304 && body.length === 0 && !OF_A_BODY.some((name) => Object.hasOwn(headers, name));
}
