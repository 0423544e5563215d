import type { CacheEvent, EventBus } from '../core/events.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';

/** Options of {@link createHotKeys}. */
export interface HotKeyOptions {
  /** So many keys are told apart, twice as many at times. Default: 1,000. */
  readonly size?: number | undefined;
}

/** Which keys of the data cache this process asks for most. */
export interface HotKeys {
  /** The most asked for, most first. */
  top(count: number): string[];
  /** Counts no more. */
  stop(): void;
}

const COUNTED = ['cache:hit', 'cache:miss', 'cache:stale'] as const;
/** After so many lookups all counts are halved: what was hot yesterday cools. */
const HALF_LIFE = 100_000;

/**
 * Counts what is asked for, from now on, in bounded memory: a key that makes up more than 1/size of the lookups is never missed. Costs a call per lookup.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function createHotKeys(events: EventBus, options: HotKeyOptions = {}): HotKeys {
  checkOptions('createHotKeys', options, ['size']);
  const { size = 1_000 } = options;
  if (!Number.isSafeInteger(size) || size < 1) throw new ConfigError('createHotKeys: size is a whole number from 1.');
  let counts = new Map<string, number>();
  /** What a key may have been counted before it was forgotten: newcomers begin with that, so that nobody is counted too low. */
  let floor = 0;
  let lookups = 0;

  const sorted = (): [string, number][] => [...counts].toSorted(([, a], [, b]) => b - a);

  function count({ route, key }: CacheEvent): void {
    if (route !== 'data') return;
    counts.set(key, (counts.get(key) ?? floor) + 1);
    if (counts.size > 2 * size) forget();
    if (++lookups % HALF_LIFE === 0) halve();
  }

  function forget(): void {
    const all = sorted();
    floor = all[size]?.[1] ?? floor;
    counts = new Map(all.slice(0, size));
  }

  function halve(): void {
    floor /= 2;
    for (const [key, times] of counts) counts.set(key, times / 2);
  }

  for (const name of COUNTED) events.on(name, count);
  return {
    top: (wanted) =>
      sorted()
        .slice(0, wanted)
        .map(([key]) => key),
    stop: () => COUNTED.forEach((name) => void events.off(name, count)),
  };
}
