import { type Duration, toMs, toTimerMs, toTtlMs, type Ttl } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';

/** One change, as `write` gets it. */
export type WriteBehindRecord<T> = {
  readonly key: string;
  /** When it was recorded, by the clock of Redis. */
  readonly at: Date;
} & ({ readonly value: T; readonly deleted?: undefined } | { readonly value?: undefined; readonly deleted: true });

/** What `write` is told about its call. */
export interface WriteContext {
  readonly partition: number;
  /**
   * Larger whenever a partition has changed hands. Where a former owner's `write` may still be running when the next one's begins, have the storage refuse a fence
   * below one it has seen for the key.
   */
  readonly fence: number;
  /** 1 the first time these records are written. */
  readonly attempt: number;
  /** Aborted when the partition is lost: what has not been written yet, another process writes. */
  readonly signal: AbortSignal;
}

/** Options of `writeBehind()`. */
export interface WriteBehindOptions<T> {
  /** Writes changes to where they belong, oldest first. They are done when it resolves; when it throws all of them come again. */
  readonly write: (batch: readonly WriteBehindRecord<T>[], context: WriteContext) => unknown;
  /** In how many parts keys are divided; each is written in order, by one process at a time. The same in every process; drain before changing it. Default: 8. */
  readonly partitions?: number | undefined;
  /** How many records `write` gets at most. Default: 100. */
  readonly batchSize?: number | undefined;
  /** How long a record waits at most for others to be written with; less when a batch is full. Default: `1s`. */
  readonly flushInterval?: Duration | undefined;
  /** Whether `write` gets every record, or of several of one key in one batch the last. Default: `last`. */
  readonly collapse?: 'last' | 'none' | undefined;
  /** After so many failures of a batch its records are written one by one, and those that fail are given up. `Infinity`: never. Default: 5. */
  readonly attempts?: number | undefined;
  /** Wait after the first failure; doubled with each further one, 30 s at most. Default: `200ms`. */
  readonly backoff?: Duration | undefined;
  /** How many records of one partition may wait. Default: 10 000. */
  readonly maxPending?: number | undefined;
  /** What `set` does when there are so many: `reject` with a WriteBehindFullError, or `wait` for room. Default: `reject`. */
  readonly onFull?: 'reject' | 'wait' | undefined;
  /** How long it waits for room before it rejects after all. Default: `30s`. */
  readonly maxWait?: Duration | undefined;
  /** How many records of one partition may be given up; with one more the partition waits. Default: 1000. */
  readonly maxDeadLetters?: number | undefined;
  /** So long after a process died others take over what it was writing. Default: `10s`. */
  readonly lease?: Duration | undefined;
  /** Whether this process writes, or only records what others write. Default: `on`. */
  readonly consumer?: 'on' | 'off' | undefined;
  /** How long `close` waits for what is pending to be written. Default: `5s`. */
  readonly closeTimeout?: Duration | undefined;
  /** Lifetime of the cached value. Default: the cache's. */
  readonly ttl?: Ttl | undefined;
  /** What the cached value depends on. */
  readonly tags?: readonly string[] | ((value: T, key: string) => readonly string[]) | undefined;
}

/** {@link WriteBehindOptions} with every default in place. */
export interface WriteBehindConfig<T> {
  readonly name: string;
  readonly write: WriteBehindOptions<T>['write'];
  readonly partitions: number;
  readonly batchSize: number;
  readonly flushMs: number;
  readonly collapse: 'last' | 'none';
  readonly attempts: number;
  readonly backoffMs: number;
  readonly maxPending: number;
  readonly onFull: 'reject' | 'wait';
  readonly maxWaitMs: number;
  readonly maxDeadLetters: number;
  readonly leaseMs: number;
  readonly isConsumer: boolean;
  readonly closeTimeoutMs: number;
  readonly ttl: Ttl | undefined;
  readonly tags: WriteBehindOptions<T>['tags'];
}

const NAMES = [
  'write',
  'partitions',
  'batchSize',
  'flushInterval',
  'collapse',
  'attempts',
  'backoff',
  'maxPending',
  'onFull',
  'maxWait',
  'maxDeadLetters',
  'lease',
  'consumer',
  'closeTimeout',
  'ttl',
  'tags',
] as const;

/**
 * Checks the options of a write-behind.
 *
 * @throws {ConfigError} When the name or an option is wrong.
 */
export function toWriteBehindConfig<T>(name: string, options: WriteBehindOptions<T>): WriteBehindConfig<T> {
  checkOptions('writeBehind', options, NAMES);
  if (typeof name !== 'string' || name === '') {
    throw new ConfigError("writeBehind: its name must be a text, like 'orders': it is part of its Redis keys.");
  }
  if (typeof options.write !== 'function') throw new ConfigError('write: pass a function that writes a batch.');
  const { attempts = 5, ttl, tags } = options;
  return {
    name,
    write: options.write,
    partitions: toCount('partitions', options.partitions ?? 8, 1_024),
    batchSize: toCount('batchSize', options.batchSize ?? 100, 1_000),
    flushMs: toPositiveMs('flushInterval', options.flushInterval ?? '1s'),
    collapse: toWord('collapse', options.collapse ?? 'last', ['last', 'none']),
    attempts: attempts === Infinity ? attempts : toCount('attempts', attempts, 1_000_000),
    backoffMs: toMs(options.backoff ?? '200ms', 'backoff'),
    maxPending: toCount('maxPending', options.maxPending ?? 10_000, 10_000_000),
    onFull: toWord('onFull', options.onFull ?? 'reject', ['reject', 'wait']),
    maxWaitMs: toMs(options.maxWait ?? '30s', 'maxWait'),
    maxDeadLetters: toCount('maxDeadLetters', options.maxDeadLetters ?? 1_000, 10_000_000),
    leaseMs: toLeaseMs(options.lease ?? '10s'),
    isConsumer: toWord('consumer', options.consumer ?? 'on', ['on', 'off']) === 'on',
    closeTimeoutMs: toTimerMs(options.closeTimeout ?? '5s', 'closeTimeout'),
    ttl: checkTtl(ttl),
    tags: checkTags(tags),
  };
}

function toCount(option: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new ConfigError(`${option}: write a whole number from 1 to ${max}.`);
}

function toPositiveMs(option: string, value: Duration): number {
  const ms = toTimerMs(value, option);
  if (ms >= 1) return ms;
  throw new ConfigError(`${option}: write at least '1ms'.`);
}

function toLeaseMs(value: Duration): number {
  const ms = toTimerMs(value, 'lease');
  if (ms >= 500) return ms;
  throw new ConfigError("lease: write at least '500ms', or a process that is busy for a moment loses its partitions.");
}

function toWord<Word extends string>(option: string, value: Word, words: readonly Word[]): Word {
  if (words.includes(value)) return value;
  throw new ConfigError(`${option} is ${words.map((word) => `'${word}'`).join(' or ')}.`);
}

/**
 * The lifetime as it was given.
 *
 * @throws {ConfigError} When it is none.
 */
export function checkTtl(ttl: Ttl | undefined): Ttl | undefined {
  if (ttl !== undefined) toTtlMs(ttl, 'ttl');
  return ttl;
}

/**
 * The tags as they were given.
 *
 * @throws {ConfigError} When they are neither a list nor a function.
 */
export function checkTags<Tags>(tags: Tags): Tags {
  if (tags === undefined || typeof tags === 'function' || Array.isArray(tags)) return tags;
  throw new ConfigError('tags: pass an array of texts, or a function of value and key.');
}
