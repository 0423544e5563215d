import type { Store } from 'express-session';
import { randomInt } from 'node:crypto';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { create, destroy, open, prepare, regenerate, save, show, touch } from '../../src/testing/session-steps.ts';

const REQUESTS = 12;

/** What was found where the model has something else. */
interface Deviation {
  readonly found: readonly unknown[];
  readonly wanted: readonly unknown[];
}

/** A request as the model knows it. */
interface Outcome {
  /** What it wrote, when its session was there and was not ended by anybody. */
  readonly wrote?: string;
  readonly ended: boolean;
}

/**
 * Many requests of one session in random order on several processes: each reads it, waits, and writes a property of its own, removes one, touches, ends or regenerates it. The model: once somebody has ended it, nobody
 * finds it again; if nobody has, everything that was written is there.
 */
export async function runInterleavings(stores: readonly Store[], rounds: number): Promise<Deviation[]> {
  for (const store of stores) prepare(store);
  const deviations = await Promise.all(Array.from({ length: rounds }, () => runRound(stores)));
  return deviations.flat();
}

async function runRound(stores: readonly Store[]): Promise<Deviation[]> {
  const first = stores[0] as Store;
  const id = await create(first, { user: 'ada' });
  const mayEnd = randomInt(2) === 0;
  const outcomes = await Promise.all(
    Array.from({ length: REQUESTS }, (_, i) => runRequest(stores[randomInt(stores.length)] as Store, id, i, mayEnd)),
  );
  const found = await Promise.all(stores.map((store) => show(store, id)));
  const isEnded = outcomes.some(({ ended }) => ended);
  const written = outcomes.flatMap(({ wrote }) => (wrote === undefined ? [] : [[wrote, true] as const]));
  const expected = isEnded ? undefined : { user: 'ada', ...Object.fromEntries(written) };
  const wanted = stores.map(() => expected);
  return isDeepStrictEqual(found, wanted) ? [] : [{ found, wanted }];
}

async function runRequest(store: Store, id: string, number: number, mayEnd: boolean): Promise<Outcome> {
  await pause();
  const session = await open(store, id);
  if (session === undefined) return { ended: false };
  await pause();
  switch (randomInt(mayEnd ? 6 : 4)) {
    case 0:
      await touch(store, session);
      return { ended: false };
    case 4:
      await destroy(store, id);
      return { ended: true };
    case 5:
      await regenerate(session);
      return { ended: true };
    default:
      session[`p${number}`] = 1;
      await save(store, session);
      await pause();
      session[`p${number}`] = true;
      await save(store, session);
      return { ended: false, wrote: `p${number}` };
  }
}

async function pause(): Promise<void> {
  const kind = randomInt(3);
  if (kind === 1) await turn();
  if (kind === 2) await sleep(randomInt(8));
}
