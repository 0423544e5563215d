import type { ClusterOptions, RedisOptions } from 'ioredis';

/** How patient a connection is. `production` gives up on what hangs soon, `development` allows for breakpoints and slow starts. */
export type RedisPreset = 'development' | 'production';

/** Both presets. All times in milliseconds. */
interface Pace {
  /** First pause before connecting again; doubles up to {@link LONGEST_PAUSE_MS}. */
  readonly firstPauseMs: number;
  readonly connectTimeout: number;
  /** Silence after which a connection with unanswered commands counts as dead. */
  readonly socketTimeout: number;
  readonly slotsRefreshTimeout: number;
  readonly showFriendlyErrorStack: boolean;
}

/** Once Redis is back, nobody waits longer than this before the next attempt. */
const LONGEST_PAUSE_MS = 500;

/** A server that is still loading its data is asked again so often. */
const LOADING_PAUSE_MS = 250;

/** A command waits through so many attempts to connect, about two seconds at the longest pause, and then fails. */
const ATTEMPTS_PER_COMMAND = 3;

const PACES: Readonly<Record<RedisPreset, Pace>> = {
  production: {
    firstPauseMs: 25,
    // A lost SYN is repeated by the kernel after 1 s. Ending the attempt half a second later leaves no gap above a second.
    connectTimeout: 1_500,
    socketTimeout: 2_000,
    slotsRefreshTimeout: 700, // Of six nodes asked who is master one may be the frozen one.
    showFriendlyErrorStack: false, // It takes a stack trace for every command.
  },
  development: {
    firstPauseMs: 100,
    connectTimeout: 5_000,
    socketTimeout: 10_000,
    slotsRefreshTimeout: 5_000,
    showFriendlyErrorStack: true,
  },
};

/** Options of one connection to one server. */
export function connectionOptions(preset: RedisPreset): RedisOptions {
  const { firstPauseMs, connectTimeout, socketTimeout, showFriendlyErrorStack } = PACES[preset];
  return {
    connectionName: 'express-redis-suite',
    family: 0,
    connectTimeout,
    socketTimeout,
    showFriendlyErrorStack,
    disconnectTimeout: 200, // A server that does not answer our goodbye must not delay the next connection.
    keepAlive: 10_000,
    maxLoadingRetryTime: LOADING_PAUSE_MS,
    maxRetriesPerRequest: ATTEMPTS_PER_COMMAND,
    retryStrategy: (attempt) => pauseBefore(attempt, firstPauseMs),
    reconnectOnError: createReadOnlyReaction(),
  };
}

/** Options that matter where sentinels tell who the master is. */
export function sentinelOptions(preset: RedisPreset): RedisOptions {
  const { firstPauseMs, connectTimeout } = PACES[preset];
  const pause = (attempt: number): number => pauseBefore(attempt, firstPauseMs);
  return {
    failoverDetector: true, // Sentinels announce the new master: no waiting until the old one's silence is noticed.
    sentinelRetryStrategy: pause,
    sentinelReconnectStrategy: pause,
    sentinelCommandTimeout: connectTimeout,
  };
}

/** Options of a Cluster as a whole. */
export function clusterOptions(preset: RedisPreset): ClusterOptions {
  const { firstPauseMs, slotsRefreshTimeout, showFriendlyErrorStack } = PACES[preset];
  return {
    showFriendlyErrorStack,
    slotsRefreshTimeout,
    slotsRefreshInterval: 5_000,
    clusterRetryStrategy: (attempt) => pauseBefore(attempt, firstPauseMs),
  };
}

/** Doubles from the first pause to the longest. Half of it is random, so that a thousand processes do not come back at the same moment. */
function pauseBefore(attempt: number, firstPauseMs: number): number {
  const pauseMs = Math.min(LONGEST_PAUSE_MS, firstPauseMs * 2 ** Math.min(attempt - 1, 10));
  return Math.round(pauseMs * (0.5 + Math.random() / 2));
}

const RESEND = 2;
const READ_ONLY = /^READONLY |-READONLY /; // The second form is Redis 6 quoting it from inside a script.
const READ_ONLY_PAUSE_MS = 1_000;

/**
 * After a failover we may still talk to what is a replica now: it refuses writes with READONLY. Connecting again finds the master. What was
 * refused had no effect, so it is sent again. At most once a second, else a client pointed at a replica would only ever reconnect.
 */
function createReadOnlyReaction(): (error: Error) => false | typeof RESEND {
  let quietUntil = 0;
  let isTurnOfReconnect = false;
  return (error) => {
    if (!READ_ONLY.test(error.message)) return false;
    if (isTurnOfReconnect) return RESEND;
    if (performance.now() < quietUntil) return false;
    quietUntil = performance.now() + READ_ONLY_PAUSE_MS;
    isTurnOfReconnect = true;
    setImmediate(() => {
      isTurnOfReconnect = false;
    });
    return RESEND;
  };
}
