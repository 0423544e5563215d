import { afterAll, describe, expect, it } from '@jest/globals';
import { originOf, type Program, run } from './program.ts';

const running: Program[] = [];
afterAll(() => Promise.all(running.map((program) => program.end('SIGKILL'))));

async function start(file: string): Promise<{ origin: string; program: Program }> {
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `limits-${process.pid}:` };
  const program = run(file, { env });
  running.push(program);
  return { origin: await originOf(program), program };
}

async function statuses(count: number, ask: () => Promise<Response>): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) found.push((await ask()).status);
  return found;
}

describe('examples/limit-login.ts', () => {
  it('stops guessing after five failures, and counts no success', async () => {
    const { origin, program } = await start('limit-login.ts');
    const login = (email: string, password: string) => (): Promise<Response> =>
      fetch(`${origin}/login`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email, password }),
      });

    expect(await statuses(7, login('anna@example.org', 'correct horse'))).toEqual(Array.from({ length: 7 }, () => 200));
    expect(await statuses(6, login('Anna@example.org', 'wrong'))).toEqual([401, 401, 401, 401, 401, 429]);
    expect((await login('anna@example.org', 'correct horse')()).status).toBe(429);
    expect((await login('ben@example.org', 'wrong')()).status).toBe(401);
    expect(await program.end()).toBe(0);
  });
});

describe('examples/limit-tiers.ts', () => {
  it('gives each plan its own limit, and none to keys that are made up', async () => {
    const { origin, program } = await start('limit-tiers.ts');
    const quote = (key: string) => (): Promise<Response> => fetch(`${origin}/quote`, { headers: { 'X-Api-Key': key } });

    expect(await statuses(4, quote('free-key'))).toEqual([200, 200, 200, 429]);
    const pro = await quote('pro-key')();
    expect([pro.status, pro.headers.get('ratelimit-policy')]).toEqual([200, expect.stringContaining('q=100')]);
    expect((await quote('mine')()).status).toBe(401);
    expect(await program.end()).toBe(0);
  });
});

describe('examples/limit-quota.ts', () => {
  it('refuses a burst, charges the day for nothing that was refused, and heeds a new limit', async () => {
    const { origin, program } = await start('limit-quota.ts');
    const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(`${origin}/time`)));
    const refused = answers.filter(({ status }) => status === 429);

    expect(refused).toHaveLength(3);
    const problem = (await refused[0]?.json()) as Record<string, unknown>;
    expect(problem['violated-policies']).toEqual(['burst']);
    await fetch(`${origin}/admin/burst/50`, { method: 'PUT' });
    let left: { left?: Record<string, number> } = {};
    for (const until = performance.now() + 5_000; performance.now() < until && left.left === undefined;) {
      left = (await (await fetch(`${origin}/time`)).json()) as typeof left;
    }
    expect(left.left?.['daily']).toBe(1_000 - 5 - 1);
    expect(await program.end()).toBe(0);
  });
});

describe('examples/limit-uploads.ts', () => {
  it('counts kilobytes, and gives back what a failed upload used', async () => {
    const { origin, program } = await start('limit-uploads.ts');
    const upload = (bytes: number): Promise<Response> =>
      fetch(`${origin}/files/a`, { method: 'POST', body: Buffer.alloc(bytes) });

    expect([(await upload(60_000)).status, (await upload(60_000)).status]).toEqual([201, 429]);
    expect((await upload(0)).status).toBe(400);
    expect((await upload(40_000)).status).toBe(201);
    expect(await program.end()).toBe(0);
  });
});

describe('examples/limit-concurrency.ts', () => {
  it('makes two reports at a time, and the next when one is done', async () => {
    const { origin, program } = await start('limit-concurrency.ts');
    const answers = await Promise.all(Array.from({ length: 3 }, () => fetch(`${origin}/report`)));

    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 429]);
    expect((await fetch(`${origin}/report`)).status).toBe(200);
    expect(await program.end()).toBe(0);
  });
});
