import type { Connection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import type { Locks } from './locks.ts';
import { createMemoryLocks } from './memory-locks.ts';
import { createRedisLocks } from './redis-locks.ts';

export type { Lock, Locks } from './locks.ts';

/** Where locks live. */
export interface LockPlace {
  /** Absent on the embedded backend. */
  readonly connection: Connection | undefined;
  readonly keys: Pick<Keys, 'lock' | 'fence'>;
}

const known = new WeakMap<LockPlace, Locks>();

/** The locks of a place: the same ones for all that ask. */
export function createLocks(place: LockPlace): Locks {
  const { connection, keys } = place;
  const locks =
    known.get(place) ?? (connection === undefined ? createMemoryLocks() : createRedisLocks(connection, keys));
  known.set(place, locks);
  return locks;
}
