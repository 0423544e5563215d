import type { Request } from 'express';
import { expect } from '@jest/globals';
import calculateSlot from 'cluster-key-slot';
import express from 'express';
import request from 'supertest';
import { ip } from '../../src/index.ts';
import { createDenyCache } from '../../src/rate-limit/deny-cache.ts';
import type { Refusal } from '../../src/rate-limit/limit-result.ts';
import { createLimiter } from '../../src/rate-limit/limiter.ts';
import { toLimiterConfig } from '../../src/rate-limit/limiter-options.ts';
import { createMemoryStore } from '../../src/rate-limit/memory-store.ts';
import { limitPlaceOf } from '../../src/rate-limit/place.ts';
import { uniquePrefix } from '../support/connections.ts';
import { type KnownFault, keysOf, patientSuite, type Servers } from './known-faults.ts';
import { appOf, statusesOf, visit } from './support.ts';

/** Statuses of requests from these addresses, as the one proxy that is trusted tells them. */
async function statusesFrom(servers: Servers, addresses: readonly string[], limit: number): Promise<number[]> {
  const app = appOf(patientSuite(servers).rateLimit({ limit, window: '1h' }));
  app.set('trust proxy', 1);
  const statuses: number[] = [];
  for (const address of addresses) {
    statuses.push((await request(app).get('/').set('X-Forwarded-For', address)).status);
  }
  return statuses;
}

