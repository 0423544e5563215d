import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, LoadTimeoutError } from '../../src/core/errors.ts';
import { z } from 'zod';
import type { LoadContext, LoadOptions } from '../../src/data/data.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import type { Suite, SuiteOptions } from '../../src/suite.ts';
import { BACKENDS, heldLoad, openSuite } from './backends.ts';

const never = (): never => {
  throw new Error('must not be loaded');
};

/** A loader that fails, and how often it was called. */
function failingLoad(): { fail: () => never; calls: () => number } {
  let calls = 0;
  const fail = (): never => {
    calls++;
    throw new Error('no database');
  };
  return { fail, calls: () => calls };
}

/** Waits for what goes on behind. */
async function eventually<T>(read: () => Promise<T> | T, expected: T): Promise<void> {
  const giveUpAt = performance.now() + 4_000;
  let last: T | undefined;
  while (performance.now() < giveUpAt) {
    last = await read();
    if (last === expected) return;
    await sleep(5);
  }
  expect(last).toBe(expected);
}

describe.each(BACKENDS)('getOrSet on %s', (_name, connect, place) => {
  let connection: RedisClient | undefined;
  const open = (options: SuiteOptions = {}): Suite => openSuite((connection ??= connect()), { ...place, ...options });

  describe('stale values', () => {
    const past = { ttl: '30ms', jitter: 0, coalesce: 'process' } as const;

    it('are returned while they are loaded anew behind, once', async () => {
      const { data } = open();
      const options: LoadOptions<string> = { ...past, staleWhileRevalidate: '1m' };
      await data.getOrSet('k', () => 'old', options);
      await sleep(60);
      expect(await data.get('k')).toBeUndefined();
      const held = heldLoad<string>();
      expect(await data.getOrSet('k', held.load, options)).toBe('old');
      expect(await data.getOrSet('k', held.load, options)).toBe('old');
      held.end('new');
      await eventually(() => data.getOrSet('k', () => 'new', { ...options, ttl: '1m' }), 'new');
      expect(held.calls()).toBe(1);
    });

    it('are returned without another attempt for a moment once loading anew behind has failed', async () => {
      const { data } = open();
      const options: LoadOptions<string> = { ...past, staleWhileRevalidate: '1m' };
      await data.getOrSet('k', () => 'old', options);
      await sleep(60);
      const { fail, calls } = failingLoad();
      expect(await data.getOrSet('k', fail, options)).toBe('old');
      await eventually(calls, 1);
      expect(await data.getOrSet('k', fail, options)).toBe('old'); // At once: the moment may pass while a busy machine stands still.
      await sleep(10);
      expect(calls()).toBe(1);
    });

    it('are gone where no call asks for them', async () => {
      const { data } = open();
      await data.getOrSet('k', () => 'old', { ...past, staleWhileRevalidate: '1m' });
      await sleep(60);
      expect(await data.getOrSet('k', () => 'new', { coalesce: 'process' })).toBe('new');
    });

    it('stand in for a loader that fails, which is then left alone for a moment', async () => {
      const { data } = open();
      const options: LoadOptions<string> = { ...past, failSafe: '1m' };
      await data.getOrSet('k', () => 'old', options);
      await sleep(60);
      const { fail, calls } = failingLoad();
      expect(await data.getOrSet('k', fail, options)).toBe('old');
      expect(await data.getOrSet('k', fail, options)).toBe('old');
      expect(calls()).toBe(1);
      await expect(data.getOrSet('k', fail, past)).rejects.toThrow('no database');
    });

    it('do not stand in once they were invalidated', async () => {
      const suite = open();
      const options: LoadOptions<string> = { ...past, failSafe: '1m', staleWhileRevalidate: '1m', tags: ['t'] };
      await suite.data.getOrSet('k', () => 'old', options);
      await sleep(60);
      await suite.invalidate(['t']);
      const error = new Error('no database');
      await expect(suite.data.getOrSet('k', () => Promise.reject(error), options)).rejects.toBe(error);
    });

    it('can be asked for, and confirmed', async () => {
      const suite = open();
      const { data } = suite;
      const options: LoadOptions<string> = { ...past, failSafe: '1m' };
      await data.getOrSet(
        'k',
        ({ validator, tag }) => {
          validator('"v1"');
          tag('t');
          return 'old';
        },
        options,
      );
      await sleep(60);
      const value = await data.getOrSet(
        'k',
        ({ stale, notModified }) => {
          expect(stale).toMatchObject({ value: 'old', validator: '"v1"' });
          expect(stale?.ageMs).toBeGreaterThanOrEqual(30);
          return notModified();
        },
        { ...options, ttl: '1m' },
      );
      expect(value).toBe('old');
      await eventually(() => data.get('k'), 'old');
      await eventually(async () => (await data.explain('k')).validator, '"v1"');
      await suite.invalidate(['t']); // The tags of then hold on.
      expect(await data.get('k')).toBeUndefined();
    });

    it.each([undefined, 10])(
      'are confirmed as they were stored, whatever a schema makes of them (compressed above %s)',
      async (compressAbove) => {
        const { data } = open({ data: { compressAbove } });
        const text = z.string().transform((value) => ({ wrapped: value }));
        const options = { ...past, failSafe: '1m', schema: text } as LoadOptions;
        const value = 'x'.repeat(100);
        await data.getOrSet('k', () => value, options);
        await sleep(60);
        const again = await data.getOrSet('k', ({ notModified }) => notModified(), { ...options, ttl: '1m' });
        expect(again).toEqual({ wrapped: value });
        await eventually(() => data.get('k'), value);
      },
    );

    it('cannot be confirmed where there are none', async () => {
      const { data } = open();
      await expect(data.getOrSet('k', ({ notModified }) => notModified())).rejects.toThrow('context.stale');
    });
  });

  describe('early refresh', () => {
    it('loads anew behind once the part of the lifetime has passed, and returns what is there', async () => {
      const { data } = open();
      const options: LoadOptions<string> = { ttl: '1m', jitter: 0, coalesce: 'process' };
      await data.getOrSet('k', () => 'old', options);
      await eventually(() => data.get('k'), 'old');
      expect(await data.getOrSet('k', never, { ...options, refreshAhead: 0.9 })).toBe('old');
      expect(await data.getOrSet('k', () => 'new', { ...options, refreshAhead: 0 })).toBe('old');
      await eventually(() => data.get('k'), 'new');
    });

    it('by chance comes the sooner the longer loading takes', async () => {
      const { data } = open();
      const options: LoadOptions<number> = { ttl: '60s', jitter: 0, coalesce: 'process', refreshAhead: 'xfetch' };
      await data.getOrSet('quick', () => 1, options);
      await eventually(() => data.get('quick'), 1);
      for (let i = 0; i < 50; i++) expect(await data.getOrSet('quick', never, options)).toBe(1);
      const short: LoadOptions<number> = { ...options, ttl: '300ms' };
      await data.getOrSet('slow', async () => sleep(150, 1), short);
      await eventually(() => data.get('slow'), 1);
      const refreshes: number[] = [];
      for (let i = 0; i < 100; i++) {
        await data.getOrSet('slow', () => refreshes.push(i), short);
        await sleep(1);
      }
      expect(refreshes.length).toBeGreaterThan(0);
    });
  });

  describe('timeouts', () => {
    it('end the wait of a call, while the load goes on and is stored', async () => {
      const { data } = open();
      const held = heldLoad<string>();
      const call = data.getOrSet('k', held.load, { hardTimeout: '30ms' });
      await expect(call).rejects.toMatchObject({ name: 'LoadTimeoutError', code: 'ERR_LOAD_TIMEOUT', key: 'k' });
      await expect(call).rejects.toBeInstanceOf(LoadTimeoutError);
      held.end('late');
      await eventually(() => data.get('k'), 'late');
    });

    it('tell of a load that fails after its caller has gone, and leave its loader alone for a moment', async () => {
      const suite = open();
      const told: string[] = [];
      suite.events.on('cache:error', ({ error }) => told.push(error.message));
      const held = heldLoad<string>();
      const call = suite.data.getOrSet('none', held.load, { hardTimeout: '10ms' });
      await expect(call).rejects.toBeInstanceOf(LoadTimeoutError);
      held.fail(new Error('late'));
      await eventually(() => told.join(), 'late');
      const options: LoadOptions<string> = { ttl: '30ms', jitter: 0, failSafe: '1m', coalesce: 'process' };
      await suite.data.getOrSet('k', () => 'old', options);
      await sleep(60);
      const slow = heldLoad<string>();
      expect(await suite.data.getOrSet('k', slow.load, { ...options, softTimeout: '10ms' })).toBe('old');
      slow.fail(new Error('late too'));
      await eventually(() => told.join(), 'late,late too');
      expect(await suite.data.getOrSet('k', never, options)).toBe('old');
    });

    it('tell nothing of a caller who has left after one', async () => {
      const suite = open();
      const told: unknown[] = [];
      suite.events.on('cache:error', ({ error }) => told.push(error.message));
      const options: LoadOptions<string> = { ttl: '30ms', jitter: 0, failSafe: '1m', coalesce: 'process' };
      await suite.data.getOrSet('k', () => 'old', options);
      await sleep(60);
      const held = heldLoad<string>();
      const load = async ({ tag }: LoadContext): Promise<string> => {
        tag('t');
        return held.load();
      };
      const leading = suite.data.getOrSet('k', load, options);
      await held.begun;
      const controller = new AbortController();
      const impatient = { ...options, softTimeout: '10ms', signal: controller.signal } as const;
      expect(await suite.data.getOrSet('k', never, impatient)).toBe('old');
      controller.abort();
      await suite.invalidate(['t']); // What is loaded is of no use to who came before, but is gone.
      held.end('new');
      await leading;
      await sleep(30);
      expect(told).toEqual([]);
    });

    it('give a stale value where there is one, softly sooner', async () => {
      const { data } = open();
      const options: LoadOptions<string> = { ttl: '30ms', jitter: 0, failSafe: '1m', coalesce: 'process' };
      await data.getOrSet('k', () => 'old', options);
      await sleep(60);
      const held = heldLoad<string>();
      expect(await data.getOrSet('k', held.load, { ...options, softTimeout: '10ms' })).toBe('old');
      expect(await data.getOrSet('k', never, { ...options, hardTimeout: '10ms' })).toBe('old');
      held.end('new');
      await eventually(() => data.getOrSet('k', () => 'new', options), 'new');
    });

    it('by signal end one call, and the load once nobody waits any more', async () => {
      const { data } = open();
      const controllers = [new AbortController(), new AbortController()] as const;
      let signal: AbortSignal | undefined;
      const held = heldLoad<string>();
      const calls = controllers.map(async (controller) =>
        data.getOrSet(
          'k',
          (context) => {
            signal = context.signal;
            return held.load();
          },
          { signal: controller.signal },
        ),
      );
      await held.begun;
      await sleep(10);
      controllers[0].abort(new Error('gone'));
      await expect(calls[0]).rejects.toThrow('gone');
      expect(signal?.aborted).toBe(false);
      controllers[1].abort();
      await expect(calls[1]).rejects.toThrow('aborted');
      expect(signal?.aborted).toBe(true);
      expect(await data.getOrSet('k', () => 'for who comes later', { coalesce: 'process' })).toBe(
        'for who comes later',
      );
      held.end('unwanted');
      await expect(data.getOrSet('k', () => 'other', { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
    });
  });

  describe('what a loader says', () => {
    it('adds tags that hold for invalidations since it began', async () => {
      const suite = open();
      const held = heldLoad<string>();
      const call = suite.data.getOrSet('k', async ({ tag }) => {
        tag('from the loader');
        return held.load();
      });
      await held.begun;
      await suite.invalidate(['from the loader']);
      held.end('old');
      expect(await call).toBe('old');
      await sleep(20);
      expect(await suite.data.get('k')).toBeUndefined();
    });

    it('takes no text for tags, whose letters would be tags', async () => {
      const { data } = open();
      const tags = 'user:7' as never;
      for (const key of ['k', { key: 'k', tags: ['own'] }]) {
        await expect(data.getOrSet(key, () => 1, { tags })).rejects.toThrow('tags must be an array');
        await expect(data.getOrSet(key, () => 1, { tags: () => tags })).rejects.toThrow('tags must be an array');
        await expect(data.set(key, 1, { tags })).rejects.toThrow('tags must be an array');
      }
    });

    it('adds tags to one another and to those of the call', async () => {
      const { data } = open();
      const load = ({ tag }: { tag(...tags: string[]): void }): number => {
        tag('a');
        tag('b');
        return 1;
      };
      await data.getOrSet('k', load, { tags: ['c'] });
      await eventually(() => data.has('k'), true);
      expect((await data.explain('k')).tags?.toSorted()).toEqual(['a', 'b', 'c']);
    });

    it('takes tags from the value', async () => {
      const suite = open();
      await suite.data.getOrSet('k', () => ({ id: 7 }), { tags: ({ id }) => [`user:${id}`] });
      await eventually(async () => (await suite.data.explain('k')).tags?.join(), 'user:7');
      await suite.invalidate(['user:7']);
      expect(await suite.data.get('k')).toBeUndefined();
    });

    it('overrides the lifetime, or has nothing stored', async () => {
      const { data } = open();
      await data.getOrSet('short', ({ ttl }) => {
        ttl('40ms');
        return 1;
      });
      await sleep(80);
      expect(await data.get('short')).toBeUndefined();
      const skip = await data.getOrSet('skipped', (context) => {
        context.skip();
        return 1;
      });
      await sleep(20);
      expect([skip, await data.has('skipped')]).toEqual([1, false]);
    });
  });

  describe('options', () => {
    it('keep nothing for as long as negativeTtl says', async () => {
      const { data } = open();
      for (const nothing of [undefined, null]) {
        const key = String(nothing);
        expect(await data.getOrSet(key, () => nothing, { negativeTtl: '1m' })).toBe(nothing);
        await eventually(() => data.has(key), true);
        expect(await data.getOrSet(key, never, { negativeTtl: '1m' })).toBe(nothing);
        expect((await data.explain(key)).ttlMs).toBeLessThanOrEqual(60_000);
        const short: LoadOptions = { negativeTtl: '30ms', staleWhileRevalidate: '1m', coalesce: 'process' };
        await data.getOrSet(`short ${key}`, () => nothing, short);
        await sleep(60);
        expect(await data.getOrSet(`short ${key}`, () => 7, short)).toBe(7); // It is not kept when it is stale.
      }
      await data.getOrSet('null', () => 7, { fresh: true });
      await eventually(() => data.get('null'), 7);
    });

    it('keep nothing no longer than that, set or loaded, unless its loader says so', async () => {
      const { data } = open();
      const options = { negativeTtl: '30ms', failSafe: '1m', staleWhileRevalidate: '1m', jitter: 0 } as const;
      await data.set('set', null, options);
      await data.getOrSet('loaded', () => null, options);
      await sleep(60);
      const error = new Error('no database');
      for (const key of ['set', 'loaded'])
        await expect(data.getOrSet(key, () => Promise.reject(error), options)).rejects.toBe(error);
      const load = ({ ttl }: LoadContext): null => {
        ttl('1h');
        return null;
      };
      await data.getOrSet('longer', load, options);
      await eventually(async () => ((await data.ttl('longer')) ?? 0) > 3_000_000, true);
    });

    it('load and store whatever is there when a fresh value is asked for', async () => {
      const { data } = open();
      await data.set('k', 'old');
      expect(await data.getOrSet('k', () => 'new', { fresh: true })).toBe('new');
      await eventually(() => data.get('k'), 'new');
    });

    it('with fresh take part in no load that began before, and nothing stands in for it', async () => {
      const { data } = open();
      const options = { ttl: '30ms', jitter: 0, failSafe: '1m', coalesce: 'process' } as const;
      await data.getOrSet('k', () => 'old', options);
      await sleep(60);
      const held = heldLoad<string>();
      const before = data.getOrSet('k', held.load, options);
      await held.begun;
      expect(await data.getOrSet('k', () => 'new', { ...options, fresh: true })).toBe('new');
      const error = new Error('no database');
      await expect(data.getOrSet('k', () => Promise.reject(error), { ...options, fresh: true })).rejects.toBe(error);
      held.end('late');
      await before;
    });

    it('end by signal, stale value or not', async () => {
      const { data } = open();
      const options = { ttl: '30ms', jitter: 0, failSafe: '1m', coalesce: 'process' } as const;
      await data.getOrSet('k', () => 'old', options);
      await sleep(60);
      const held = heldLoad<string>();
      const controller = new AbortController();
      const call = data.getOrSet('k', held.load, { ...options, signal: controller.signal });
      await held.begun;
      controller.abort(new Error('gone'));
      await expect(call).rejects.toThrow('gone');
      held.end('late');
    });

    it('take off a random part of the lifetime, a tenth at most unless said', async () => {
      const { data } = open();
      const ttls: number[] = [];
      for (let i = 0; i < 20; i++) {
        await data.getOrSet(`k${i}`, () => i, { ttl: 100_000 });
        await eventually(() => data.has(`k${i}`), true);
        ttls.push((await data.ttl(`k${i}`)) ?? 0);
      }
      expect(Math.min(...ttls)).toBeGreaterThan(80_000);
      expect(Math.max(...ttls)).toBeLessThanOrEqual(100_000);
      expect(new Set(ttls.map((ttl) => Math.round(ttl / 1_000))).size).toBeGreaterThan(2);
    });

    it('refuse what is wrong before anything is loaded', async () => {
      const { data } = open();
      for (const wrong of [
        { refreshAhead: 2 },
        { jitter: -1 },
        { ttl: '5 minutes' },
        { failSafe: 'long' },
        { coalesce: 'all' },
        { staleWhileRevalidat: '1m' },
        { ttl: 1e300 },
        { schema: {} },
        60_000,
      ]) {
        await expect(data.getOrSet({ key: 'k', ttl: '1h' }, never, wrong as LoadOptions)).rejects.toBeInstanceOf(
          ConfigError,
        );
        await expect(data.getOrSet('k', never, wrong as LoadOptions)).rejects.toBeInstanceOf(ConfigError);
      }
    });

    it('check what is read with a schema: what does not pass is loaded', async () => {
      const { data } = open();
      const schema = {
        '~standard': {
          version: 1 as const,
          vendor: 'test',
          validate: (value: unknown) =>
            typeof value === 'number' ? { value } : { issues: [{ message: 'not a number' }] },
        },
      };
      await data.set('k', 'text');
      expect(await data.get('k', { schema })).toBeUndefined();
      expect(await data.getMany(['k'], { schema })).toEqual([undefined]);
      expect(await data.getOrSet('k', () => 7, { schema })).toBe(7);
      await eventually(() => data.get('k', { schema }), 7);
      expect(await data.getOrSet('other', () => 'text' as unknown as number, { schema })).toBe('text');
    });
  });

  it('gives the first caller what all later ones get', async () => {
    const { data } = open();
    class User {
      readonly id = 7;
      readonly at = new Date(0);
      greet(): string {
        return 'hi';
      }
    }
    const first = await data.getOrSet('k', () => new User());
    await eventually(() => data.has('k'), true);
    const second = await data.getOrSet('k', () => new User());
    expect(first).toStrictEqual({ id: 7, at: new Date(0) });
    expect(second).toStrictEqual(first);
  });

  it('refuses a loader that asks for its own key, which would wait for itself', async () => {
    const { data } = open();
    const outer = data.getOrSet('k', () => data.getOrSet('k', () => 1));
    await expect(outer).rejects.toThrow('its loader asks for it itself');
    const load = async (): Promise<number> => (await data.getOrSet('other', () => 1)) + 1;
    expect(await data.getOrSet('k', load)).toBe(2);
  });
});
