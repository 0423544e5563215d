import { randomUUID } from 'node:crypto';
import type { Connection } from '../redis/connection.ts';
import { RedisError } from '../core/errors.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import { appendRecord } from './append-record.lua.ts';
import { buryRecord } from './bury-record.lua.ts';
import { claimRecords } from './claim-records.lua.ts';
import { createRedisLetters } from './redis-letters.ts';
import { createPartitionKeys, type NamedRecord, type PartitionKeys } from './redis-log-parts.ts';
import { createRedisLogReads } from './redis-log-reads.ts';
import { renewPartition } from './renew-partition.lua.ts';
import { settleRecords } from './settle-records.lua.ts';
import type { Change, Claim, LogRecord, WriteLog, WriteLogLimits } from './write-log.ts';

/** So long a value waits for its record: a call that timed out may still arrive, but not for ever. */
const WAITING_MS = 60_000;
const RETRIES_OF_READ = 3;

/** Records in Redis: a stream per partition names them in order, and beside it every value is a string of its own. */
export function createRedisWriteLog(connection: Connection, keys: Keys, limits: WriteLogLimits): WriteLog {
  const { client, guard } = connection;
  const { name, leaseMs, maxPending, maxDeadLetters } = limits;
  const reads = createRedisLogReads(client);
  const owner = randomUUID();
  const unanswered = new Set<string>();

  const keysOf = (partition: number): PartitionKeys => createPartitionKeys(keys, name, partition);
  const holderOf = (fence: string): string => `${owner} ${fence}`;

  function ask<Reply>(operation: string, key: string, send: () => Promise<Reply>): Promise<Reply> {
    return guard({ operation, key, fallback: noFallback }, send);
  }

  /** Both commands leave together. The value comes by itself once more if the Cluster was moving its slot and the record came first. */
  async function send(places: PartitionKeys, { key, bytes }: Change): Promise<number> {
    const token = `${bytes === undefined ? 'd' : 'v'}${randomUUID()}`;
    const value = places.value(token);
    const { stream, pending, replaceable } = places;
    const append = async (): Promise<number> =>
      Number(await appendRecord(client, { stream, pending, value, replaceable }, { key, token, maxPending }));
    const set = bytes === undefined ? undefined : client.set(value, bytes, 'PX', WAITING_MS, 'NX');
    const [, length] = await Promise.all([set, append()]);
    return length === -1 ? append() : length;
  }

  async function withBytes(places: PartitionKeys, named: readonly NamedRecord[]): Promise<LogRecord[]> {
    if (named.length === 0) return [];
    const bytes = await reads.values(named.map(({ token }) => places.value(token)));
    return named.map((record, i) => toRecord(record, bytes[i] ?? undefined));
  }

  return {
    async append(partition, change) {
      const places = keysOf(partition);
      // One that timed out may still be on its way: what comes after it must not overtake it.
      if (unanswered.has(change.key)) {
        throw new RedisError('record write', `Redis has not answered a former write of "${change.key}" yet`);
      }
      const length = await ask('record write', places.stream, () => {
        unanswered.add(change.key);
        return send(places, change).finally(() => unanswered.delete(change.key));
      });
      if (length === -1) throw new RedisError('record write', `Redis has lost the value of "${change.key}"`);
      return length;
    },

    async latest(partition, key) {
      const places = keysOf(partition);
      for (let i = 0; i < RETRIES_OF_READ; i++) {
        const [token] = await ask('read pending', places.pending, () => reads.fields(places.pending, [key]));
        if (token === null || token === undefined) return i === 0 ? undefined : 'settled';
        if (token.startsWith('d')) return { key };
        const [bytes] = await ask('read pending', places.stream, () => reads.values([places.value(token)]));
        if (bytes !== null && bytes !== undefined) return { key, bytes };
        // Settled in between, or replaced.
      }
      return 'settled';
    },

    async isAwaited(partition, key) {
      const { pending } = keysOf(partition);
      const [token] = await ask('read pending', pending, () => reads.fields(pending, [key]));
      return typeof token === 'string';
    },

    length(partition) {
      const { stream } = keysOf(partition);
      return ask('count pending', stream, () => reads.length(stream));
    },

    async claim(partition, count, attempts, hasFailed): Promise<Claim> {
      const places = keysOf(partition);
      const { lease, fence, stream } = places;
      const args = { owner, leaseMs, count, attempts: finite(attempts), outcome: hasFailed ? 'failed' : '' };
      const reply = await ask('claim records', stream, () => claimRecords(client, { lease, fence, stream }, args));
      const [held, attempt, ...fields] = reply as string[];
      if (held === 'theirs' || held === 'empty' || held === undefined) return { state: held ?? 'empty' };
      const records = await ask('read values', stream, () => withBytes(places, toNamed(fields)));
      return { state: 'mine', fence: held, attempt: Number(attempt), records };
    },

    renew(partition, fence) {
      const { lease } = keysOf(partition);
      return ask('renew partition', lease, async () => {
        return (await renewPartition(client, { lease }, { holder: holderOf(fence), leaseMs })) === 1;
      });
    },

    async release(partition, fence) {
      const { lease } = keysOf(partition);
      await ask('release partition', lease, () =>
        renewPartition(client, { lease }, { holder: holderOf(fence), leaseMs: 0 }),
      );
    },

    async current(partition, records) {
      const { pending } = keysOf(partition);
      if (records.length === 0) return [];
      const named = records.map(({ key }) => key);
      const tokens = await ask('read pending', pending, () => reads.fields(pending, named));
      return records.filter(({ token }, i) => tokens[i] === token);
    },

    settle(partition, fence, records, keepFrom) {
      const places = keysOf(partition);
      const { lease, stream, pending } = places;
      const values = records.map(({ token }) => places.value(token));
      const named = records.flatMap(({ id, key, token }) => [id, key, token]);
      const args = { holder: holderOf(fence), keepFrom: finite(keepFrom) };
      return ask('settle records', stream, async () =>
        Number(await settleRecords(client, { lease, stream, pending, values }, args, named)),
      );
    },

    async bury(partition, fence, { record, error, attempts }) {
      const { lease, stream, pending, dead, replaceable } = keysOf(partition);
      const { id, key, token } = record;
      const args = { holder: holderOf(fence), id, key, token, error, attempts, maxDead: maxDeadLetters };
      const reply = await ask('bury record', stream, () =>
        buryRecord(client, { lease, stream, pending, dead, replaceable }, args),
      );
      if (reply === -1) return 'lost';
      return reply === 1 ? 'buried' : 'full';
    },

    ...createRedisLetters({ client, reads, ask, keysOf, withBytes, limits }),
  };
}

function toNamed(fields: readonly string[]): NamedRecord[] {
  const records: NamedRecord[] = [];
  for (let i = 0; i + 2 < fields.length; i += 3) {
    records.push({ id: fields[i] ?? '', key: fields[i + 1] ?? '', token: fields[i + 2] ?? '' });
  }
  return records;
}

function toRecord(record: NamedRecord, bytes: Buffer | undefined): LogRecord {
  return { ...record, bytes, isLost: bytes === undefined && !record.token.startsWith('d') };
}

/** Lua knows no Infinity by name. */
function finite(count: number): number {
  return Math.min(count, Number.MAX_SAFE_INTEGER);
}