/** What clients try, to get around a limit or to another client's. */
export const KNOWN_ATTACKS: readonly KnownFault[] = [
  [
    'an address of its choice in X-Forwarded-For: not believed, and `trust proxy: true` is an error',
    async (servers) => {
      const app = appOf(patientSuite(servers).rateLimit({ limit: 1, window: '1h' }));
      const from = (address: string) => request(app).get('/').set('X-Forwarded-For', address);
      expect([(await from('1.1.1.1')).status, (await from('1.1.1.2')).status]).toEqual([200, 429]);
      app.set('trust proxy', true);
      const { status, text } = await from('1.1.1.3');
      expect([status, text]).toEqual([500, expect.stringContaining("app.set('trust proxy', 1)")]);
    },
  ],
  [
    'addresses of one IPv6 network: a /56 is one client, and its neighbour another',
    async (servers) => {
      const addresses = ['2001:db8:1:200::1', '2001:db8:1:2ff:ffff::9', '2001:DB8:1:280::', '2001:db8:1:300::1'];
      expect(await statusesFrom(servers, addresses, 2)).toEqual([200, 200, 429, 200]);
    },
  ],
  [
    'other spellings of one IPv4 address: mapped into IPv6, behind NAT64, with a zone: one client',
    async (servers) => {
      const spellings = ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1', '64:ff9b::10.0.0.1', '64:ff9b::a00:1%eth0'];
      expect(await statusesFrom(servers, [...spellings, '64:ff9b::a00:2'], 4)).toEqual([200, 200, 200, 200, 429, 200]);
    },
  ],
  [
    'another zone of one address: stripped',
    async (servers) => {
      expect(await statusesFrom(servers, ['fe80::1%eth0', 'fe80::1%eth1', 'fe80::1'], 2)).toEqual([200, 200, 429]);
    },
  ],
  [
    'another spelling of an address that is denied: refused all the same',
    async (servers) => {
      const app = appOf(patientSuite(servers).rateLimit({ limit: 9, deny: ['10.0.0.1', '2001:db8::/32'] }));
      app.set('trust proxy', 1);
      for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1', '64:ff9b::a00:1', '2001:DB8::1%eth0']) {
        expect((await request(app).get('/').set('X-Forwarded-For', address)).status).toBe(403);
      }
      expect((await request(app).get('/').set('X-Forwarded-For', '10.0.0.2')).status).toBe(200);
    },
  ],
  [
    'an address that is allowed, sent as the key: the address it comes from decides',
    async (servers) => {
      const key = (req: Request): string => req.get('X-Api-Key') ?? '';
      const app = appOf(patientSuite(servers).rateLimit({ limit: 0, key, allow: ['10.0.0.0/8', 'friend'] }));
      app.set('trust proxy', 1);
      const statusOf = async (name: string, from: string): Promise<number> =>
        (await request(app).get('/').set('X-Api-Key', name).set('X-Forwarded-For', from)).status;
      expect(await statusOf('10.0.0.1', '192.0.2.1')).toBe(429);
      expect(await statusOf('10.0.0.1', 'unknown')).toBe(429);
      expect(await statusOf('any', '10.0.0.1')).toBe(200);
      expect(await statusOf('friend', '192.0.2.1')).toBe(200);
    },
  ],
  [
    'an address that is allowed, in X-Forwarded-For where that is always believed: an error, whatever the key',
    async (servers) => {
      const app = appOf(patientSuite(servers).rateLimit({ limit: 0, key: () => 'k', allow: ['10.0.0.0/8'] }));
      app.set('trust proxy', true);
      expect((await request(app).get('/').set('X-Forwarded-For', '10.0.0.1')).status).toBe(500);
    },
  ],
  [
    'other spellings of the URL: the limit is of the route, so they count together',
    async (servers) => {
      const app = express();
      app.use('/api', patientSuite(servers).rateLimit({ limit: 4, window: '1h' }), (_req, res) => void res.send('ok'));
      const statuses: number[] = [];
      for (const url of ['/api/a', '/api/a?x=1', '/API/A/', '/api//a', '/api/%61']) {
        statuses.push((await request(app).get(url)).status);
      }
      expect(statuses).toEqual([200, 200, 200, 200, 429]);
    },
  ],
  [
    'a key that is not text, as of `?key[]=a`: answered with 400, and counted for nobody',
    async (servers) => {
      const prefix = uniquePrefix();
      const suite = patientSuite(servers, prefix);
      const app = appOf(suite.rateLimit({ limit: 5, key: (req) => req.query['key'] as string }));
      app.set('query parser', 'extended');
      const statuses: number[] = [];
      for (const query of ['key[]=a', 'key[a]=b', 'key=a&key=b', 'key=', '']) {
        statuses.push((await request(app).get(`/?${query}`)).status);
      }
      expect(statuses).toEqual([400, 400, 400, 400, 400]);
      expect((await keysOf(servers, prefix)).size).toBe(0);
    },
  ],
  [
    'keys above 64 bytes: hashed with the name of the limiter, of one length, and each still a client of its own',
    async (servers) => {
      const prefix = uniquePrefix();
      const suite = patientSuite(servers, prefix);
      const [one, other] = ['one', 'two'].map((name) => suite.rateLimiter({ name, limit: 1, window: '1h' }));
      const long = 'x'.repeat(5_000);
      const keys = [`${long}a`, `${long}b`, 'x'.repeat(64), 'é'.repeat(33)];
      for (const key of keys) expect((await one?.take(key))?.allowed).toBe(true);
      for (const key of keys) expect((await one?.take(key))?.allowed).toBe(false);
      await other?.take(`${long}a`);
      const clients = [...(await keysOf(servers, prefix)).keys()].flatMap(
        (name) => /\{\w+:(.*)\}/.exec(name)?.[1] ?? [],
      );
      const hashed = clients.filter((client) => client.startsWith('%-'));
      expect(clients.filter((client) => !client.startsWith('%-'))).toEqual(['x'.repeat(64)]);
      expect([hashed.length, new Set(hashed).size, new Set(hashed.map(({ length }) => length)).size]).toEqual([
        4, 4, 1,
      ]);
    },
  ],
  [
    'more clients than memory holds, while Redis is away: unknown ones are refused, and blocked ones stay blocked',
    async (servers) => {
      const client = servers.connect();
      const place = limitPlaceOf({ redis: client, prefix: uniquePrefix(), deadline: '10s' });
      const small = { ...place, fallback: createMemoryStore(20) };
      const limiter = createLimiter(small, toLimiterConfig({ limit: 2, window: '1h' }));
      await limiter.block('blocked', '1h');
      client.disconnect();
      const flood = [];
      for (let i = 0; i < 60; i++) flood.push((await limiter.take(`c${i}`)).allowed);
      expect([flood[0], flood.slice(20).includes(true)]).toEqual([true, false]);
      expect((await limiter.take('blocked')).reason).toBe('banned');
      expect([(await limiter.take('c0')).allowed, (await limiter.take('c0')).allowed]).toEqual([true, false]);
    },
  ],
  [
    'more refused clients than a process remembers: each stays refused',
    async (servers) => {
      const place = limitPlaceOf({ redis: servers.connect(), prefix: uniquePrefix(), deadline: '10s' });
      const shared = { ...place.limiter('default'), denials: createDenyCache<Refusal>(2) };
      const limiter = createLimiter({ ...place, limiter: () => shared }, toLimiterConfig({ limit: 1, window: '1h' }));
      const clients = Array.from({ length: 8 }, (_, i) => `c${i}`);
      const rounds: number[] = [];
      for (let round = 0; round < 4; round++) {
        const results = await Promise.all(clients.map((key) => limiter.take(key)));
        rounds.push(results.filter(({ allowed }) => allowed).length);
      }
      expect(rounds).toEqual([8, 0, 0, 0]);
    },
  ],
  [
    'braces in a key: all that is kept of a client stays in one slot, which the client does not choose',
    async (servers) => {
      const prefix = uniquePrefix();
      const limiter = patientSuite(servers, prefix).rateLimiter({
        policies: [{ name: 'a', limit: 1, window: '1h' }, { name: 'b', limit: 2, window: '1m' }, { concurrent: 5 }],
      });
      const slots = new Set<number>();
      for (const key of ['{}', '{user}:1', '{user}:2', '}a', '}b', 'a}b{c', '%7D', '%']) {
        const before = await keysOf(servers, prefix);
        expect([(await limiter.take(key)).allowed, (await limiter.take(key)).allowed]).toEqual([true, false]);
        const own = [...(await keysOf(servers, prefix)).keys()].filter((name) => !before.has(name));
        const kept = own.filter((name) => !name.endsWith('}:refused') && !name.endsWith('}:offenders'));
        expect([kept.length, new Set(kept.map((name) => calculateSlot(name))).size]).toEqual([3, 1]);
        slots.add(calculateSlot(kept[0] ?? ''));
      }
      expect([slots.size, limiter.stats().withoutRedis]).toEqual([8, 0]);
    },
  ],
  [
    'the name of another limiter, or of a part of its keys, in a key: no limit but its own is touched',
    async (servers) => {
      const suite = patientSuite(servers);
      const [a, b] = ['a', 'a.b'].map((name) => suite.rateLimiter({ name, limit: 1, window: '1h' }));
      for (const key of ['b:k', '.bk', 'k}:default:s3600000', 'k}:!', 'a:k', 'k']) {
        expect([(await a?.take(key))?.allowed, (await b?.take(key))?.allowed]).toEqual([true, true]);
      }
    },
  ],
  [
    'one client for every limiter of an application: each limiter counts for itself',
    async (servers) => {
      const suite = patientSuite(servers);
      const login = appOf(suite.rateLimit({ name: 'login', limit: 1, window: '1h', key: ip() }));
      const api = appOf(suite.rateLimit({ name: 'api', limit: 2, window: '1h' }));
      expect(statusesOf([...(await visit(login, 2)), ...(await visit(api, 3))])).toEqual([200, 429, 200, 200, 429]);
    },
  ],
];
