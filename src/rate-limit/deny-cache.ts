import { LRUCache } from 'lru-cache';

/** Why and until when a client is refused. Instants are milliseconds of a monotonic clock. */
interface Denial {
  readonly untilMs: number;
  /** What was asked for: less of it may fit in, and more of it later. */
  readonly cost: number;
  /** The limits it was judged by: others may let it in. */
  readonly limits: string;
  /** The store is asked again then: another process may have given something back. */
  readonly askAtMs: number;
}

/** How far this process may be behind a refund, a reset or another limit that came from elsewhere. */
const ASK_AGAIN_MS = 1_000;

/** Clients that this process knows to be refused. It only ever spares a question: losing an entry loses nothing. */
export interface DenyCache<Memory> {
  add(client: string, asked: Pick<Denial, 'cost' | 'limits'>, retryAfterMs: number, memory: Memory): void;
  /** What is remembered, when the client would be refused for certain, and for how long. While the store is away nobody can be asked again: for at least so long. */
  find(
    client: string,
    asked: Pick<Denial, 'cost' | 'limits'>,
    isAway: boolean,
  ): { readonly memory: Memory; readonly retryAfterMs: number } | undefined;
  drop(client: string): void;
  clear(): void;
}

/** Creates an empty one. When it is full the least recently refused go: they are asked about again. */
export function createDenyCache<Memory extends object>(maxClients = 10_000): DenyCache<Memory> {
  const denials = new LRUCache<string, Denial & { readonly memory: Memory }>({ max: maxClients });
  return {
    add(client, { cost, limits }, retryAfterMs, memory) {
      const atMs = performance.now();
      const askAtMs = atMs + Math.min(retryAfterMs, ASK_AGAIN_MS);
      denials.set(client, { cost, limits, untilMs: atMs + retryAfterMs, askAtMs, memory });
    },
    find(client, { cost, limits }, isAway) {
      const denial = denials.get(client);
      if (denial === undefined || limits !== denial.limits) return undefined;
      if (isAway ? cost < denial.cost : cost !== denial.cost) return undefined;
      const nowMs = performance.now();
      if (nowMs >= (isAway ? denial.untilMs : denial.askAtMs)) return undefined;
      return { memory: denial.memory, retryAfterMs: denial.untilMs - nowMs };
    },
    drop: (client) => void denials.delete(client),
    clear: () => denials.clear(),
  };
}
