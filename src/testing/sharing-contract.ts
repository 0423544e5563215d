import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheStoreAdapter } from './cache-store-adapter.ts';
import { ENTRY, PURGE_CASES } from './purge-cases.ts';
import { compute, draftOf, keep, show } from './store-steps.ts';
import type { TestRunner } from './test-runner.ts';

export function sharingContract(
  { describe, it }: TestRunner,
  { openPair, maxStalenessMs = 0 }: CacheStoreAdapter,
): void {
  if (openPair === undefined) return;
  const letNewsArrive = (): Promise<void> | undefined => (maxStalenessMs === 0 ? undefined : sleep(maxStalenessMs + 5));

  describe('two processes', () => {
    it('finds what the other stored', async () => {
      const [one, other] = await openPair();
      await keep(one, 'a', { body: Buffer.from('from one') });
      await letNewsArrive();
      assert.equal((await other.read('a')).found?.entry.body.toString(), 'from one');
    });

    it('finds nothing that the other dropped', async () => {
      const [one, other] = await openPair();
      await keep(one, 'a');
      await other.remove('a');
      await letNewsArrive();
      assert.equal(await show(one, 'a'), 'none');
    });

    it('finds what the other put in the place of what it has just read', async () => {
      const [one, other] = await openPair();
      const stamp = await compute(one, 'a');
      await one.put('a', draftOf(stamp, 'a', { body: Buffer.from('first') }));
      for (const text of ['second', 'third']) {
        assert.equal(await show(one, 'a'), 'fresh');
        assert.equal(await other.put('a', draftOf(await compute(other, 'a'), 'a', { body: Buffer.from(text) })), true);
        assert.equal((await other.read('a')).found?.entry.body.toString(), text);
        await letNewsArrive();
        assert.equal((await one.read('a')).found?.entry.body.toString(), text);
      }
    });

    for (const { kind, hit } of PURGE_CASES) {
      it(`heeds the other's purges by ${kind}`, async () => {
        const [one, other] = await openPair();
        await keep(one, 'a', ENTRY);
        await letNewsArrive();
        assert.equal(await show(other, 'a'), 'fresh');
        await one.register.invalidate([{ kind, mode: 'soft', value: hit }]);
        await letNewsArrive();
        assert.equal(await show(other, 'a'), 'stale');
        await one.register.invalidate([{ kind, mode: 'hard', value: hit }]);
        assert.equal(await show(one, 'a'), 'none');
        await letNewsArrive();
        assert.equal(await show(other, 'a'), 'none');
      });

      it(`finds nowhere what one was computing when the other purged it by ${kind}`, async () => {
        const [one, other] = await openPair();
        await keep(other, 'b');
        const stamp = await compute(one, 'a');
        await other.register.invalidate([{ kind, mode: 'hard', value: hit }]);
        await one.write('a', draftOf(stamp, 'a', ENTRY));
        assert.equal(await show(other, 'a'), 'none');
        await letNewsArrive();
        assert.equal(await show(one, 'a'), 'none');
      });
    }
  });
}
