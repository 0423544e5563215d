import { afterAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/outages.ts';
import { originOf, type Program, run } from './program.ts';

const running: Program[] = [];
afterAll(() => Promise.all(running.map((program) => program.end('SIGKILL'))));

describe('examples/data-cache.ts', () => {
  it('asks its source once for many, and goes on with what it knows when that is down', async () => {
    const env = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `weather-${process.pid}:` };
    const program = run('data-cache.ts', { env });
    running.push(program);
    const origin = await originOf(program);
    const get = async <T>(path: string): Promise<T> => (await fetch(origin + path)).json() as Promise<T>;
    const calls = async (): Promise<number> => (await get<{ calls: number }>('/stats')).calls;
    await eventually('Redis to be connected', async () => {
      await get('/weather/Warm-up');
      const { state } = await get<{ state: string }>('/explain/Warm-up');
      return state === 'fresh' ? true : undefined;
    });
    const before = await calls();

    const answers = await Promise.all(Array.from({ length: 20 }, () => get('/weather/Oslo')));
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
      new Set(['{"city":"Oslo","celsius":9,"minutesOld":0}']),
    );
    expect(await calls()).toBe(before + 1);
    expect(await get('/weather?city=Oslo&city=Rome&city=Lima')).toEqual([
      { city: 'Oslo', celsius: 9 },
      { city: 'Rome', celsius: 9 },
      { city: 'Lima', celsius: 9 },
    ]);
    expect(await calls()).toBe(before + 2);

    await fetch(`${origin}/source/down`, { method: 'POST' });
    await sleep(2_100); // Its lifetime has passed.
    expect(await get('/weather/Oslo')).toMatchObject({ celsius: 9 });
    expect(await get('/explain/Oslo')).toMatchObject({ state: 'stale', validator: '1' });
    await fetch(`${origin}/source/changed`, { method: 'POST' }); // It is up again.
    await eventually('the new weather', async () => {
      const { celsius } = await get<{ celsius: number }>('/weather/Oslo');
      return celsius === 10 ? true : undefined;
    });
    expect(await get('/stats')).toMatchObject({ memory: { entries: expect.any(Number) } });
    expect(await program.end()).toBe(0);
  });
});
