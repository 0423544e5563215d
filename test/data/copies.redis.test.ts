import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { deepStrictEqual } from 'node:assert';
import type { RedisClient } from '../../src/redis/client.ts';
import { createDataCache } from '../../src/data/data.ts';
import type { SuiteOptions } from '../../src/suite.ts';
import { uniquePrefix } from '../support/connections.ts';
import { shape } from '../codec/codec-support.ts';
import { spoil } from '../codec/copy-support.ts';
import { BACKENDS, openSuite } from './backends.ts';

/** Uses of a value: enough that it is kept beside its entry, and copied. */
const USES = 10;

describe.each(BACKENDS.filter(([name]) => name.includes('emory')))('values on %s', (_name, connect, options) => {
  let connection: RedisClient | undefined;
  const memory = '1mb';
  const open = (more: SuiteOptions = {}) =>
    openSuite((connection ??= connect()), { ...options, memory, maxStaleness: '1m', ...more });
  const refuse = (): never => {
    throw new Error('This is a hit');
  };

  it('are at every hit what was stored, whatever other callers do to theirs', async () => {
    const [plain, compressed] = [open().data, open({ data: { compressAbove: 100 } }).data];
    const name = fc
      .oneof(fc.string(), fc.constantFrom('constructor', 'toString', '7', ''))
      .filter((key) => key !== '__proto__');
    const value = fc.oneof(
      fc
        .jsonValue({ maxDepth: 3 })
        .map((json): unknown =>
          JSON.parse(JSON.stringify(json), (key, part: unknown) => (key === '__proto__' ? undefined : part)),
        ),
      fc.dictionary(name, fc.oneof(fc.date({ noInvalidDate: true }), fc.constantFrom(-0, undefined, 2n)), {
        noNullPrototype: true,
      }),
      fc
        .tuple(fc.string(), fc.nat(40))
        .map(([id, length]) => Array.from({ length }, (_, i) => ({ id, i, tags: [id] }))),
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(value, fc.boolean(), async (stored, isCompressed) => {
        const data = isCompressed ? compressed : plain;
        const key = `k${round++}`;
        await data.set(key, stored);
        for (let use = 0; use < USES; use++) {
          const got = use % 2 === 0 ? await data.getOrSet<unknown>(key, refuse) : await data.get(key);
          deepStrictEqual(got, stored);
          expect(JSON.stringify(Object.keys(Object(got) as object))).toBe(
            JSON.stringify(Object.keys(Object(stored) as object)),
          );
          spoil(got);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('that are spoilt by who is given them first and by who waits with him are whole for the next', async () => {
    const { data } = open();
    const record = () => ({ list: [{ a: 1 }] });
    const calls = await Promise.all([1, 2].map(() => data.getOrSet('shared', record)));
    calls.forEach(spoil);
    for (let use = 0; use < USES; use++) {
      const together = await Promise.all([data.getOrSet('shared', record), data.getOrSet('shared', record)]);
      for (const value of together) expect(shape(value)).toBe(shape(record()));
      together.forEach(spoil);
    }
  });

  it('are one frozen value for all callers of a cache that says so, and copies for those of another', async () => {
    const prefix = uniquePrefix();
    const { data } = open({ prefix });
    const redis = connection;
    const place = redis === undefined ? { backend: 'memory' as const } : { redis, deadline: '5s' as const };
    for (const key of ['copied first', 'frozen first']) {
      const frozen = createDataCache({ ...place, prefix, memory, maxStaleness: '1m', values: 'frozen' });
      await data.set(key, { list: [{ a: 1 }] });
      const readers = key === 'copied first' ? [data, frozen] : [frozen, data];
      for (const reader of readers) for (let use = 0; use < USES; use++) await reader.get(key);
      const seen = await frozen.get<{ list: object[] }>(key);
      expect([seen, seen?.list, seen?.list[0]].every(Object.isFrozen)).toBe(true);
      const own = await data.get(key);
      expect(shape(own)).toBe(shape({ list: [{ a: 1 }] }));
      expect(Object.isFrozen(own)).toBe(false);
      spoil(own);
      expect(shape(await data.get(key))).toBe(shape({ list: [{ a: 1 }] }));
    }
  });

  it('are what their schema makes of a copy', async () => {
    const { data } = open();
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => ({ value: Object.assign(value as object, { seen: true }) }),
      },
    };
    await data.set('checked', { list: [1] });
    for (let use = 0; use < USES; use++) {
      const checked = await data.get('checked', { schema });
      expect(shape(checked)).toBe(shape({ list: [1], seen: true }));
      spoil(checked);
    }
    expect(shape(await data.get('checked'))).toBe(shape({ list: [1] }));
  });
});
