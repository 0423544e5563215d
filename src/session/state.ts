import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../core/errors.ts';
import { createMemoryRegister } from '../register/memory-register.ts';
import type { Connection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import type { Place } from '../register/place.ts';
import { createRedisRegister } from '../register/redis-register.ts';
import { type SessionCookie, toSessionCookie } from './cookie.ts';
import { createEngine, type EngineParts, type SessionEngine } from './engine.ts';
import { createHashRecords } from './hash-records.ts';
import { createJsonRecords } from './json-records.ts';
import { createMemoryRecords } from './memory-records.ts';
import { createMigratingRecords } from './migrating-records.ts';
import { type SessionConfig, type SessionOptions, toSessionConfig } from './options.ts';
import type { SessionRecords } from './records.ts';
import { createSessionStatistics, type SessionCounters } from './statistics.ts';
import { createMemoryUserIndex, createRedisUserIndex } from './user-index.ts';
import { createSessionWatch, type SessionWatch } from './watch.ts';

/** The sessions of one place: what middleware, stores and managers on it share. */
export interface SessionState {
  readonly place: Place;
  readonly options: SessionOptions;
  readonly engine: SessionEngine;
  readonly watch: SessionWatch;
  /** @throws {ConfigError} When there is no secret. */
  cookie(): SessionCookie;
}

const states = new WeakMap<Place, SessionState>();

/** The longest a revocation is remembered where no absolute timeout bounds how long it matters. */
const REVOCATION_MS = 400 * 86_400_000;

/**
 * The sessions of a place. Who comes first configures them; whoever comes later may repeat that, or give nothing.
 *
 * @throws {ConfigError} When an option is wrong, or is not what was given before.
 */
export function sessionsOf(place: Place, options: SessionOptions, factory: string): SessionState {
  const existing = states.get(place);
  if (existing !== undefined) {
    checkSame(existing.options, options, factory);
    return existing;
  }
  const state = open(place, options, factory);
  states.set(place, state);
  return state;
}

/** What happened to the sessions of a place; zeros where nobody has any. */
export function sessionStatisticsOf(place: Place): SessionCounters {
  return (states.get(place)?.engine.statistics ?? createSessionStatistics()).read();
}

function checkSame(existing: SessionOptions, given: SessionOptions, factory: string): void {
  toSessionConfig(given, factory);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || isDeepStrictEqual(value, existing[name as keyof SessionOptions])) continue;
    throw new ConfigError(
      `${factory}: sessions here are already configured without ${name}, or with another one. There is one configuration: give it in one place only.`,
    );
  }
}

function open(place: Place, options: SessionOptions, factory: string): SessionState {
  const config = toSessionConfig(options, factory);
  const { connection, keys, events, memoryBytes } = place;
  const engine = createEngine({
    config,
    events,
    statistics: createSessionStatistics(),
    ...(connection === undefined ? partsInMemory(memoryBytes, config) : partsOn(place, connection, config)),
  });
  const watch = createSessionWatch(engine, connection, keys);
  place.onClose(watch.close);
  let cookie: SessionCookie | undefined;
  return { place, options, engine, watch, cookie: () => (cookie ??= toSessionCookie(options)) };
}

type Kept = Pick<EngineParts, 'records' | 'index' | 'register'>;

function partsInMemory(memoryBytes: number, config: SessionConfig): Kept {
  const records = createMemoryRecords(memoryBytes, config);
  return { records, index: createMemoryUserIndex(records.entriesOf), register: createMemoryRegister() };
}

function partsOn({ keys }: Place, connection: Connection, config: SessionConfig): Kept {
  return {
    records: recordsOn(keys, connection, config),
    index: createRedisUserIndex(connection, keys),
    register: createRedisRegister({
      connection,
      keys: { register: keys.sessionRegister, news: keys.sessionRegisterNews },
      maxStalenessMs: 0,
      retentionMs: Math.min(config.absoluteMs, REVOCATION_MS),
    }),
  };
}

function recordsOn(keys: Keys, connection: Connection, config: SessionConfig): SessionRecords {
  const hash = createHashRecords({ connection, keys, ...config });
  if (!config.migrate) return hash;
  const json = createJsonRecords({ connection, prefix: config.connectRedisPrefix, ...config });
  return createMigratingRecords({ hash, json, ...config });
}
