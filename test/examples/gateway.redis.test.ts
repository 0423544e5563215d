import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it } from '@jest/globals';
import { originOf, type Program, run } from './program.ts';

const ended: (() => unknown)[] = [];
afterAll(() => Promise.all(ended.map((end) => end())));

/** An origin that counts what reaches it. */
async function startOrigin(): Promise<{ url: string; asked: http.IncomingMessage[]; fail(): void }> {
  const asked: http.IncomingMessage[] = [];
  let fails = false;
  const server = http.createServer((req, res) => {
    asked.push(req);
    if (fails) return void res.writeHead(503).end('down');
    if (req.url === '/stale') res.setHeader('Cache-Control', 'max-age=60, stale-if-error=600').setHeader('Age', '61');
    if (req.url === '/fresh') res.setHeader('Cache-Control', 'max-age=60');
    if (req.url === '/private') res.setHeader('Cache-Control', 'private');
    if (req.url === '/asked') res.setHeader('Cache-Control', 'no-cache');
    res.setHeader('ETag', '"1"').setHeader('X-Spelling', ['a', 'b']);
    if (req.headers['if-none-match'] === '"1"') res.writeHead(304).end();
    else res.end('0123456789');
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ended.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked, fail: () => (fails = true) };
}

async function startGateway(origin: string, env: Record<string, string>): Promise<{ url: string; program: Program }> {
  const program = run('gateway.ts', { args: [origin, '0'], env });
  ended.push(() => program.end('SIGKILL'));
  return { url: await originOf(program), program };
}

const onRedis = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `gateway-${process.pid}:` };

describe.each([
  ['in its own memory', {}],
  ['in Redis', onRedis],
])('examples/gateway.ts %s', (_place, env: Record<string, string>) => {
  it('caches an origin by the book, passes on what it may not keep, and outlives its failure', async () => {
    const origin = await startOrigin();
    const { url, program } = await startGateway(origin.url, env);
    const ask = async (path: string, headers: Record<string, string> = {}): Promise<[number, string, string]> => {
      const response = await fetch(url + path, { headers });
      const status = (response.headers.get('cache-status') ?? '').replace(/; ttl=-?\d+/, '');
      expect(response.headers.get('x-spelling')).toBe(response.status === 503 ? null : 'a, b');
      return [response.status, await response.text(), status.replace('express-redis-suite; ', '')];
    };

    for (let i = 0; i < 20 && (await ask('/warm'))[2] === 'fwd=bypass'; i++); // Until Redis is connected.
    expect(await ask('/fresh')).toEqual([200, '0123456789', 'fwd=uri-miss; stored']);
    expect(await ask('/fresh')).toEqual([200, '0123456789', 'hit']);
    expect(await ask('/fresh', { Range: 'bytes=2-4' })).toEqual([206, '234', 'hit']);
    expect(await ask('/fresh', { 'If-None-Match': '"1"', 'Cache-Control': 'max-age=60' })).toEqual([304, '', 'hit']);
    expect(await ask('/private')).toEqual([200, '0123456789', 'fwd=uri-miss']);
    expect(await ask('/private')).toEqual([200, '0123456789', 'fwd=uri-miss']);
    expect(await ask('/asked')).toEqual([200, '0123456789', 'fwd=uri-miss; stored']);
    expect(await ask('/asked')).toEqual([200, '0123456789', 'fwd=stale; fwd-status=304; stored']);
    await ask('/stale');
    origin.fail();
    expect(await ask('/stale')).toEqual([200, '0123456789', 'fwd=stale; fwd-status=503']);
    expect((await ask('/other'))[0]).toBe(503);
    expect(origin.asked.filter(({ url: path }) => path === '/fresh')).toHaveLength(1);
    expect(origin.asked.at(-1)?.headers.via).toBe('1.1 gateway');
    expect(await program.end()).toBe(0);
  });
});
