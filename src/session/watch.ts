import type { Connection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { createSubscriber } from '../redis/subscriber.ts';
import type { SessionEngine } from './engine.ts';
import type { SessionRef } from './records.ts';

/** Tells those who hold a connection open for a session when it has ended, in whichever process. */
export interface SessionWatch {
  /** Calls back once when the session has ended. Returns what ends the watch. */
  onEnd(ref: SessionRef, callback: () => void): () => void;
  close(): void;
}

/** News may be lost and sessions may expire: so often every watched session is asked for. */
const POLL_MS = 10_000;

interface Watched {
  readonly ref: SessionRef;
  readonly callbacks: Set<() => void>;
}

/** News travel by pub/sub, on a second connection that is opened with the first watch. What they miss is found by asking. */
export function createSessionWatch(
  engine: SessionEngine,
  connection: Connection | undefined,
  keys: Keys,
): SessionWatch {
  const watched = new Map<string, Watched>();
  let timer: NodeJS.Timeout | undefined;
  const subscriber = connection && createSubscriber(connection.client, keys.sessionNews, endHere);

  function endHere(handle: string): void {
    const callbacks = watched.get(handle)?.callbacks ?? [];
    watched.delete(handle);
    stopIfIdle();
    for (const callback of callbacks) process.nextTick(callback);
  }

  async function poll(): Promise<void> {
    for (const { ref } of watched.values()) {
      // Redis may be away: that does not end a session.
      const isThere = await engine.load(ref).then(
        (found) => found !== undefined,
        () => true,
      );
      if (!isThere) endHere(ref.handle);
    }
  }

  function start(): void {
    subscriber?.start();
    timer ??= setTimeout(() => {
      timer = undefined;
      void poll().then(() => {
        if (watched.size > 0) start();
      });
    }, POLL_MS).unref();
  }

  function stopIfIdle(): void {
    if (watched.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  }

  const watch: SessionWatch = {
    onEnd(ref, callback) {
      const known = watched.get(ref.handle) ?? { ref, callbacks: new Set() };
      watched.set(ref.handle, known);
      known.callbacks.add(callback);
      start();
      return () => {
        known.callbacks.delete(callback);
        if (known.callbacks.size === 0) watched.delete(ref.handle);
        stopIfIdle();
      };
    },
    close() {
      subscriber?.close();
      watched.clear();
      stopIfIdle();
    },
  };
  engine.onEnd((handle) => {
    endHere(handle);
    if (connection !== undefined) publish(connection, keys.sessionNews, handle);
  });
  return watch;
}

/** A courtesy: it may be forbidden to this user, or lost. */
function publish({ client, guard }: Connection, channel: string, message: string): void {
  guard({ operation: 'tell of ended sessions', key: channel, fallback: () => 0 }, () =>
    client.publish(channel, message),
  ).catch(() => undefined);
}
