import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../../src/core/errors.ts';
import { defineGroups, defineRules, entityRules } from '../../src/invalidation/invalidation.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite } from '../../src/suite.ts';
import { BACKENDS, openSuite } from '../data/backends.ts';
import { eventually } from '../support/outages.ts';

const productRules = defineRules({
  'product.updated': ({ id }: { id: number }) => [`product:${id}`, 'products'],
  'shop.moved': () => [{ prefix: 'menu:' }, ['prices'], 'hours'],
});

async function fill(suite: Suite, tagsByKey: Readonly<Record<string, readonly string[]>>): Promise<void> {
  await Promise.all(Object.entries(tagsByKey).map(([key, tags]) => suite.data.set(key, key, { tags })));
}

async function left(suite: Suite, keys: readonly string[]): Promise<string[]> {
  const values = await Promise.all(keys.map((key) => suite.data.get(key)));
  return keys.filter((_key, i) => values[i] !== undefined);
}

describe.each(BACKENDS)('rules on %s', (_name, connect) => {
  let connection: RedisClient | undefined;
  const open = (): Suite => openSuite((connection ??= connect()));

  it('invalidate what they name, all of it and nothing else, before trigger resolves', async () => {
    const suite = open();
    suite.rules.use(productRules).when('product.*', (event: { id: number }) => ({ keys: [`stock:${event.id}`] }));
    await fill(suite, { a: ['product:7'], b: ['product:8'], c: ['products'], 'stock:7': [], 'stock:8': [] });
    await suite.rules.trigger('product.updated', { id: 7 });
    expect(await left(suite, ['a', 'b', 'c', 'stock:7', 'stock:8'])).toEqual(['b', 'stock:8']);

    await fill(suite, { 'menu:1': [], p: ['prices'], h: ['hours'], other: ['product:7'] });
    await suite.rules.trigger('shop.moved');
    expect(await left(suite, ['menu:1', 'p', 'h', 'other'])).toEqual(['other']);
  });

  it('that have nothing to say leave everything', async () => {
    const suite = open();
    suite.rules.when('seen', () => undefined).when('seen', () => []);
    await fill(suite, { a: ['t'] });
    await suite.rules.trigger('seen', {});
    expect(await left(suite, ['a'])).toEqual(['a']);
  });

  it('invalidate nothing when one of them throws or names nothing, and pass its error on', async () => {
    const suite = open();
    const mistake = new Error('no such product');
    suite.rules.when('sold', () => ['products']).when('sold', () => Promise.reject(mistake));
    suite.rules.when('wrong', () => ['products']).when('wrong', () => ({}));
    await fill(suite, { c: ['products'] });
    await expect(suite.rules.trigger('sold')).rejects.toBe(mistake);
    await expect(suite.rules.trigger('wrong')).rejects.toBeInstanceOf(TypeError);
    expect(await left(suite, ['c'])).toEqual(['c']);
  });

  it('keep what was being computed while they were applied from being served', async () => {
    const suite = open();
    suite.rules.use(entityRules('product'));
    const old = await suite.data.getOrSet(
      'p',
      async () => {
        await suite.rules.trigger('product.updated', { id: 7 });
        return 'old';
      },
      { tags: ['product:7'] },
    );
    expect([old, await suite.data.getOrSet('p', () => 'new', { tags: ['product:7'] })]).toEqual(['old', 'new']);
  });

  it('tell what they would invalidate, and do not', async () => {
    const suite = open();
    suite.rules
      .use(productRules)
      .when('product.*', () => ({ tags: ['b', 'a'], match: 'all', urls: ['/'] }))
      .when('product.*', () => ({ tags: ['a', 'b', 'a'], match: 'all' }))
      .when('product.*', () => ({ tags: ['one', 'one'], match: 'all' }))
      .when('product.*', () => [{ pattern: 'x*', all: true }, { tags: ['soft'], mode: 'soft' }, ['products']]);
    await fill(suite, { c: ['products'] });
    const nothing = { tags: [], tagSets: [], urls: [], keys: [], prefixes: [], patterns: [], all: false };
    expect(await suite.rules.dryRun('product.updated', { id: 7 })).toEqual({
      rules: ['product.updated', 'product.*'],
      tags: ['product:7', 'products', 'one'],
      tagSets: [['a', 'b']],
      urls: ['/'],
      keys: [],
      prefixes: [],
      patterns: ['x*'],
      all: true,
      soft: { ...nothing, tags: ['soft'] },
    });
    expect(await suite.rules.dryRun('unknown')).toEqual({ rules: [], ...nothing, soft: nothing });
    expect(await left(suite, ['c'])).toEqual(['c']);
  });

  it('are told apart from events that nobody knows', async () => {
    const suite = open();
    const unmatched: string[] = [];
    suite.events.on('rules:unmatched', ({ name }) => unmatched.push(name));
    suite.rules.when('product.updated', () => undefined);
    await suite.rules.trigger('product.updated');
    await suite.rules.trigger('product.update');
    expect(unmatched).toEqual(['product.update']);
  });

  it('follow an emitter until they are told to stop, and report what fails there', async () => {
    const suite = open();
    const emitter = new EventEmitter();
    const failures: string[] = [];
    suite.events.on('cache:error', ({ operation, error }) => failures.push(`${operation}: ${error.message}`));
    suite.rules.use(productRules).when('*', () => undefined);
    suite.rules.when('bad', () => {
      throw new Error('oops');
    });
    const stop = suite.rules.listen(emitter);
    await fill(suite, { a: ['product:7'] });
    emitter.emit('product.updated', { id: 7 });
    await eventually('the entry to go', async () => ((await left(suite, ['a'])).length === 0 ? true : undefined));
    emitter.emit('bad');
    await eventually('the report', () => failures[0]);
    expect(failures).toEqual(['rules: bad: oops']);
    stop();
    expect(emitter.eventNames()).toEqual([]);
  });

  it('follow no emitter once their suite is closed', async () => {
    const suite = open();
    const emitter = new EventEmitter();
    suite.rules.use(productRules).listen(emitter);
    expect(emitter.listenerCount('product.updated')).toBe(1);
    await suite.close();
    expect(emitter.eventNames()).toEqual([]);
  });
});

