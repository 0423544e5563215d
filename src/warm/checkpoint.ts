import type { Place } from '../register/place.ts';

/** How far a run has come that did not end. */
export interface Checkpoint {
  /** All items before this one are finished, failed ones included. */
  readonly next: number;
  /** Names the last of them: the items may be others now. */
  readonly lastId: string;
  readonly done: number;
  readonly failed: number;
}

/** Keeps how far the runs of a name have come. Nothing rests on it: what is lost is gone through again, and found to be there. Never rejects. */
export interface Checkpoints {
  read(): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<unknown>;
  drop(): Promise<unknown>;
}

/** What was warmed longer ago may have ended. */
const KEPT_MS = 3_600_000;

/** Creates the keeper of a name's checkpoints; without Redis there is none, because what is warmed ends with the process too. */
export function createCheckpoints({ connection, keys }: Pick<Place, 'connection' | 'keys'>, name: string): Checkpoints {
  if (connection === undefined) {
    return { read: async () => undefined, save: async () => undefined, drop: async () => undefined };
  }
  const { client, guard } = connection;
  const key = keys.warming(name);
  const fallback = (): undefined => undefined;
  return {
    async read() {
      const text = await guard({ operation: 'read warming', key, fallback }, () => client.get(key));
      return typeof text === 'string' ? toCheckpoint(text) : undefined;
    },
    save: (checkpoint) =>
      guard({ operation: 'save warming', key, fallback }, () =>
        client.set(key, JSON.stringify(checkpoint), 'PX', KEPT_MS),
      ),
    drop: () => guard({ operation: 'end warming', key, fallback }, () => client.del(key)),
  };
}

function toCheckpoint(text: string): Checkpoint | undefined {
  try {
    const found = JSON.parse(text) as Checkpoint;
    const { next, lastId, done, failed } = found;
    return [next, done, failed].every(Number.isSafeInteger) && typeof lastId === 'string' ? found : undefined;
  } catch {
    return undefined;
  }
}
