import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/outages.ts';
import { ask, askCache, originOf, type Program, run, type RunOptions } from './program.ts';

const running: Program[] = [];
const folder = mkdtempSync(join(tmpdir(), 'plans-'));
afterAll(async () => {
  await Promise.all(running.map((program) => program.end('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

function start(file: string, { env = {}, ...options }: RunOptions = {}): Program {
  const place = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `warming-${process.pid}:` };
  const program = run(file, { ...options, env: { ...place, ...env } });
  running.push(program);
  return program;
}

/** From the source, as plans import it. */
const command = (args: readonly string[], env: Record<string, string> = {}): Program =>
  start('../src/cli/cli.ts', { node: ['--import', 'tsx'], args, env });

const index = JSON.stringify(resolve('src/index.ts'));

function planFile(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('the command', () => {
  it('warms the plan of the example, says so, and ends', async () => {
    const program = command(['warm', 'examples/warm-plan.mjs'], { PRODUCTS: '40' });
    expect(await program.ended()).toBe(0);
    expect(program.output()).toContain('Done: 43 of 43 warmed, 0 failed.');
  });

  it('stops at Ctrl-C, and goes on from there the next time', async () => {
    const place = { REDIS_KEY_PREFIX: `resumed-${process.pid}:` };
    // A suite whose deadline a busy machine keeps: it would stop because Redis is away.
    const file = planFile(
      'resumed.mjs',
      `import { createRedis, createSuite } from ${index};
       const redis = createRedis();
       const suite = createSuite({ redis, deadline: '10s' });
       const items = () => Array.from({ length: 403 }, (_, i) => ({ key: 'product:' + i, load: () => i, ttl: '1h' }));
       export default { suite, plan: { items, total: 403 }, close: () => redis.disconnect() };`,
    );
    const plan = ['warm', file];
    const first = command([...plan, '--per-second', '20', '--concurrency', '1'], place);
    await first.wrote(/20 warmed|1\d*\/403/); // Five seconds: its first line.
    expect(await first.end('SIGINT')).toBe(130);
    expect(first.output()).toMatch(/Interrupted: \d+ of 403 warmed, 0 failed\. Run the same command again/);
    const second = command([...plan, '--quiet'], place);
    expect(await second.ended()).toBe(0);
    expect(second.output()).toMatch(/^Done: 403 of 403 warmed, 0 failed \(\d+ by an earlier run\)\.\n$/m);
  });

  it('says what failed, and what is wrong with a plan', async () => {
    const failing = planFile(
      'failing.mjs',
      `import { createSuite } from ${index};
       const suite = createSuite({ backend: 'memory' });
       export default { suite, plan: [{ key: 'a', load() { throw new Error('no a') } }] };`,
    );
    const programs = [
      command(['warm', failing]),
      command(['warm', planFile('empty.mjs', '')]),
      command(['warm', failing, '--fast']),
    ];
    expect(await Promise.all(programs.map((program) => program.ended()))).toEqual([1, 2, 2]);
    const outputs = programs.map((program) => program.output());
    expect(outputs[0]).toContain('0 of 1 warmed, 1 failed.\n  a: no a');
    expect(outputs[1]).toContain('exports no suite. Write:');
    expect(outputs[2]).toContain("'--fast'");
  });
});

describe('examples/rules.ts', () => {
  it('forgets what an event is about, by rules alone', async () => {
    const program = start('rules.ts');
    const origin = await originOf(program);
    const price = async (): Promise<unknown> => (await askCache(`${origin}/products/1`)).body;

    expect(await price()).toEqual({ price: 1, made: expect.any(Number) });
    const first = await price();
    expect(await price()).toEqual(first);
    const { body } = await ask(`${origin}/would-go/product.updated?id=1`);
    expect(body).toMatchObject({ rules: ['product.updated'], tags: ['product:1', 'products'] });
    expect(await price()).toEqual(first);
    await ask(`${origin}/products/1?price=3`, { method: 'PUT' });
    await eventually('the new price', async () =>
      ((await price()) as { price: number }).price === 3 ? true : undefined,
    );
    const before = await price();
    await ask(`${origin}/catalog`, { method: 'POST' });
    expect(await price()).not.toEqual(before);
    expect(await program.end()).toBe(0);
  });
});
