import { ConfigError } from '../core/errors.ts';
import { EventBus } from '../core/events.ts';
import { checkClient, type RedisClient } from './client.ts';
import { createGuard, type Guard } from './guard.ts';
import { createTurn, type Turn } from './turn.ts';

const DEFAULT_DEADLINE_MS = 100;
const MAX_IN_FLIGHT = 10_000;

/** What exists once for one ioredis client, however many suites and factories use it. */
export interface Connection {
  readonly client: RedisClient;
  readonly guard: Guard;
  readonly turn: Turn;
  readonly deadlineMs: number;
  /** Tells `redis:degraded`, `redis:recovered`, `cache:error` and `limit:error`. */
  readonly events: EventBus;
  /** Calls back whenever the client may be talking to another server than before. */
  onReconnect(callback: () => void): void;
}

const connections = new WeakMap<RedisClient, Connection>();

/**
 * The shared connection of a client.
 *
 * @throws {ConfigError} When the client cannot be used, or another part already gave it another deadline.
 */
export function connectionOf(client: RedisClient, deadlineMs: number | undefined): Connection {
  const existing = connections.get(client);
  if (existing === undefined) {
    checkClient(client);
    const connection = open(client, deadlineMs ?? DEFAULT_DEADLINE_MS);
    connections.set(client, connection);
    return connection;
  }
  if (deadlineMs !== undefined && deadlineMs !== existing.deadlineMs) {
    throw new ConfigError(
      `deadline: this connection already has one of ${existing.deadlineMs} ms. Give it in one place only.`,
    );
  }
  return existing;
}

function open(client: RedisClient, deadlineMs: number): Connection {
  const events = new EventBus().setMaxListeners(0);
  const callbacks: (() => void)[] = [];
  for (const event of ['ready', '+node', '-node']) client.on(event, () => callbacks.forEach((callback) => callback()));
  const turn = createTurn(client);
  return {
    client,
    turn,
    events,
    deadlineMs,
    onReconnect: (callback) => callbacks.push(callback),
    guard: createGuard({ client, events, turn, deadlineMs, maxInFlight: MAX_IN_FLIGHT }),
  };
}
