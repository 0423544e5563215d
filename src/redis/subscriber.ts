import { isCluster, type RedisClient } from './client.ts';
import { outliveFailovers, stopLookingAtEnd } from './follow-failovers.ts';

/** Listens on one channel through a second connection, opened on first need. */
export interface Subscriber {
  /** Starts listening. Calling it again does nothing. */
  start(): void;
  /** Closes the second connection. `start` would open another. */
  close(): void;
}

/** Creates a listener that is not connected yet. What it misses while disconnected is lost, so nothing may rely on it for correctness. */
export function createSubscriber(
  client: RedisClient,
  channel: string,
  onMessage: (message: string) => void,
): Subscriber {
  let connection: RedisClient | undefined;

  function close(): void {
    closersOf(client).delete(close);
    connection?.disconnect();
    connection = undefined;
  }

  return {
    start() {
      if (connection !== undefined) return;
      closersOf(client).add(close); // Whoever ends the first connection expects the process to be free to exit.
      connection = isCluster(client)
        ? client.duplicate([], { lazyConnect: false, enableOfflineQueue: true })
        : client.duplicate({ lazyConnect: false, enableOfflineQueue: true, maxRetriesPerRequest: null });
      if (isCluster(connection)) stopLookingAtEnd(connection);
      else outliveFailovers(connection);
      connection.on('error', ignore);
      connection.on('message', (_channel: string, message: string) => onMessage(message));
      connection.subscribe(channel).catch(ignore); // ioredis subscribes again by itself after every reconnect.
    },
    close,
  };
}

const closers = new WeakMap<RedisClient, Set<() => void>>();

/** What to call when a client ends: one listener on it, however many prefixes it serves. */
function closersOf(client: RedisClient): Set<() => void> {
  const known = closers.get(client);
  if (known !== undefined) return known;
  const created = new Set<() => void>();
  closers.set(client, created);
  client.on('end', () => {
    if (client.status !== 'connecting') created.forEach((close) => close()); // It may be on its way again.
  });
  return created;
}

function ignore(): void {
  // The caller's own connection reports outages.
}
