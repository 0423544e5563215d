import { randomInt } from 'node:crypto';
import { noFallback } from '../redis/guard.ts';
import { mayReadReplicas, nodeOf } from '../redis/client.ts';
import type { Connection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { createSubscriber } from '../redis/subscriber.ts';
import { bumpRegister } from './bump-register.lua.ts';
import { createServerClock } from './clock.ts';
import type { Stamp } from './mirror.ts';
import { readRegister } from './read-register.lua.ts';
import { type Purge, toMember } from './records.ts';
import { type Bump, MAX_RECORDS, MAX_SCANNED_PURGES, type Register, RETENTION_MS } from './register.ts';
import { type BumpReply, type RegisterPage, toBumpReply, toRegisterPage } from './register-reply.ts';
import { createRegisterSync, type RegisterReads } from './register-sync.ts';
import { createUnconfirmedPurges } from './unconfirmed.ts';

const RETRY_INTERVAL_MS = 250;

export interface RedisRegisterOptions {
  readonly connection: Connection;
  readonly keys: Pick<Keys, 'register' | 'news'>;
  /** 0: every read asks. Above: at most one question per so many milliseconds, and no process is behind by more. */
  readonly maxStalenessMs: number;
  /** Records kept at most. Default: {@link MAX_RECORDS}. */
  readonly maxRecords?: number;
  /** How long records are kept. Default: {@link RETENTION_MS}. */
  readonly retentionMs?: number;
}

/** The register in Redis, with this process' mirror of it. */
export function createRedisRegister({
  connection,
  keys,
  maxStalenessMs,
  maxRecords = MAX_RECORDS,
  retentionMs = RETENTION_MS,
}: RedisRegisterOptions): Register {
  const { client, guard } = connection;
  const clock = createServerClock();
  const unconfirmed = createUnconfirmedPurges();
  const subscriber = createSubscriber(client, keys.news, (told) => sync.tell(Number(told)));
  let retry: NodeJS.Timeout | undefined;
  let isOpen = false;

  connection.onReconnect(() => {
    sync.distrust();
    if (sync.mirror !== undefined) void sync.refresh(); // Without waiting for a reader: what was lost is not heeded elsewhere until it is written again.
  });

  async function sendBump(
    members: readonly string[],
    minClock: number,
    raiseFloorTo: number | 'clock',
  ): Promise<BumpReply> {
    const sentAt = performance.now();
    const args = {
      channel: keys.news,
      newGeneration: randomInt(1, 2 ** 47),
      minClock,
      raiseFloorTo,
      retentionUs: retentionMs * 1_000,
      cap: maxRecords,
    };
    const reply = toBumpReply(await bumpRegister(client, { register: keys.register }, args, members));
    clock.observe(reply.timeUs / 1_000, sentAt);
    return reply;
  }

  /** On Cluster the register may have been answered for by another master than before, which may have lost writes. */
  let node: string | undefined;
  function compareNode(): void {
    const current = nodeOf(client, keys.register);
    if (node !== undefined && node !== current) sync.distrust();
    node = current;
  }

  async function readPage(from: number | '-inf', limit: number): Promise<RegisterPage> {
    const reply = mayReadReplicas(client)
      ? await readRegister(client, { register: keys.register }, { from, limit })
      : await client.zrangebyscore(keys.register, from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit);
    compareNode();
    return toRegisterPage(reply);
  }

  const reads: RegisterReads = {
    page: (from, limit) =>
      guard({ operation: 'read invalidations', key: keys.register, fallback: () => undefined }, () =>
        readPage(from, limit),
      ),
    bump: (members, minClock, floor) =>
      guard({ operation: 'open the register', key: keys.register, fallback: () => undefined }, () =>
        sendBump(members, minClock, floor),
      ),
  };
  const sync = createRegisterSync({
    reads,
    maxStalenessMs,
    atEndOfTurn: connection.turn.atEnd,
    deadlineMs: connection.deadlineMs,
    onSynced: () => {
      limitScannedPurges();
      if (maxStalenessMs > 0 && isOpen) subscriber.start();
      if (clock.isOld) void keepTime();
    },
  });

  /** A bump of nothing only reads the time. */
  async function keepTime(): Promise<void> {
    clock.postpone();
    await reads.bump([], 0, 0);
  }

  async function write(purges: readonly Purge[]): Promise<Bump> {
    const everything = purges.some(({ mode, kind }) => mode === 'hard' && kind === 'everything');
    const members = purges.filter(({ mode, kind }) => mode === 'soft' || kind !== 'everything').map(toMember);
    const reply = await guard({ operation: 'invalidate', key: keys.register, fallback: noFallback }, () =>
      sendBump(members, sync.mirror?.newestClock ?? 0, everything ? 'clock' : 0),
    );
    sync.applyOwn(members, reply);
    if (sync.mirror === undefined) void sync.refresh(); // Who never reads must know what he has written, to repair what a failover loses of it.
    const floor = limitScannedPurges();
    if (floor > 0) void reads.bump([], 0, floor);
    const { generation, clock: bumped, previousClock } = reply;
    return { generation, clock: bumped, previousClock };
  }

  /** Here as well as where they are written: a process that never reads knows of no others than its own. */
  function limitScannedPurges(): number {
    const floor = sync.mirror?.overflowOf(MAX_SCANNED_PURGES) ?? 0;
    sync.mirror?.raiseFloor(floor);
    return floor;
  }

  function retryLater(): void {
    retry ??= setTimeout(() => {
      retry = undefined;
      const purges = unconfirmed.list();
      if (purges.length === 0) return;
      write(purges).then(
        () => unconfirmed.confirm(purges),
        () => retryLater(),
      );
    }, RETRY_INTERVAL_MS).unref();
  }

  function owe(purges: readonly Purge[]): void {
    unconfirmed.add(purges);
    retryLater();
  }

  let latest: Stamp | undefined;

  return {
    owe,
    refresh: sync.refresh,
    judge(stamp, describe) {
      if (unconfirmed.size > 0 && unconfirmed.hits(describe())) return 'dead';
      return sync.mirror?.judge(stamp, describe) ?? 'dead';
    },
    blame(stamp, describe) {
      if (unconfirmed.size > 0 && unconfirmed.hits(describe()))
        return ['an invalidation that Redis has not confirmed yet'];
      return sync.mirror?.blame(stamp, describe) ?? [];
    },
    stamp() {
      const { mirror } = sync;
      if (mirror === undefined) return undefined;
      // The same object while nothing changes: every read takes one.
      if (latest?.clock !== mirror.syncedClock || latest.generation !== mirror.generation) {
        latest = { generation: mirror.generation, clock: mirror.syncedClock };
      }
      return latest;
    },
    async invalidate(purges) {
      try {
        return await write(purges);
      } catch (error) {
        owe(purges);
        throw error;
      }
    },
    now: clock.now,
    open() {
      isOpen = true;
    },
    close() {
      isOpen = false; // Purges that are not confirmed yet are still written.
      subscriber.close();
    },
  };
}
