import assert from 'node:assert/strict';
import type { Purge, PurgeMode } from '../register/records.ts';
import type { CacheStoreAdapter } from './cache-store-adapter.ts';
import { ENTRY, PURGE_CASES } from './purge-cases.ts';
import { compute, draftOf, keep, show } from './store-steps.ts';
import type { TestRunner } from './test-runner.ts';

export function purgeContract({ describe, it }: TestRunner, { openStore }: CacheStoreAdapter): void {
  for (const { kind, hit, missed } of PURGE_CASES) {
    const purge = (value: string, mode: PurgeMode): Purge => ({ kind, mode, value });

    describe(`purges by ${kind}`, () => {
      it('never finds again what a hard purge hit', async () => {
        const store = await openStore();
        await keep(store, 'a', ENTRY);
        await store.register.invalidate(missed.map((value) => purge(value, 'hard')));
        assert.equal(await show(store, 'a'), 'fresh');
        await store.register.invalidate([purge(hit, 'hard')]);
        assert.equal(await show(store, 'a'), 'none');
        await store.register.invalidate([purge(hit, 'soft')]);
        assert.equal(await show(store, 'a'), 'none');
      });

      it('finds as stale what a soft purge hit, until a hard one does', async () => {
        const store = await openStore();
        await keep(store, 'a', ENTRY);
        await store.register.invalidate(missed.map((value) => purge(value, 'soft')));
        assert.equal(await show(store, 'a'), 'fresh');
        await store.register.invalidate([purge(hit, 'soft')]);
        assert.equal(await show(store, 'a'), 'stale');
        await store.register.invalidate([purge(hit, 'hard')]);
        assert.equal(await show(store, 'a'), 'none');
      });

      it('finds what was computed after the purge', async () => {
        const store = await openStore();
        for (const mode of ['hard', 'soft'] as const) {
          await store.register.invalidate([purge(hit, mode)]);
          await keep(store, 'a', ENTRY);
          assert.equal(await show(store, 'a'), 'fresh');
        }
      });

      it('refuses what was being computed when it was purged', async () => {
        const store = await openStore();
        const stamp = await compute(store, 'a');
        await store.register.invalidate([purge(hit, 'hard')]);
        assert.equal(await store.write('a', draftOf(stamp, 'a', ENTRY)), false);
        assert.equal(await show(store, 'a'), 'none');
      });

      it('finds at best as stale what was being computed when it was softly purged', async () => {
        const store = await openStore();
        const stamp = await compute(store, 'a');
        await store.register.invalidate([purge(hit, 'soft')]);
        await store.write('a', draftOf(stamp, 'a', ENTRY));
        assert.notEqual(await show(store, 'a'), 'fresh');
      });
    });
  }

  severalPurges({ describe, it }, openStore);
}

function severalPurges({ describe, it }: TestRunner, openStore: CacheStoreAdapter['openStore']): void {
  describe('several purges', () => {
    it('heeds every one of thousands in one call', async () => {
      const store = await openStore();
      await keep(store, 'a', { tags: ['tag:4321'] });
      await keep(store, 'b', { tags: ['tag:5000'] });
      const purges = Array.from({ length: 5_000 }, (_, i): Purge => ({ mode: 'hard', kind: 'tag', value: `tag:${i}` }));
      await store.register.invalidate(purges);
      assert.deepEqual([await show(store, 'a'), await show(store, 'b')], ['none', 'fresh']);
    });

    it('heeds purges made at the same time', async () => {
      const store = await openStore();
      const tags = Array.from({ length: 20 }, (_, i) => `tag:${i}`);
      await Promise.all(tags.map((tag) => keep(store, tag, { tags: [tag] })));
      await Promise.all(tags.map((value) => store.register.invalidate([{ mode: 'hard', kind: 'tag', value }])));
      assert.deepEqual([...new Set(await Promise.all(tags.map((tag) => show(store, tag))))], ['none']);
    });

    it('gives every purge a later stamp, from which a computation is valid', async () => {
      const store = await openStore();
      await compute(store, 'a');
      const first = await store.register.invalidate([{ mode: 'hard', kind: 'tag', value: 'user' }]);
      const second = await store.register.invalidate([{ mode: 'hard', kind: 'tag', value: 'user' }]);
      assert.ok(second.clock > first.clock);
      await compute(store, 'a');
      assert.equal(
        store.register.judge(first, () => ENTRY),
        'dead',
      );
      assert.equal(
        store.register.judge(second, () => ENTRY),
        'valid',
      );
    });
  });
}
