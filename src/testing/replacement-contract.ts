import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheStoreAdapter } from './cache-store-adapter.ts';
import { compute, draftOf, keep, show } from './store-steps.ts';
import type { TestRunner } from './test-runner.ts';

export function replacementContract({ describe, it }: TestRunner, { openStore }: CacheStoreAdapter): void {
  describe('many at once', () => {
    it('looks up many in their order, what is missing among them', async () => {
      const store = await openStore();
      for (const name of ['a', 'b', 'c']) await keep(store, name, { body: Buffer.from(name) });
      await store.read('b');
      const lookups = await store.readMany(['c', 'missing', 'a', 'b', 'c']);
      const bodies = lookups.map(({ found }) => found?.entry.body.toString());
      assert.deepEqual(bodies, ['c', undefined, 'a', 'b', 'c']);
      assert.ok(lookups.every(({ stamp }) => stamp !== undefined));
      assert.deepEqual(await store.readMany([]), []);
    });

    it('lists the addresses that begin so and may be served, however they are spelled', async () => {
      const store = await openStore();
      const long = `d:users:${'x'.repeat(600)}`;
      const served = ['d:users:1', 'd:users:*', 'd:users:{2}', long];
      for (const address of [...served, 'd:user', 'd:other:1', 'h:users:1', 'd:users:dead']) {
        const stamp = await compute(store, address);
        assert.ok(await store.write(address, { ...draftOf(stamp, ''), key: address }));
      }
      await store.register.invalidate([{ mode: 'hard', kind: 'key', value: 'd:users:dead' }]);
      const listed = new Set<string>();
      for await (const page of store.list('d:users:')) for (const address of page) listed.add(address);
      assert.deepEqual([...listed].toSorted(), served.toSorted());
    });
  });

  describe('what a lookup has seen', () => {
    it('is replaced while it is there, and by one only', async () => {
      const store = await openStore();
      const stamp = await compute(store, 'a');
      const draft = (text: string): ReturnType<typeof draftOf> => draftOf(stamp, 'a', { body: Buffer.from(text) });
      const outcomes = await Promise.all(['1', '2', '3'].map((text) => store.putIfSeen('a', draft(text), undefined)));
      assert.equal(outcomes.filter(Boolean).length, 1);
      const { found, bytes } = await store.read('a');
      assert.equal(found?.entry.body.toString(), String(outcomes.indexOf(true) + 1));
      assert.equal(await store.putIfSeen('a', draft('next'), undefined), false);
      assert.equal(await store.putIfSeen('a', draft('next'), bytes), true);
      assert.equal((await store.read('a')).found?.entry.body.toString(), 'next');
    });

    it('is replaced against computations under way', async () => {
      const store = await openStore();
      const version = await store.version('a');
      const stamp = await compute(store, 'a');
      assert.equal(await store.putIfSeen('a', draftOf(stamp, 'a'), undefined), true);
      assert.equal(await store.write('a', draftOf(stamp, 'a'), version), false);
    });

    it('begins another lifetime, if it is still there', async () => {
      const store = await openStore();
      await keep(store, 'a', { freshMs: 60_000, body: Buffer.from('body'), tags: ['t'] });
      const { bytes } = await store.read('a');
      assert.ok(bytes !== undefined);
      assert.equal(await store.renew('a', bytes, { freshMs: 1_000, staleMs: 0 }), true);
      assert.equal((await store.read('a')).found?.entry.freshMs, 1_000);
      assert.equal((await store.read('a')).found?.entry.body.toString(), 'body');
      assert.equal(await store.renew('a', bytes, { freshMs: 60_000, staleMs: 0 }), false);
      await sleep(1_050);
      assert.equal(await show(store, 'a'), 'none');
      assert.equal(await store.renew('gone', bytes, { freshMs: 60_000, staleMs: 0 }), false);
    });

    it('stays invalid when it has been invalidated, whatever lifetime it is given', async () => {
      const store = await openStore();
      await keep(store, 'a', { tags: ['t'] });
      const { bytes } = await store.read('a');
      assert.ok(bytes !== undefined);
      await store.register.invalidate([{ mode: 'hard', kind: 'tag', value: 't' }]);
      await store.renew('a', bytes, { freshMs: 90_000, staleMs: 0 });
      assert.equal(await show(store, 'a'), 'none');
    });
  });
}
