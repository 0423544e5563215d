import type { ClientRateLimitInfo } from 'express-rate-limit';
import { NO_BANS } from './ban.ts';
import type { LimiterConfig } from './limiter-options.ts';
import type { LimitPlace } from './place.ts';
import type { Policy } from './policy.ts';
import type { LimitCall } from './store.ts';

/** What a fixed-window store is told. */
export type FixedWindowOptions = Pick<LimiterConfig, 'name' | 'onRedisError' | 'processes'>;

/** Counts hits while Redis is away. Never rejects. */
export interface FixedWindowFallback {
  init(windowMs: number): void;
  increment(name: string): Promise<ClientRateLimitInfo>;
  get(name: string): Promise<ClientRateLimitInfo | undefined>;
  /** Gives a hit back. False: none is counted here. */
  decrement(name: string): Promise<boolean>;
  reset(name: string): Promise<void>;
}

/** More hits than any limit, and none that matters to any but 0. */
const TOO_MANY = Number.MAX_SAFE_INTEGER;
const ONE = 1;
/** Whether it is too many is for express-rate-limit to say. */
const NO_LIMIT = 2 ** 46;
/** When nothing is known: the next try may find Redis again. */
const RETRY_UNKNOWN_MS = 1_000;

/** In the memory of this process, by the rules of a fixed window; or the same answer to all. */
export function createFixedWindowFallback(place: LimitPlace, options: FixedWindowOptions): FixedWindowFallback {
  const { fallback: memory } = place;
  const { statistics } = place.limiter(options.name);
  let windowMs = 60_000;

  function ask(mode: LimitCall['mode'], name: string) {
    return memory.decide({ ...callOf(name, windowMs), mode });
  }

  async function hitsOf(name: string, mode: 'take' | 'peek'): Promise<ClientRateLimitInfo> {
    const { status, views, clockUs } = await ask(mode, name);
    const [view] = views;
    const used = NO_LIMIT - (view?.remaining ?? 0) + (mode === 'take' && status === 'admitted' ? 1 : 0);
    const endsInMs = view === undefined || view.resetAtUs === 0 ? windowMs : (view.resetAtUs - clockUs) / 1_000;
    return { totalHits: shareOf(used, options.processes), resetTime: new Date(Date.now() + endsInMs) };
  }

  function answer(): ClientRateLimitInfo {
    const resetTime = new Date(Date.now() + RETRY_UNKNOWN_MS);
    return { totalHits: options.onRedisError === 'allow' ? ONE : TOO_MANY, resetTime };
  }

  return {
    init(given) {
      windowMs = given;
    },
    async increment(name) {
      statistics.count('withoutRedis');
      return options.onRedisError === 'memory' ? hitsOf(name, 'take') : answer();
    },
    get: async (name) => (options.onRedisError === 'memory' ? hitsOf(name, 'peek') : undefined),
    async decrement(name) {
      const { views } = await ask('peek', name);
      if (views[0]?.resetAtUs === 0) return false;
      await memory.refund(callOf(name, windowMs), { atUs: Infinity, id: '' });
      return true;
    },
    reset: (name) => memory.forget([name]),
  };
}

function callOf(name: string, windowMs: number): LimitCall {
  const windowUs = windowMs * 1_000;
  const policy: Policy = { name: '', algorithm: 'fixed-window', limit: NO_LIMIT, windowUs, cost: 1, detail: 0 };
  const base = { mode: 'take', id: '', conduct: `${name}:!`, names: [name], policies: [policy] } as const;
  return { ...base, countRefused: false, ban: NO_BANS };
}

/** Every hit stands for one in each process, but the first: every process has at least one. */
function shareOf(hits: number, processes: number): number {
  return hits <= 1 ? hits : Math.min(TOO_MANY, hits * processes);
}
