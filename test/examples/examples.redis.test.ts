import { afterAll, describe, expect, it } from '@jest/globals';
import { ask, askCache, originOf, type Program, run } from './program.ts';

const running: Program[] = [];

function start(file: string, env: Record<string, string> = {}, node: readonly string[] = []): Program {
  const redis = { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: `examples-${process.pid}:` };
  const program = run(file, { node, env: { ...redis, ...env } });
  running.push(program);
  return program;
}

afterAll(() => Promise.all(running.map((program) => program.end('SIGKILL'))));

function as(user: string, method = 'GET'): RequestInit {
  return { method, headers: { Authorization: `Bearer ${user}-secret` } };
}

describe('examples/quickstart.ts', () => {
  it('answers from the cache until the greeting changes, and ends cleanly', async () => {
    const program = start('quickstart.ts', {}, ['--import', 'tsx']); // As its first lines say.
    const url = `${await originOf(program)}/greeting`;

    expect(await askCache(url)).toMatchObject({
      body: { greeting: 'Hello' },
      cache: expect.stringContaining('stored'),
    });
    expect(await askCache(url)).toMatchObject({ body: { greeting: 'Hello' }, cache: expect.stringContaining('hit') });
    expect(await ask(`${url}?text=Salut`, { method: 'PUT' })).toMatchObject({ status: 200 });
    expect(await askCache(url)).toMatchObject({ body: { greeting: 'Salut' }, cache: expect.stringContaining('fwd=') });
    expect(await program.end()).toBe(0);
  });

  it('answers without a Redis, and ends cleanly', async () => {
    const program = start('quickstart.ts', { REDIS_URL: 'redis://127.0.0.1:1' });
    const url = `${await originOf(program)}/greeting`;

    expect(await ask(url)).toMatchObject({ status: 200, body: { greeting: 'Hello' } });
    expect(await program.end()).toBe(0);
  });
});

describe('examples/tags.ts', () => {
  it('makes anew the shelf that shows the changed product, and no other', async () => {
    const program = start('tags.ts');
    const origin = await originOf(program);
    for (const shelf of ['fruit', 'tools']) await askCache(`${origin}/shelves/${shelf}`);

    await ask(`${origin}/products/2?price=3`, { method: 'PUT' });

    const fruit = await askCache(`${origin}/shelves/fruit`);
    expect(fruit.cache).toContain('fwd=');
    expect(fruit.body).toContainEqual({ id: '2', name: 'Pear', shelf: 'fruit', price: 3 });
    expect((await askCache(`${origin}/shelves/tools`)).cache).toContain('hit');
    expect(await program.end()).toBe(0);
  });

  it('keeps every entry when the write fails, and forgets a shelf when told to', async () => {
    const program = start('tags.ts');
    const origin = await originOf(program);
    await askCache(`${origin}/shelves/tools`);

    expect(await ask(`${origin}/products/99?price=3`, { method: 'PUT' })).toMatchObject({ status: 404 });
    expect((await askCache(`${origin}/shelves/tools`)).cache).toContain('hit');
    expect(await ask(`${origin}/deliveries/tools`, { method: 'POST' })).toMatchObject({ status: 200 });
    expect((await askCache(`${origin}/shelves/tools`)).cache).toContain('fwd=');
    expect(await program.end()).toBe(0);
  });
});

describe('examples/per-user.ts', () => {
  it('keeps what it answers to one user from every other', async () => {
    const program = start('per-user.ts');
    const url = `${await originOf(program)}/basket`;

    await askCache(url, as('anna'));
    expect(await askCache(url, as('anna'))).toMatchObject({
      body: { user: 'anna' },
      cache: expect.stringContaining('hit'),
    });
    expect(await askCache(url, as('ben'))).toMatchObject({
      body: { user: 'ben' },
      cache: expect.stringContaining('fwd='),
    });
    expect(await askCache(url)).toMatchObject({ status: 401 });
    expect(await program.end()).toBe(0);
  });

  it('forgets the basket of the user who changed it, and of nobody else', async () => {
    const program = start('per-user.ts');
    const url = `${await originOf(program)}/basket`;
    for (const user of ['anna', 'ben']) await askCache(url, as(user));

    await ask(`${url}/pears`, as('anna', 'POST'));

    expect(await askCache(url, as('anna'))).toMatchObject({ body: { basket: ['apples', 'pears'] } });
    expect((await askCache(url, as('ben'))).cache).toContain('hit');
    expect(await program.end()).toBe(0);
  });
});
