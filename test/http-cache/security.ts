import { afterAll } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import { type CacheOptions, createSuite, type Suite } from '../../src/index.ts';
import { type Answer, type Ask, ask, listen, openSuite, type Place } from './support.ts';

/** Both policies, on routes where what says nothing of itself would be stored. */
export const POLICIES: readonly (readonly [name: 'app' | 'rfc9111', options: CacheOptions])[] = [
  ['app', { ttl: '1m', jitter: 0 }],
  ['rfc9111', { policy: 'rfc9111' }],
];

let memory: Suite | undefined;
let routes = 0;
afterAll(() => memory?.close());

/** A cache whose entries no other has. In memory all of a file share a suite: to make one takes longer than most tests. */
export function cacheOf(options: CacheOptions = { ttl: '1m' }, place: Place = 'memory'): RequestHandler {
  if (place !== 'memory') return openSuite(place).cache(options);
  memory ??= createSuite({ backend: 'memory', prefix: 'security' });
  return memory.cache({ ...options, keyPrefix: `route${++routes}` });
}

/** One route that answers everything, behind a cache. */
export async function serving(
  handler: RequestHandler,
  options: CacheOptions,
  place: Place = 'memory',
): Promise<number> {
  const app = express().set('env', 'test').set('query parser', 'extended');
  app.use(cacheOf(options, place), handler);
  return listen(app);
}

/** What a victim gets after an attacker has asked, and again. */
export async function afterAttack(
  port: number,
  attack: readonly [path: string, ask?: Ask],
  victim: readonly [path: string, ask?: Ask],
): Promise<Answer[]> {
  await ask(port, ...attack);
  await ask(port, ...attack);
  return [await ask(port, ...victim), await ask(port, ...victim)];
}
