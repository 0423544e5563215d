import { randomUUID } from 'node:crypto';
import type { Letter, LogRecord, WriteLog, WriteLogLimits } from './write-log.ts';

interface Partition {
  readonly records: LogRecord[];
  readonly pending: Map<string, LogRecord>;
  readonly handedOut: Map<string, number>;
  readonly dead: Letter[];
  readonly replaceable: Map<string, string>;
}

/** Records in the memory of this process, and lost with it. There is nobody to share a partition with. */
export function createMemoryWriteLog({ maxPending, maxDeadLetters, collapse }: WriteLogLimits): WriteLog {
  const partitions = new Map<number, Partition>();
  const fence = String(Date.now() * 1_000);
  let count = 0;

  function at(number: number): Partition {
    const partition = partitions.get(number) ?? {
      records: [],
      pending: new Map(),
      handedOut: new Map(),
      dead: [],
      replaceable: new Map(),
    };
    partitions.set(number, partition);
    return partition;
  }

  function add(partition: Partition, record: LogRecord): void {
    partition.records.push(record);
    partition.pending.set(record.key, record);
    partition.replaceable.delete(record.key);
  }

  function forget({ records, pending, handedOut }: Partition, gone: readonly LogRecord[]): void {
    const ids = new Set(gone.map(({ id }) => id));
    for (const { id, key, token } of gone) {
      handedOut.delete(id);
      if (pending.get(key)?.token === token) pending.delete(key);
    }
    records.splice(0, records.length, ...records.filter(({ id }) => !ids.has(id)));
  }

  function isReplaced({ replaceable }: Partition, { key, token }: LogRecord): boolean {
    return replaceable.get(key) !== token;
  }

  function remove({ dead }: Partition, { letter }: Letter): boolean {
    const index = dead.findIndex((other) => other.letter === letter);
    if (index >= 0) dead.splice(index, 1);
    return index >= 0;
  }

  return {
    async append(number, { key, bytes }) {
      const partition = at(number);
      if (partition.records.length >= maxPending) return 0;
      add(partition, { id: `${Date.now()}-${count++}`, token: randomUUID(), key, bytes, isLost: false });
      return partition.records.length;
    },
    latest: async (number, key) => at(number).pending.get(key),
    isAwaited: async () => true, // Nobody else changes the key, and its own changes come one after the other.
    length: async (number) => at(number).records.length,
    async claim(number, size, attempts, hasFailed) {
      const { records, handedOut } = at(number);
      const [head] = records;
      if (head === undefined) return { state: 'empty' };
      const attemptOf = ({ id }: LogRecord): number => Math.max(1, (handedOut.get(id) ?? 0) + (hasFailed ? 1 : 0));
      const attempt = attemptOf(head);
      // Those that were handed out with the head come again with it, and no others.
      const before = records.filter(({ id }) => handedOut.has(id)).length;
      const taken = records.slice(0, attempt > attempts ? 1 : Math.min(size, before === 0 ? size : before));
      for (const record of taken) handedOut.set(record.id, attemptOf(record));
      return { state: 'mine', fence, attempt, records: taken };
    },
    renew: async () => true,
    release: async () => undefined,
    current: async (number, records) =>
      records.filter(({ key, token }) => at(number).pending.get(key)?.token === token),
    async settle(number, _fence, records) {
      const partition = at(number);
      forget(partition, records);
      return partition.records.length;
    },
    async bury(number, _fence, { record, error, attempts }) {
      const partition = at(number);
      if (partition.dead.length >= maxDeadLetters) return 'full';
      if (partition.pending.get(record.key)?.token === record.token) {
        partition.replaceable.set(record.key, record.token);
      }
      partition.dead.push({ ...record, letter: String(count++), error, attempts, isReplaced: false });
      forget(partition, [record]);
      return 'buried';
    },
    async letters(number, after, size) {
      const partition = at(number);
      return partition.dead
        .filter(({ letter }) => after === undefined || Number(letter) > Number(after))
        .slice(0, size)
        .map((letter) => Object.assign({}, letter, { isReplaced: isReplaced(partition, letter) }));
    },
    async revive(number, letter) {
      const partition = at(number);
      const stored = partition.dead.find((other) => other.letter === letter.letter);
      if (stored === undefined) return 'gone';
      const isLast = !isReplaced(partition, letter);
      if (collapse === 'last' && !isLast) {
        remove(partition, letter);
        return 'replaced';
      }
      if (partition.records.length >= maxPending) return 'full';
      remove(partition, letter);
      const { key, bytes, token } = stored;
      const record: LogRecord = { id: `${Date.now()}-${count++}`, key, bytes, token, isLost: false };
      if (isLast) add(partition, record);
      else partition.records.push(record);
      return 'revived';
    },
    async discard(number, letter) {
      const partition = at(number);
      const isLast = !isReplaced(partition, letter);
      if (isLast) partition.replaceable.delete(letter.key);
      return remove(partition, letter);
    },
  };
}
