import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheStoreAdapter } from './cache-store-adapter.ts';
import { purgeContract } from './purge-contract.ts';
import { replacementContract } from './replacement-contract.ts';
import { sharingContract } from './sharing-contract.ts';
import { compute, draftOf, keep, show } from './store-steps.ts';
import type { TestRunner } from './test-runner.ts';

/**
 * Declares the tests that every CacheStore passes: what was stored comes back, and nothing comes back that an invalidation hit after its computation began.
 *
 * ```ts
 * import { describe, it } from 'node:test';
 * cacheStoreContract({ describe, it }, { openStore: () => createMyStore() });
 * ```
 */
export function cacheStoreContract(runner: TestRunner, adapter: CacheStoreAdapter): void {
  lookupContract(runner, adapter);
  lifetimeContract(runner, adapter);
  addressContract(runner, adapter);
  replacementContract(runner, adapter);
  purgeContract(runner, adapter);
  sharingContract(runner, adapter);
}

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, i) => i);

function lookupContract({ describe, it }: TestRunner, { openStore }: CacheStoreAdapter): void {
  describe('lookups', () => {
    it('finds nothing where nothing was stored, and gives the stamp for computing it', async () => {
      const store = await openStore();
      const { found, stamp } = await store.read('a');
      assert.equal(found, undefined);
      assert.ok(stamp !== undefined);
    });

    it('gives back every field and every byte', async () => {
      const store = await openStore();
      const stamp = await compute(store, 'a');
      const fields = { flags: 255, freshMs: 60_000, staleMs: 1_500, computeMs: 12.5 };
      const draft = { ...draftOf(stamp, 'é€😀'), ...fields, metadata: '{"ü":"😀"}', body: EVERY_BYTE };
      assert.equal(await store.write('a', draft), true);
      const { found } = await store.read('a');
      assert.ok(found !== undefined);
      const { entry, ageMs, state } = found;
      assert.equal(state, 'fresh');
      assert.ok(ageMs >= 0 && ageMs < 5_000, `age ${ageMs}`);
      assert.deepEqual(
        { ...fields, ...stamp },
        pick(entry, ['flags', 'freshMs', 'staleMs', 'computeMs', 'generation', 'clock']),
      );
      assert.equal(entry.metadata.toString(), draft.metadata);
      assert.deepEqual(Uint8Array.from(entry.body), EVERY_BYTE);
    });

    it('gives back an empty body with empty metadata, and a large body', async () => {
      const store = await openStore();
      await keep(store, 'empty', { body: new Uint8Array(), metadata: '' });
      await keep(store, 'large', { body: Buffer.alloc(300_000, EVERY_BYTE) });
      const empty = (await store.read('empty')).found?.entry;
      assert.deepEqual([empty?.body.length, empty?.metadata.length], [0, 0]);
      assert.ok((await store.read('large')).found?.entry.body.equals(Buffer.alloc(300_000, EVERY_BYTE)));
    });

    it('is not changed through the bytes it was given', async () => {
      const store = await openStore();
      const body = Buffer.from('before');
      await keep(store, 'a', { body });
      body.write('behind');
      assert.equal((await store.read('a')).found?.entry.body.toString(), 'before');
    });

    it('replaces what was stored before', async () => {
      const store = await openStore();
      await keep(store, 'a', { body: Buffer.from('first') });
      await keep(store, 'a', { body: Buffer.from('second') });
      assert.equal((await store.read('a')).found?.entry.body.toString(), 'second');
    });

    it('keeps what was put, whatever was being computed', async () => {
      const store = await openStore();
      const version = await store.version('a');
      assert.notEqual(version, undefined);
      const stamp = await compute(store, 'a');
      const computed = draftOf(stamp, 'a', { body: Buffer.from('computed') });
      assert.equal(await store.put('a', draftOf(stamp, 'a', { body: Buffer.from('put') })), true);
      assert.equal(await store.write('a', computed, version), false);
      assert.equal((await store.read('a')).found?.entry.body.toString(), 'put');
      assert.equal(await store.write('a', computed, await store.version('a')), true);
      assert.equal((await store.read('a')).found?.entry.body.toString(), 'computed');
    });

    it('refuses what was being computed while it was removed', async () => {
      const store = await openStore();
      const version = await store.version('a');
      const stamp = await compute(store, 'a');
      await keep(store, 'a');
      await store.remove('a');
      assert.equal(await store.write('a', draftOf(stamp, 'a'), version), false);
      assert.equal(await show(store, 'a'), 'none');
      assert.notEqual(await store.version('a'), version);
      assert.equal(await store.version('b'), version);
    });

    it('refuses what took longer than puts and removals are remembered', async () => {
      const store = await openStore();
      const version = await store.version('a');
      const draft = { ...draftOf(await compute(store, 'a'), 'a'), computeMs: 120_001 };
      assert.equal(await store.write('a', draft, version), false);
      assert.equal(await store.write('a', draft), true);
    });

    it('drops what it is told to drop, and nothing else', async () => {
      const store = await openStore();
      await keep(store, 'a');
      await keep(store, 'b');
      await store.remove('a');
      await store.remove('never stored');
      assert.deepEqual([await show(store, 'a'), await show(store, 'b')], ['none', 'fresh']);
    });

    it('answers many lookups and writes at once', async () => {
      const store = await openStore();
      const addresses = Array.from({ length: 100 }, (_, i) => `many:${i}`);
      await Promise.all(addresses.map((address) => keep(store, address, { body: Buffer.from(address) })));
      const bodies = await Promise.all(
        addresses.map(async (address) => (await store.read(address)).found?.entry.body.toString()),
      );
      assert.deepEqual(bodies, addresses);
    });
  });
}

