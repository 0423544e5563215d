import type { Found } from '../cache/store.ts';
import type { KeepSettings, LoadSettings } from './settings.ts';

/** What to do with what is stored: return it, return it and load it anew behind, or load first. */
export type Decision = 'serve' | 'serve-and-refresh' | 'load';

/** Whether a stored value answers a call. */
export function decide(
  found: Found,
  settings: Pick<LoadSettings, 'refreshAhead' | 'revalidateMs' | 'fresh'>,
): Decision {
  if (settings.fresh) return 'load';
  if (found.state === 'fresh') return isDue(found, settings.refreshAhead) ? 'serve-and-refresh' : 'serve';
  return staleBy(found) < settings.revalidateMs ? 'serve-and-refresh' : 'load';
}

/** Whether a stored value may take the place of a load that fails or takes long. */
export function mayStandIn(found: Found, { failSafeMs }: KeepSettings): boolean {
  return staleBy(found) < failSafeMs;
}

/** How a value is kept: `null` and `undefined` for `negativeTtl`, if that is given, and no longer. */
export function keptAs(value: unknown, settings: KeepSettings): KeepSettings {
  const { negativeMs } = settings;
  if (negativeMs === undefined || (value !== null && value !== undefined)) return settings;
  return { ...settings, freshMs: negativeMs, revalidateMs: 0, failSafeMs: 0 };
}

/** How long a value that is stored now is fresh, a random part taken off, and how long it may be stale after that. */
export function lifetimeOf({ freshMs, jitter, revalidateMs, failSafeMs }: KeepSettings): {
  freshMs: number;
  staleMs: number;
} {
  return { freshMs: freshMs * (1 - jitter * Math.random()), staleMs: Math.max(revalidateMs, failSafeMs) };
}

/** Whether a fresh value is to be loaded anew before it ends. `xfetch`: so early, at random, that of many callers about one does. @see Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention (2015) */
function isDue({ entry, ageMs }: Found, refreshAhead: number | 'xfetch' | undefined): boolean {
  if (refreshAhead === undefined) return false;
  if (refreshAhead === 'xfetch') return ageMs - entry.computeMs * Math.log(1 - Math.random()) >= entry.freshMs;
  return ageMs >= refreshAhead * entry.freshMs;
}

/** A purge ended its lifetime, not time. */
export function isSoftlyPurged({ state, ageMs, entry }: Found): boolean {
  return state === 'stale' && ageMs < entry.freshMs;
}

/** Below zero: a purge ended its lifetime, not time. */
function staleBy({ ageMs, entry }: Found): number {
  return ageMs - entry.freshMs;
}
