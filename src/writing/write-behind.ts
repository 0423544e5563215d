import type { Backend } from '../cache/backend.ts';
import { within } from '../core/deadline.ts';
import { type Duration, toMs } from '../core/duration.ts';
import { ConfigError, WriteBehindClosedError } from '../core/errors.ts';
import type { Place } from '../register/place.ts';
import type { ValueCache } from './value-cache.ts';
import { createDeadLetters, type DeadLetters } from './dead-letters.ts';
import { createMemoryWriteLog } from './memory-write-log.ts';
import { createRedisWriteLog } from './redis-write-log.ts';
import { toWriteBehindConfig, type WriteBehindConfig, type WriteBehindOptions } from './write-behind-options.ts';
import { createCacheSide } from './write-cache-side.ts';
import { createWriteConsumer } from './write-consumer.ts';
import { createWriteCounters, type WriteCounts } from './write-counters.ts';
import type { WriteLog } from './write-log.ts';
import { createKeyQueue, createRecorder, partitionOf } from './write-recorder.ts';
import { checkKey, decodeValue, encodeValue } from './write-values.ts';

export type { DeadLetter } from './dead-letters.ts';
export type { WriteBehindOptions, WriteBehindRecord, WriteContext } from './write-behind-options.ts';
export type { WriteCounts } from './write-counters.ts';

/** Changes that are recorded at once and written a little later, many together. */
export interface WriteBehind<T> extends DeadLetters<T> {
  /**
   * Records a value. Once it has resolved the record is in Redis, and whatever process dies it comes to `write`. The cache is told too.
   *
   * @throws {RedisError} When Redis did not confirm it within the deadline. It may be recorded all the same.
   * @throws {WriteBehindFullError} When the partition is full.
   * @throws {WriteBehindClosedError} After `close()`.
   * @throws {TypeError} When the value cannot be stored.
   */
  set(key: string, value: T): Promise<void>;
  /** Records that the key is deleted: `write` gets `{ key, deleted: true }`. Rejects as `set` does. */
  delete(key: string): Promise<void>;
  /** The value that waits to be written, else the cached one. `undefined` when there is neither, the key is being deleted, or Redis is away. */
  get(key: string): Promise<T | undefined>;
  /**
   * How many records wait to be written.
   *
   * @throws {RedisError} When that could not be found out.
   */
  pending(): Promise<number>;
  /**
   * Writes until nothing waits, and resolves whether that came about in time. Default: 30 s.
   *
   * @throws {RedisError} When that could not be found out.
   */
  drain(options?: { readonly timeout?: Duration | undefined }): Promise<boolean>;
  /** Counts since the start of this process. */
  stats(): WriteCounts;
  /** Takes no more, writes what waits as long as `closeTimeout` allows, and ends. What is left then others write, or this application once it is started again. */
  close(): Promise<void>;
}

const namesInUse = new WeakMap<Place, Set<string>>();

/**
 * Creates a write-behind beside a data cache, which it keeps informed.
 *
 * @throws {ConfigError} When an option is wrong, or the name is in use on the same connection and prefix.
 */
export function createWriteBehind<T>(
  backend: Pick<Backend, 'place' | 'events'>,
  cache: Pick<ValueCache, 'get' | 'set' | 'delete'>,
  name: string,
  options: WriteBehindOptions<T>,
): WriteBehind<T> {
  const config = toWriteBehindConfig(name, options);
  const release = occupy(backend.place, name);
  const decode = (bytes: Buffer): T => decodeValue(bytes) as T;
  const log = openLog(backend.place, config);
  const counters = createWriteCounters();
  const { remember, forget } = createCacheSide(cache, config, (error) =>
    backend.events.report(`writeBehind ${name}`, error),
  );
  const consumer = createWriteConsumer<T>({
    config,
    log,
    events: backend.events,
    counters,
    decode,
    remember,
    forget,
  });
  const record = createRecorder(config, log, consumer);
  const inOrder = createKeyQueue();
  const underWay = new Set<Promise<void>>();
  let closing: Promise<void> | undefined;

  /** A key's changes are recorded one after the other, so that their order is that of the calls. */
  function change(key: string, bytes: Buffer | undefined): Promise<void> {
    if (closing !== undefined) return Promise.reject(new WriteBehindClosedError(name));
    const done = inOrder(key, async () => {
      try {
        await record(key, bytes);
      } catch (error) {
        counters.count('rejected', 1);
        throw error;
      }
      counters.count('recorded', 1);
      const at = new Date();
      // Not what the caller gave, which may have changed meanwhile.
      await remember(bytes === undefined ? { key, at, deleted: true } : { key, at, value: decode(bytes) });
      if (bytes !== undefined && !(await isAwaited(key))) await forget(key);
    });
    underWay.add(done);
    const end = (): void => void underWay.delete(done);
    done.then(end, end);
    return done;
  }

  /** If not, another process may have written and cached something newer before this value was cached. */
  function isAwaited(key: string): Promise<boolean> {
    return log.isAwaited(partitionOf(key, config.partitions), key).catch(() => false);
  }

  async function pending(): Promise<number> {
    const lengths = await Promise.all(
      Array.from({ length: config.partitions }, (_, partition) => log.length(partition)),
    );
    return lengths.reduce((sum, length) => sum + length, 0);
  }

  async function drainFor(timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    let isEmpty = false;
    await consumer.drain(async () => {
      isEmpty = (await pending()) === 0;
      return isEmpty || performance.now() > until;
    });
    return isEmpty;
  }

  async function close(): Promise<void> {
    const until = performance.now() + config.closeTimeoutMs;
    await within(config.closeTimeoutMs, Promise.allSettled(underWay), []);
    if (config.isConsumer) await drainFor(until - performance.now()).catch(() => false); // Redis is away: it keeps what it has.
    await consumer.stop(Math.max(0, until - performance.now()));
    release();
  }

  consumer.start();
  return {
    async set(key, value) {
      await change(checkKey(key), encodeValue(key, value));
    },
    async delete(key) {
      await change(checkKey(key), undefined);
    },
    async get(key) {
      const checked = checkKey(key);
      const waiting = log.latest(partitionOf(checked, config.partitions), checked).catch(() => 'unknown' as const);
      const [latest, cached] = await Promise.all([waiting, cache.get<T>(key)]);
      if (latest === 'unknown') return undefined; // What is cached may be older than what waits.
      if (latest === 'settled') return cache.get<T>(key); // What was read beside it may be from before.
      if (latest === undefined) return cached;
      return latest.bytes === undefined ? undefined : decode(latest.bytes);
    },
    pending,
    drain: ({ timeout = '30s' } = {}) => drainFor(toMs(timeout, 'timeout')),
    stats: counters.total,
    close: () => (closing ??= close()),
    ...createDeadLetters<T>(log, config, decode),
  };
}

/** Two of one name in one process would be one owner of two minds. */
function occupy(place: Place, name: string): () => void {
  const names = namesInUse.get(place) ?? new Set();
  namesInUse.set(place, names);
  if (names.has(name)) {
    throw new ConfigError(
      `writeBehind: "${name}" is there already. Create it once and share it, or give it another name.`,
    );
  }
  names.add(name);
  return () => void names.delete(name);
}

function openLog<T>({ connection, keys }: Place, config: WriteBehindConfig<T>): WriteLog {
  return connection === undefined ? createMemoryWriteLog(config) : createRedisWriteLog(connection, keys, config);
}