function lifetimeContract({ describe, it }: TestRunner, { openStore }: CacheStoreAdapter): void {
  describe('lifetimes', () => {
    it('is fresh, then stale, then gone', async () => {
      const store = await openStore();
      await keep(store, 'a', { freshMs: 800, staleMs: 800 });
      const startedAt = performance.now();
      const states: string[] = [];
      while (states.at(-1) !== 'none' && performance.now() - startedAt < 10_000) {
        const { found } = await store.read('a');
        if (found !== undefined) assert.equal(found.state, found.ageMs < 800 ? 'fresh' : 'stale');
        const state = found?.state ?? 'none';
        if (states.at(-1) !== state) states.push(state);
        await sleep(10);
      }
      assert.deepEqual(states, ['fresh', 'stale', 'none']);
    });

    it('is gone once it is no longer fresh when it may not be stale', async () => {
      const store = await openStore();
      await keep(store, 'a', { freshMs: 30, staleMs: 0 });
      await sleep(50);
      assert.equal(await show(store, 'a'), 'none');
    });

    it('stores nothing that would not live', async () => {
      const store = await openStore();
      const stamp = await compute(store, 'a');
      assert.equal(await store.write('a', { ...draftOf(stamp, 'a'), freshMs: 0, staleMs: 0 }), false);
      assert.equal(await show(store, 'a'), 'none');
    });
  });
}

/** Text that means something to servers, clients or encodings somewhere on the way. */
const ODD_TEXTS = [
  '',
  ' ',
  '{',
  '}',
  '{}',
  '{}x',
  'foo{}{bar}',
  '{a}{b}',
  'a{b',
  '%',
  '%7B',
  '%25',
  '*',
  'a*b?[c]\\',
  ':',
  'd:',
  'h:GET:/a?b=c&d=é',
  'é€😀',
  'nul\u0000byte',
  'line\r\nbreak',
  '__proto__',
  'constructor',
  '!g',
  '#',
  'x'.repeat(256),
  'x'.repeat(257),
  'x'.repeat(512),
  'x'.repeat(513),
  `${'y'.repeat(10_000)}1`,
  `${'y'.repeat(10_000)}2`,
  '😀'.repeat(300),
];

function addressContract({ describe, it }: TestRunner, { openStore }: CacheStoreAdapter): void {
  describe('odd texts', () => {
    it('keeps every address apart from every other', async () => {
      const store = await openStore();
      for (const [i, address] of ODD_TEXTS.entries()) await keep(store, address, { body: Buffer.from(String(i)) });
      const bodies = await Promise.all(
        ODD_TEXTS.map(async (address) => (await store.read(address)).found?.entry.body.toString()),
      );
      assert.deepEqual(bodies, [...ODD_TEXTS.keys()].map(String));
    });
  });
}

function pick<T extends object, Name extends keyof T>(value: T, names: readonly Name[]): Pick<T, Name> {
  return Object.fromEntries(names.map((name) => [name, value[name]])) as Pick<T, Name>;
}
