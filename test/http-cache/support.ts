import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { createSuite, type Suite, type SuiteOptions } from '../../src/index.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

/** Where a cache can live. */
export type Place = 'memory' | 'redis' | 'cluster';
export const EVERYWHERE = ['memory', 'redis', 'cluster'] as const;
/** The embedded backend and a server of its own: what most tables run on. */
export const PLACES = ['memory', 'redis'] as const;

const connections = new Map<Place, Redis | Cluster>();
const suites: Suite[] = [];

/** A suite whose cache nobody else uses. A slow test machine must not look like an outage: the deadline is long. */
export function openSuite(place: Place, options: SuiteOptions = {}): Suite {
  const redis = connectionTo(place);
  const where: SuiteOptions = redis === undefined ? { backend: 'memory' } : { redis, deadline: '2s' };
  const suite = createSuite({ ...where, prefix: uniquePrefix(), ...options });
  suites.push(suite);
  return suite;
}

function connectionTo(place: Place): Redis | Cluster | undefined {
  if (place === 'memory') return undefined;
  const connection = connections.get(place) ?? (place === 'redis' ? testRedis() : testCluster());
  connections.set(place, connection);
  return connection;
}

const servers: http.Server[] = [];
let agent = new http.Agent({ keepAlive: true });

afterEach(async () => {
  agent.destroy();
  agent = new http.Agent({ keepAlive: true });
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await Promise.all(suites.splice(0).map((suite) => suite.close()));
});
afterAll(() => agent.destroy());

/** Serves an application until the end of the test and resolves its port. */
export async function listen(app: RequestListener): Promise<number> {
  const server = http.createServer(app).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A response as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  /** Every header line, in order and in its own case. */
  readonly lines: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  /** False when the connection ended before the response did. */
  readonly isComplete: boolean;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

/** Sends one request and collects the response. */
export async function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: Ask = {},
): Promise<Answer> {
  const request = http.request({
    host: '127.0.0.1',
    port,
    path,
    method,
    agent,
    headers: headers as Record<string, string | string[]>,
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  response.on('error', () => undefined);
  if (!response.complete || !response.readableEnded) await new Promise((resolve) => response.once('close', resolve));
  const bytes = Buffer.concat(chunks);
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    headers: response.headers,
    lines: linesOf(response.rawHeaders),
    body: bytes,
    text: bytes.toString(),
    isComplete: response.complete,
  };
}

function linesOf(raw: readonly string[]): string[] {
  return Array.from({ length: raw.length / 2 }, (_, i) => `${raw[2 * i]}: ${raw[2 * i + 1]}`);
}

/** What the cache says it did. */
export function verdict({ headers }: Answer): string {
  return String(headers['cache-status'] ?? '')
    .replaceAll('express-redis-suite; ', '')
    .replace(/ttl=-?\d+/, 'ttl');
}

export const HIT = 'hit; ttl';
export const STORED = 'fwd=uri-miss; stored';
export const MISS = 'fwd=uri-miss';
export const BYPASS = 'fwd=bypass';
