import { describe, expect, it } from '@jest/globals';
import { RedisStore } from 'connect-redis';
import { MemoryStore } from 'express-session';
import { AssertionError } from 'node:assert';
import { call, create, prepare } from '../../src/testing/session-steps.ts';
import { sessionStoreContract, type SessionStoreAdapter } from '../../src/testing/testing.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

/** Runs the contract against a store that is known to fail some of it: those tests have to fail, all others have to pass. */
function contractExceptFor(failures: readonly string[], adapter: SessionStoreAdapter): void {
  const declared = new Set<string>();
  let group = '';
  sessionStoreContract(
    {
      describe(name, declare) {
        group = name;
        declare();
      },
      it(name, run) {
        const title = `${group}: ${name}`;
        declared.add(title);
        if (failures.includes(title)) {
          it(`fails at ${title}`, () => expect(run()).rejects.toThrow(AssertionError));
        } else {
          it(`passes ${title}`, () => expect(run()).resolves.toBeUndefined());
        }
      },
    },
    adapter,
  );

  it('fails at tests that there are', () => {
    expect(failures.filter((title) => !declared.has(title))).toEqual([]);
  });
}

const RACES = [
  'does not bring back a session that was destroyed while a request was changing it',
  'does not bring back a session that was regenerated while a request was changing it',
  'does not bring back a new session that was destroyed between two saves',
  'keeps what twenty requests have each put into a property of its own',
  'keeps a property that another request has added while this one removed a second and changed a third',
  'leaves alone what a request has read and not changed',
];

const racesIn = (where: string): string[] => RACES.map((race) => `requests at the same time, ${where}: ${race}`);

describe('connect-redis 8.1 under the contract of session stores', () => {
  const [one, other] = [testRedis(), testRedis()];
  const store = (client: typeof one, prefix: string): RedisStore => new RedisStore({ client, prefix: `${prefix}:` });
  contractExceptFor(
    [
      ...racesIn('one process'),
      ...racesIn('two processes'),
      'lifetimes: ends a session that nobody uses, to the millisecond and not to the second',
    ],
    {
      openStore: () => store(one, uniquePrefix()),
      openPair() {
        const prefix = uniquePrefix();
        return [store(one, prefix), store(other, prefix)];
      },
    },
  );
});

describe('express-session’s MemoryStore under it', () => {
  contractExceptFor(racesIn('one process'), { openStore: () => new MemoryStore() });
});

describe('connect-redis 8.1 on connections of other kinds', () => {
  it('sees none of its sessions behind a keyPrefix', async () => {
    const client = testRedis({ keyPrefix: `${uniquePrefix()}:` });
    const store = prepare(new RedisStore({ client }));
    await create(store, { a: 1 });
    expect(await store.length()).toBe(0);
  });

  it('cannot clear a Cluster', async () => {
    const store = prepare(new RedisStore({ client: testCluster(), prefix: `${uniquePrefix()}:` }));
    for (let i = 0; i < 40; i++) await create(store, { i });
    expect(await call<number>((done) => store.length(done as never))).toBeLessThan(40);
    await expect(store.clear()).rejects.toThrow('CROSSSLOT');
  });
});
