import { EventBus } from '../../src/core/events.ts';
import { type RedisError, TimeoutError } from '../../src/core/errors.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { createTurn } from '../../src/redis/turn.ts';
import { createGuard, type Guard } from '../../src/redis/guard.ts';
import { runningTime } from '../support/running-time.ts';

/** What a guarded call came to. */
export interface Outcome {
  /** What Redis answered, or `undefined`. */
  readonly reply?: unknown;
  /** Why it did not. */
  readonly error?: RedisError;
  /** Of running time. */
  readonly tookMs: number;
}

/** A guard with its events written down. */
export interface Guarded {
  readonly guard: Guard;
  /** `degraded redis`, `recovered 127.0.0.1:7000`, in order. */
  readonly incidents: string[];
  /** Calls Redis; never throws. */
  call(key: string, send: () => Promise<unknown>): Promise<Outcome>;
}

export function guarded(client: RedisClient, { deadlineMs = 100, maxInFlight = 10_000 } = {}): Guarded {
  const events = new EventBus();
  const incidents: string[] = [];
  events.on('redis:degraded', ({ node }) => incidents.push(`degraded ${node}`));
  events.on('redis:recovered', ({ node }) => incidents.push(`recovered ${node}`));
  const guard = createGuard({ client, turn: createTurn(client), events, deadlineMs, maxInFlight });
  return {
    guard,
    incidents,
    async call(key, send) {
      const startedAt = runningTime();
      const outcome = await guard({ operation: 'test', key, fallback: (error) => ({ error }) }, async () => ({
        reply: await send(),
      }));
      return { ...outcome, tookMs: runningTime() - startedAt };
    },
  };
}

/** Codes of errors, and `reply` where there was none: what came of many calls at a glance. */
export function summary(outcomes: readonly Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { error } of outcomes) {
    const name = error instanceof TimeoutError ? 'timeout' : (error?.code ?? 'reply');
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Keeps the event loop from doing anything else. */
export function stall(ms: number): void {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
}

/** Waits until something is true, for three seconds at most. */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
  const endsAt = runningTime() + 3_000;
  while (!isTrue()) {
    if (runningTime() > endsAt) throw new Error(`Waited three seconds for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
