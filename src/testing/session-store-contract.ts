import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { sessionRaceContract } from './session-race-contract.ts';
import type { SessionStoreAdapter } from './session-store-adapter.ts';
import {
  call,
  create,
  destroy,
  get,
  newId,
  open,
  openKnown,
  prepare,
  regenerate,
  save,
  show,
  touch,
} from './session-steps.ts';
import type { TestRunner } from './test-runner.ts';

/**
 * Declares the tests that every store for express-session should pass: what was saved comes back, what has ended does not, and requests that change different properties of one session at the
 * same time do not undo each other.
 *
 * ```ts
 * import { describe, it } from 'node:test';
 * sessionStoreContract({ describe, it }, { openStore: () => createMyStore() });
 * ```
 */
export function sessionStoreContract(runner: TestRunner, adapter: SessionStoreAdapter): void {
  keepingContract(runner, adapter);
  lifetimeContract(runner, adapter);
  oddContract(runner, adapter);
  listingContract(runner, adapter);
  sessionRaceContract(runner, adapter);
}

function keepingContract({ describe, it }: TestRunner, { openStore }: SessionStoreAdapter): void {
  describe('keeping', () => {
    it('finds nothing under an id it was never given', async () => {
      const store = prepare(await openStore());
      assert.equal(await get(store, newId()), undefined);
    });

    it('gives back what was saved', async () => {
      const store = prepare(await openStore());
      const properties = {
        user: { name: 'Ada', tags: ['a', 'b'] },
        views: 1,
        empty: [],
        none: {},
        nothing: null,
        no: false,
      };
      const id = await create(store, properties);
      assert.deepEqual(await show(store, id), properties);
    });

    it('saves what a request has changed, added and removed', async () => {
      const store = prepare(await openStore());
      const id = await create(store, { a: 1, b: 2, c: 3 });
      const session = await openKnown(store, id);
      session['a'] = 10;
      session['d'] = 4;
      delete session['b'];
      await save(store, session);
      assert.deepEqual(await show(store, id), { a: 10, c: 3, d: 4 });
    });

    it('saves one session several times', async () => {
      const store = prepare(await openStore());
      const id = await create(store, { a: 1 });
      const session = await openKnown(store, id);
      for (const value of [2, 3, 1]) {
        session['a'] = value;
        await save(store, session);
        assert.deepEqual(await show(store, id), { a: value });
      }
    });

    it('takes a session that was not made by express-session, and replaces one by it', async () => {
      const store = prepare(await openStore());
      const id = newId();
      const plain = (a: object): never => ({ cookie: { originalMaxAge: 60_000, path: '/' }, ...a }) as never;
      await call((done) => store.set(id, plain({ a: 1, b: 2 }), done));
      await call((done) => store.set(id, plain({ a: 3 }), done));
      assert.deepEqual(await show(store, id), { a: 3 });
    });

    it('keeps the attributes of the cookie', async () => {
      const store = prepare(await openStore());
      const id = await create(store, { a: 1 });
      const session = await openKnown(store, id);
      session.cookie.maxAge = 120_000;
      session.cookie.sameSite = 'strict';
      await save(store, session);
      const { cookie } = await openKnown(store, id);
      assert.equal(cookie.originalMaxAge, session.cookie.originalMaxAge); // May have taken a millisecond off.
      assert.equal(cookie.sameSite, 'strict');
      assert.ok(cookie.expires instanceof Date);
      assert.ok(cookie.expires.getTime() > Date.now() + 60_000);
    });

    it('forgets what was destroyed, also twice, and only that', async () => {
      const store = prepare(await openStore());
      const [one, other] = [await create(store, { a: 1 }), await create(store, { a: 2 })];
      await destroy(store, one);
      await destroy(store, one);
      await destroy(store, newId());
      assert.equal(await get(store, one), undefined);
      assert.deepEqual(await show(store, other), { a: 2 });
    });

    it('begins another session when one is regenerated, and ends that one', async () => {
      const store = prepare(await openStore());
      const id = await create(store, { a: 1 });
      const next = await regenerate(await openKnown(store, id));
      assert.notEqual(next, id);
      assert.equal(await get(store, id), undefined);
    });
  });
}

