import type { WriteBehindConfig, WriteBehindRecord } from './write-behind-options.ts';
import type { Letter, WriteLog } from './write-log.ts';
import { toWritten } from './written-records.ts';

/** A record that was given up. */
export type DeadLetter<T> = Partial<Pick<WriteBehindRecord<T>, 'value' | 'deleted'>> & {
  readonly key: string;
  /** When it was recorded. */
  readonly at: Date;
  /** What `write` failed with, the first 500 characters. */
  readonly error: string;
  readonly attempts: number;
  /** Something newer of its key was recorded since. Where only the last counts (`collapse: 'last'`), retrying drops it. */
  readonly isReplaced: boolean;
};

/** Records that were given up. They stay until they are retried or discarded. */
export interface DeadLetters<T> {
  /** All of them, partition by partition, oldest first. */
  deadLetters(): AsyncIterable<DeadLetter<T>>;
  /**
   * Has them written once more, after what waits already; resolves how many. Those that something newer of their key has replaced are dropped, unless `collapse` is `none`. One for which there is no
   * room stays, and so do those behind it in its partition.
   */
  retryDeadLetters(): Promise<number>;
  /** Drops them and resolves how many there were. */
  discardDeadLetters(): Promise<number>;
}

const PAGE = 100;

/** Creates the part of a write-behind that is about dead letters. */
export function createDeadLetters<T>(
  log: WriteLog,
  config: Pick<WriteBehindConfig<T>, 'partitions'>,
  decode: (bytes: Buffer) => T,
): DeadLetters<T> {
  async function* walk(partition: number): AsyncGenerator<Letter> {
    let after: string | undefined;
    for (;;) {
      const page = await log.letters(partition, after, PAGE);
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1)?.letter;
    }
  }

  /** Counts those that come to an end, of what is there now. Letters that come while they are seen to are left for the next time; the values are not needed. */
  async function count(end: string, see: (partition: number, letter: Letter) => Promise<string>): Promise<number> {
    let ended = 0;
    for (let partition = 0; partition < config.partitions; partition++) {
      const letters: Letter[] = [];
      for await (const letter of walk(partition)) letters.push({ ...letter, bytes: undefined });
      for (const letter of letters) {
        const outcome = await see(partition, letter);
        if (outcome === 'full') break; // The next one of its key would overtake it.
        if (outcome === end) ended++;
      }
    }
    return ended;
  }

  return {
    async *deadLetters() {
      for (let partition = 0; partition < config.partitions; partition++) {
        for await (const letter of walk(partition)) yield toDeadLetter(letter, decode);
      }
    },
    retryDeadLetters: () => count('revived', log.revive),
    discardDeadLetters: () =>
      count('discarded', async (partition, letter) => ((await log.discard(partition, letter)) ? 'discarded' : 'gone')),
  };
}

function toDeadLetter<T>(letter: Letter, decode: (bytes: Buffer) => T): DeadLetter<T> {
  const { key, id, error, attempts, isReplaced } = letter;
  const known = { key, at: new Date(Number(id.split('-')[0])), error, attempts, isReplaced };
  try {
    return { ...toWritten(letter, decode), ...known };
  } catch {
    return known; // The value is what is wrong with it.
  }
}
