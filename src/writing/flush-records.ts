import type { EventBus } from '../core/events.ts';
import { type Hold, holdPartition } from './hold-partition.ts';
import type { WriteBehindConfig, WriteBehindRecord } from './write-behind-options.ts';
import type { WriteCounters } from './write-counters.ts';
import type { Claim, LogRecord, WriteLog } from './write-log.ts';
import { collapseRecords, type DecodedRecord, decodeRecords, toError } from './written-records.ts';

/** What writing records takes. */
export interface FlushParts<T> {
  readonly config: WriteBehindConfig<T>;
  readonly log: WriteLog;
  readonly events: EventBus;
  readonly counters: WriteCounters;
  /** The value in a record; throws when the bytes hold none. */
  decode(bytes: Buffer): T;
  /** Has the cache know what was written. Never rejects. */
  remember(record: WriteBehindRecord<T>): Promise<void>;
  /** Has the cache forget a key. Never rejects. */
  forget(key: string): Promise<void>;
}

/** Records that were claimed, and when that was asked for. */
type Claimed = Extract<Claim, { state: 'mine' }> & { readonly partition: number; readonly askedAt: number };

/** Writes what was claimed; resolves how many records are left (`AGAIN`: go on), or `LEAVE` when the partition is to be left alone for now. */
export type Flush = (claimed: Claimed) => Promise<number>;

interface Attempt {
  readonly partition: number;
  readonly hold: Hold;
  readonly attempt: number;
}

const AGAIN = Infinity;
const LEAVE = -1;
const MAX_BACKOFF_MS = 30_000;
const MAX_ERROR_LENGTH = 500;
const SETTLE_AGAIN_MS = 50;
/** A record that was handed out so often alone, and neither written nor refused, ends the process that writes it. */
const CRASHES = 10;

/** Creates what writes claimed records. Fewer than `keepFrom` that are left are not worth keeping the partition for. A partition enters `failed` when what was claimed is to be claimed as another attempt. */
export function createFlush<T>(
  parts: FlushParts<T>,
  stopped: AbortSignal,
  keepFrom: () => number,
  failed: Set<number>,
): Flush {
  const { config, log, events, counters } = parts;
  const { name, attempts } = config;
  /** By partition, the record that this process has outlived without being rid of it. */
  const survived = new Map<number, string>();

  async function attemptAll(at: Attempt, records: readonly LogRecord[]): Promise<number> {
    const { decoded, broken } = decodeRecords(records, parts.decode);
    if (decoded === undefined) return giveUp(at, broken.record, broken.error);
    const [first] = records;
    if (first !== undefined && at.attempt > attempts + CRASHES && survived.get(at.partition) !== first.id) {
      return giveUp(at, first, new Error('Its process has ended whenever this record was written'));
    }
    return writeAndSettle(at, decoded);
  }

  async function writeAndSettle(at: Attempt, decoded: readonly DecodedRecord<T>[]): Promise<number> {
    const startedAt = performance.now();
    try {
      await write(at, decoded);
    } catch (error) {
      return onFailure(at, decoded, toError(error));
    }
    const left = await settle(at, decoded);
    // Its next owner may have cached something newer before this one cached what it wrote.
    if (left < 0) await Promise.all(decoded.map(({ record }) => parts.forget(record.key)));
    counters.count(left < 0 ? 'lost' : 'written', decoded.length);
    if (left < 0) return LEAVE;
    const durationMs = performance.now() - startedAt;
    events.tell('write:flushed', { name, partition: at.partition, records: decoded.length, durationMs });
    return left;
  }

  /** Reaches the call of the user's function without waiting for anything. */
  async function write({ partition, hold, attempt }: Attempt, decoded: readonly DecodedRecord<T>[]): Promise<void> {
    const all = decoded.map(({ written }) => written);
    const batch = config.collapse === 'last' ? collapseRecords(all) : all;
    await config.write(batch, { partition, fence: Number(hold.fence), attempt, signal: hold.signal });
  }

  /** Asks again when Redis does not answer: what is not settled would be written once more. */
  async function settle({ partition, hold }: Attempt, decoded: readonly DecodedRecord<T>[]): Promise<number> {
    const records = decoded.map(({ record }) => record);
    for (;;) {
      try {
        await updateCache(partition, decoded);
        return await log.settle(partition, hold.fence, records, keepFrom());
      } catch (error) {
        if (!hold.isValid() || stopped.aborted) throw error;
        await sleepUnless(stopped, SETTLE_AGAIN_MS);
      }
    }
  }

  /**
   * What a reader has loaded and cached while the change was pending may be older than it: the cache gets it again. Before it is settled, so that after a crash it is
   * done by whoever writes it again; and only where nothing newer waits.
   */
  async function updateCache(partition: number, decoded: readonly DecodedRecord<T>[]): Promise<void> {
    const records = decoded.map(({ record }) => record);
    const current = new Set(await log.current(partition, records));
    const written = decoded.filter(({ record }) => current.has(record));
    await Promise.all(written.map((one) => parts.remember(one.written)));
  }

  async function onFailure(at: Attempt, decoded: readonly DecodedRecord<T>[], error: Error): Promise<number> {
    const { partition, attempt } = at;
    failed.add(partition);
    counters.count('failures', 1);
    events.tell('write:failed', { name, partition, records: decoded.length, attempt, error });
    const [first] = decoded;
    // Beyond `attempts` it is alone.
    return attempt > attempts && first !== undefined ? giveUp(at, first.record, error) : retryLater(at);
  }

  /** Keeps the partition while it waits: what comes after these records waits with them. */
  async function retryLater({ partition, hold, attempt }: Attempt): Promise<number> {
    failed.add(partition);
    const backoffMs = Math.min(MAX_BACKOFF_MS, config.backoffMs * 2 ** Math.min(attempt - 1, 20));
    await sleepUnless(AbortSignal.any([stopped, hold.signal]), backoffMs);
    return AGAIN;
  }

  /** When there are as many dead letters as may be the partition waits for somebody to look at them: nothing is dropped. */
  async function giveUp(at: Attempt, record: LogRecord, error: Error): Promise<number> {
    const { partition, hold, attempt } = at;
    const [current] = await log.current(partition, [record]);
    if (current !== undefined) await parts.forget(record.key);
    const text = error.message.slice(0, MAX_ERROR_LENGTH);
    const outcome = await log.bury(partition, hold.fence, { record, error: text, attempts: attempt });
    if (outcome === 'lost') return LEAVE;
    survived.set(partition, record.id);
    if (outcome === 'full') return retryLater(at);
    counters.count('dead', 1);
    events.tell('write:dead', { name, partition, key: record.key, error });
    return AGAIN;
  }

  return async function flush({ partition, fence, attempt, records, askedAt }) {
    const hold = holdPartition(log, { partition, fence, leaseMs: config.leaseMs, askedAt });
    try {
      if (!hold.isValid() || records.length === 0) return LEAVE; // Reading the values took too long.
      return await attemptAll({ partition, hold, attempt }, records);
    } finally {
      hold.end();
    }
  };
}

/** Sleeps, less long once the signal is aborted. */
function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener('abort', wake);
  });
}