function lifetimeContract({ describe, it }: TestRunner, { openStore }: SessionStoreAdapter): void {
  describe('lifetimes', () => {
    it('ends a session that nobody uses, to the millisecond and not to the second', async () => {
      const store = prepare(await openStore(), 300);
      const id = await create(store, { a: 1 });
      assert.ok((await get(store, id)) !== undefined);
      await sleep(700);
      assert.equal(await get(store, id), undefined);
    });

    it('keeps a session that is used', async () => {
      const store = prepare(await openStore(), 3_000);
      const id = await create(store, { a: 1 });
      for (let i = 0; i < 4; i++) {
        await sleep(900);
        await touch(store, await openKnown(store, id));
      }
      assert.deepEqual(await show(store, id), { a: 1 });
    });

    it('has a session live for as long as its cookie says when that was changed, from the next time it is used', async () => {
      const store = prepare(await openStore(), 800);
      const id = await create(store, { a: 1 });
      const session = await openKnown(store, id);
      session.cookie.maxAge = 60_000;
      await touch(store, session);
      await sleep(1_300);
      assert.deepEqual(await show(store, id), { a: 1 });
    });

    it('ends a session that is saved with an end in the past', async () => {
      const store = prepare(await openStore());
      const id = newId();
      const until = (ms: number): never =>
        ({ cookie: { originalMaxAge: null, path: '/', expires: new Date(Date.now() + ms) } }) as never;
      await call((done) => store.set(id, until(60_000), done));
      await call((done) => store.set(id, until(-60_000), done));
      assert.equal(await get(store, id), undefined);
    });

    it('does not bring back an ended session by touching it, when it is time for that', async () => {
      const store = prepare(await openStore(), 2_000);
      const id = await create(store, { a: 1 });
      const session = await openKnown(store, id);
      await sleep(300);
      await destroy(store, id);
      await touch(store, session);
      assert.equal(await get(store, id), undefined);
    });
  });
}

/** Names and values that mean something on the way. */
const ODD = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  ' ',
  '.',
  'c',
  't',
  'x',
  'a.b',
  'é€😀',
  'line\nbreak',
];

function oddContract({ describe, it }: TestRunner, { openStore }: SessionStoreAdapter): void {
  describe('odd names and values', () => {
    it('keeps properties of any name apart, and changes no prototype', async () => {
      const store = prepare(await openStore());
      const id = newId();
      const properties = Object.fromEntries(ODD.map((name, i) => [name, { value: i }]));
      const session = JSON.parse(JSON.stringify({ cookie: { originalMaxAge: null, path: '/' } })) as Record<
        string,
        unknown
      >;
      for (const [name, value] of Object.entries(properties)) {
        Object.defineProperty(session, name, { value, enumerable: true, configurable: true, writable: true });
      }
      await call((done) => store.set(id, session as never, done));
      const found = (await get(store, id)) as unknown as Record<string, unknown>;
      for (const [i, name] of ODD.entries()) {
        assert.deepEqual(Object.getOwnPropertyDescriptor(found, name)?.value, { value: i }, JSON.stringify(name));
      }
      assert.equal(({} as Record<string, unknown>)['value'], undefined);
      assert.ok((await open(store, id)) !== undefined);
    });

    it('keeps text of any kind', async () => {
      const store = prepare(await openStore());
      const texts = [...ODD, 'nul\u0000byte', '"', '\\', '😀'.repeat(1_000), 'x'.repeat(100_000)];
      const id = await create(store, { texts });
      assert.deepEqual(await show(store, id), { texts });
    });

    it('is not changed through what it was given or has given', async () => {
      const store = prepare(await openStore());
      const list = [1];
      const id = await create(store, { list });
      list.push(2);
      ((await get(store, id)) as unknown as { list: number[] }).list.push(3);
      assert.deepEqual(await show(store, id), { list: [1] });
    });
  });
}

function listingContract({ describe, it }: TestRunner, { openStore }: SessionStoreAdapter): void {
  describe('all sessions', () => {
    it('counts and lists each of them once, and clears them', async () => {
      const store = prepare(await openStore());
      for (let i = 0; i < 40; i++) await create(store, { i });
      assert.equal(await call<number>((done) => store.length?.(done)), 40);
      const all = await call<object>((done) => store.all?.(done as never));
      const found = Object.values(all ?? {}).map((session: { i?: number }) => session.i);
      assert.deepEqual(
        found.toSorted((a, b) => Number(a) - Number(b)),
        Array.from({ length: 40 }, (_, i) => i),
      );
      await call((done) => store.clear?.(done));
      assert.equal(await call<number>((done) => store.length?.(done)), 0);
    });
  });
}
