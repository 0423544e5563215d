import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RedisSentinels, startSentinels } from '../support/redis-server.ts';
import { ask, askCache, originOf, type Program, run } from './program.ts';

let redis: RedisSentinels;
let program: Program | undefined;

beforeAll(async () => {
  redis = await startSentinels();
});
afterAll(async () => {
  await program?.end('SIGKILL');
  await redis.stop();
});

describe('examples/sentinel.ts', () => {
  it('caches on the master the sentinels name, forgets when told to, and ends cleanly', async () => {
    const sentinels = redis.sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
    program = run('sentinel.ts', { env: { REDIS_SENTINELS: sentinels, REDIS_SENTINEL_NAME: redis.name } });
    const url = `${await originOf(program)}/time/Paris`;

    expect((await askCache(url)).cache).toContain('stored');
    expect((await askCache(url)).cache).toContain('hit');
    await ask(`${url}/forget`, { method: 'POST' });
    expect((await askCache(url)).cache).toContain('fwd=');
    expect(await program.end()).toBe(0);
  });

  it('says what to set when it is told of no sentinels', async () => {
    const lost = run('sentinel.ts');
    expect(await lost.ended()).toBe(1);
    expect(lost.output()).toMatch(/^Set REDIS_SENTINELS .*\n$/);
  });
});
