import { afterAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/outages.ts';
import { originOf, type Program, run } from './program.ts';

const running: Program[] = [];
afterAll(() => Promise.all(running.map((program) => program.end('SIGKILL'))));

async function start(file: string): Promise<{ origin: string; program: Program }> {
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `writes-${process.pid}:` };
  const program = run(file, { env });
  running.push(program);
  return { origin: await originOf(program), program };
}

describe('examples/write-behind.ts', () => {
  it('answers at once, and writes many changes together', async () => {
    const { origin, program } = await start('write-behind.ts');
    const view = (): Promise<Response> => fetch(`${origin}/pages/home/views`, { method: 'POST' });
    await eventually('Redis to be connected', async () => ((await view()).status === 202 ? true : undefined));
    const answers = await Promise.all(Array.from({ length: 20 }, view));

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await (await fetch(`${origin}/pages/home`)).json()).toMatchObject({ title: 'home' });
    const state = await eventually('the table to be written', async () => {
      const found = (await (await fetch(`${origin}/admin/writes`)).json()) as Record<string, number>;
      return found['pending'] === 0 ? found : undefined;
    });
    expect(state).toMatchObject({ rows: 1, failures: 0, dead: 0 });
    await fetch(`${origin}/pages/home`, { method: 'DELETE' });
    expect(await program.end()).toBe(0);
    expect(program.output()).toContain('The table has 0 rows'); // The deletion was written before it ended.
  });
});

describe('examples/write-through.ts', () => {
  it('has the new value for the next reader, and nothing of a write that failed', async () => {
    const { origin, program } = await start('write-through.ts');
    const put = (name: string): Promise<Response> =>
      fetch(`${origin}/users/7`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name }),
      });
    const user = async (): Promise<unknown> => (await fetch(`${origin}/users/7`)).json();

    expect((await put('Ann')).status).toBe(204);
    expect(await user()).toMatchObject({ name: 'Ann' });
    expect((await put('Bea')).status).toBe(204);
    expect(await user()).toMatchObject({ name: 'Bea' });
    expect((await put('')).status).toBe(500);
    expect(await user()).toMatchObject({ name: 'Bea' });
    await fetch(`${origin}/users/7`, { method: 'DELETE' });
    expect((await fetch(`${origin}/users/7`)).status).toBe(404);
    expect(await program.end()).toBe(0);
  });
});