describe('debounced rules', () => {
  /** Counts the writes of a suite. */
  function counting(suite: Suite, connection: RedisClient): { writes(): number } {
    let writes = 0;
    const call = connection.call.bind(connection);
    connection.call = ((...args: Parameters<typeof call>) => {
      if (String(args[3]).endsWith(':reg')) writes++;
      return call(...args);
    }) as typeof call;
    void suite;
    return { writes: () => writes };
  }

  const [, redis] = BACKENDS;

  it('of one event and of many at a time are one write', async () => {
    const connection = redis?.[1]() as RedisClient;
    const suite = openSuite(connection);
    suite.rules.use(entityRules('product'));
    suite.rules.use(entityRules('order'), { debounce: '50ms' });
    suite.rules.when('order.*', () => ['dashboard'], { debounce: '50ms' });
    await fill(suite, { a: ['order:1'], b: ['order:2'], c: ['dashboard'], p: ['product:1'] });
    const { writes } = counting(suite, connection);
    await suite.rules.trigger('product.updated', { id: 1 });
    expect(writes()).toBe(1);
    const both = [1, 2].map((id) => suite.rules.trigger('order.updated', { id }));
    await Promise.resolve();
    expect(await left(suite, ['a', 'b', 'c', 'p'])).toEqual(['a', 'b', 'c']);
    await Promise.all(both);
    expect(writes()).toBe(2);
    expect(await left(suite, ['a', 'b', 'c'])).toEqual([]);
  });

  it('are written when the suite is closed, and at once afterwards', async () => {
    const connection = redis?.[1]() as RedisClient;
    const prefix = `debounced${process.pid}`;
    const closing = openSuite(connection, { prefix });
    const suite = openSuite(connection, { prefix });
    closing.rules.use(entityRules('order'), { debounce: '10m' });
    await fill(suite, { a: ['order:1'], b: ['order:2'] });
    const triggered = closing.rules.trigger('order.updated', { id: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    await closing.close();
    await triggered;
    expect(await left(suite, ['a', 'b'])).toEqual(['b']);
    await closing.rules.trigger('order.updated', { id: 2 });
    expect(await left(suite, ['b'])).toEqual([]);
  });
});

describe('ready rules', () => {
  it('of a group invalidate it in one call', async () => {
    const suite = openSuite(undefined);
    const rules = suite.rules.use(
      defineGroups({ catalog: [{ tags: ['products', 'categories'] }, { prefix: 'menu:' }] }),
    );
    await fill(suite, { a: ['products'], b: ['categories'], 'menu:1': [], c: [] });
    await rules.trigger('catalog');
    expect(await left(suite, ['a', 'b', 'menu:1', 'c'])).toEqual(['c']);
  });

  it('of an entity invalidate its own entries and those of its lists', async () => {
    const { rules } = openSuite(undefined);
    const typed = rules.use(entityRules('category', { lists: ['categories', 'menu'] }));
    for (const event of ['category.created', 'category.updated', 'category.deleted'] as const) {
      expect((await typed.dryRun(event, { id: 'x' })).tags).toEqual(['category:x', 'categories', 'menu']);
    }
    await expect(rules.trigger('category.created', {})).rejects.toThrow('needs its id');
  });

  it('refuse what is misspelt', () => {
    const { rules } = openSuite(undefined);
    expect(() => rules.when('a', () => [], { debounced: 1 } as never)).toThrow(ConfigError);
    expect(() => rules.when('a', () => [], { debounce: '1 s' as never })).toThrow(ConfigError);
    expect(() => rules.when('a', () => [], { debounce: '25d' })).toThrow('a timer takes at most');
    expect(() => rules.when('', () => [])).toThrow(ConfigError);
    expect(() => rules.use({ a: ['tag'] as unknown as () => string[] })).toThrow('must be a function');
    expect(() => entityRules('a', { list: 'b' } as never)).toThrow(ConfigError);
  });
});
