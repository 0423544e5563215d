import assert from 'node:assert/strict';
import type { Store } from 'express-session';
import type { SessionStoreAdapter } from './session-store-adapter.ts';
import { create, destroy, get, openKnown, prepare, regenerate, save, show, touch } from './session-steps.ts';
import type { TestRunner } from './test-runner.ts';

/** Requests of one session at the same time, in one process and in two. */
export function sessionRaceContract(runner: TestRunner, adapter: SessionStoreAdapter): void {
  races(runner, 'one process', async () => {
    const store = prepare(await adapter.openStore());
    return [store, store];
  });
  const { openPair } = adapter;
  if (openPair === undefined) return;
  races(runner, 'two processes', async () => {
    const [one, other] = await openPair();
    return [prepare(one), prepare(other)];
  });
}

function races({ describe, it }: TestRunner, where: string, openPair: () => Promise<readonly [Store, Store]>): void {
  describe(`requests at the same time, ${where}`, () => {
    it('does not bring back a session that was destroyed while a request was changing it', async () => {
      const [one, other] = await openPair();
      const id = await create(one, { user: 'Ada' });
      const slow = await openKnown(one, id);
      slow['views'] = 1;
      await destroy(other, id);
      await save(one, slow);
      assert.equal(await get(other, id), undefined);
      await save(one, slow);
      await touch(one, slow);
      assert.equal(await get(one, id), undefined);
    });

    it('does not bring back a session that was regenerated while a request was changing it', async () => {
      const [one, other] = await openPair();
      const id = await create(one, { user: 'Ada' });
      const slow = await openKnown(one, id);
      await regenerate(await openKnown(other, id));
      slow['views'] = 1;
      await save(one, slow);
      assert.equal(await get(other, id), undefined);
    });

    it('does not bring back a new session that was destroyed between two saves', async () => {
      const [one, other] = await openPair();
      const id = await create(one, { user: 'Ada' });
      const session = await openKnown(one, id);
      session['a'] = 1;
      await save(one, session);
      await destroy(other, id);
      session['a'] = 2;
      await save(one, session);
      assert.equal(await get(one, id), undefined);
    });

    it('keeps what twenty requests have each put into a property of its own', async () => {
      const [one, other] = await openPair();
      const id = await create(one, { user: 'Ada' });
      const stores = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : other));
      const sessions = await Promise.all(stores.map((store) => openKnown(store, id)));
      await Promise.all(
        sessions.map((session, i) => {
          session[`p${i}`] = i;
          return save(stores[i] ?? one, session);
        }),
      );
      const expected = Object.fromEntries(sessions.map((_session, i) => [`p${i}`, i]));
      assert.deepEqual(await show(other, id), { user: 'Ada', ...expected });
    });

    it('keeps a property that another request has added while this one removed a second and changed a third', async () => {
      const [one, other] = await openPair();
      const id = await create(one, { a: 1, b: 2 });
      const [first, second] = [await openKnown(one, id), await openKnown(other, id)];
      first['c'] = 3;
      delete second['b'];
      second['a'] = 10;
      await save(one, first);
      await save(other, second);
      assert.deepEqual(await show(one, id), { a: 10, c: 3 });
    });

    it('leaves alone what a request has read and not changed', async () => {
      const [one, other] = await openPair();
      const id = await create(one, { cart: [1] });
      const [reader, writer] = [await openKnown(one, id), await openKnown(other, id)];
      writer['cart'] = [1, 2];
      await save(other, writer);
      reader['seen'] = true;
      await save(one, reader);
      await touch(one, reader);
      assert.deepEqual(await show(one, id), { cart: [1, 2], seen: true });
    });
  });
}
