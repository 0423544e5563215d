import { afterAll, describe, expect, it } from '@jest/globals';
import { originOf, type Program, run } from './program.ts';

const running: Program[] = [];
afterAll(() => Promise.all(running.map((program) => program.end('SIGKILL'))));

function start(file: string): Program {
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `keys-${process.pid}:` };
  const program = run(file, { env });
  running.push(program);
  return program;
}

describe('examples/typed-keys.ts', () => {
  it('forgets all pages of a city by their prefix, and none of another', async () => {
    const program = start('typed-keys.ts');
    const origin = await originOf(program);
    const searchOf = async (path: string): Promise<number> =>
      ((await (await fetch(`${origin}/jobs/${path}`)).json()) as { search: number }).search;
    /** What is loaded is returned before it is stored: asked until the same search answers twice. */
    const keptSearchOf = async (path: string): Promise<number> => {
      for (let last = await searchOf(path); ;) {
        const next = await searchOf(path);
        if (next === last) return next;
        last = next;
      }
    };

    const first = await keptSearchOf('Oslo/1');
    const second = await keptSearchOf('Oslo/2');
    const other = await keptSearchOf('Oslo%3A/1');
    expect(new Set([first, second, other]).size).toBe(3);
    expect((await fetch(`${origin}/jobs/Oslo`, { method: 'POST' })).status).toBe(204);
    expect(await searchOf('Oslo/1')).toBeGreaterThan(other);
    expect(await searchOf('Oslo/2')).toBeGreaterThan(other);
    expect(await searchOf('Oslo%3A/1')).toBe(other);
    expect(await (await fetch(`${origin}/salaries/senior`)).json()).toBe(90_000);
    expect(await program.end()).toBe(0);
  });
});

describe('examples/decorators.ts', () => {
  it('asks once, and finds what was written since', async () => {
    const program = start('decorators.ts');
    expect(await program.ended()).toBe(0);
    expect(program.output().trim().split('\n')).toEqual([
      'Ada: Ada, queries: 1',
      'Found: Ada, Anna, queries: 2',
      'Removed: true, queries: 3',
    ]);
  });
});

describe('examples/controllers.ts', () => {
  it('keeps, limits and invalidates at the methods of a class', async () => {
    const program = start('controllers.ts');
    const origin = await originOf(program);
    const show = (): Promise<Response> => fetch(`${origin}/products/7`);

    expect(await (await show()).json()).toEqual({ id: '7', price: 2 });
    const hit = await show();
    expect(hit.headers.get('cache-status')).toContain('hit');
    expect(hit.headers.get('ratelimit')).toContain('r=98');
    expect((await fetch(`${origin}/products/7`, { method: 'PUT' })).status).toBe(400);
    expect((await fetch(`${origin}/products/7?price=3`, { method: 'PUT' })).status).toBe(204);
    expect(await (await show()).json()).toEqual({ id: '7', price: 3 });
    expect(await program.end()).toBe(0);
  });
});
