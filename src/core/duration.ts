import { ConfigError } from './errors.ts';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A length of time: milliseconds, or a number with its unit: `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${keyof typeof UNITS}`;

/** Named lifetimes, for the common choices. */
export const TTL_PRESETS = {
  short: 60_000,
  medium: 300_000,
  standard: 900_000,
  long: 3_600_000,
  veryLong: 86_400_000,
  week: 604_800_000,
} as const;

/** A lifetime: a {@link Duration}, or a name: `short` 60 s, `medium` 5 min, `standard` 15 min, `long` 1 h, `veryLong` 1 d, `week`. */
export type Ttl = Duration | keyof typeof TTL_PRESETS;

/**
 * Milliseconds of a duration.
 *
 * @throws {ConfigError} When it is not a duration, is negative, or is longer than Redis can count: 285,000 years.
 */
export function toMs(value: Duration, option: string): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) {
    throw new ConfigError(
      `${option}: ${JSON.stringify(value)} is not a duration. Write milliseconds or '250ms', '30s', '5m', '1h', '7d'.`,
    );
  }
  return ms;
}

/** What timers of Node take at most: a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Milliseconds of a duration that a timer is set to.
 *
 * @throws {ConfigError} When it is not a duration, is negative, or is longer than a timer can be: 24 days.
 */
export function toTimerMs(value: Duration, option: string): number {
  const ms = toMs(value, option);
  if (ms > MAX_TIMER_MS) throw new ConfigError(`${option}: a timer takes at most '24d'.`);
  return ms;
}

/**
 * Milliseconds of a lifetime. A bare number below 1000 is refused: elsewhere lifetimes are seconds, and 300 would last a blink.
 *
 * @throws {ConfigError} When it is not a lifetime, is zero, or is a bare number below 1000.
 */
export function toTtlMs(value: Ttl, option: string): number {
  if (typeof value === 'string' && Object.hasOwn(TTL_PRESETS, value)) {
    return TTL_PRESETS[value as keyof typeof TTL_PRESETS];
  }
  const ms = toMs(value as Duration, option);
  if (typeof value === 'number' && value < 1_000) {
    throw new ConfigError(`${option}: ${value} means milliseconds. Write '${value}s' for seconds or '${value}ms'.`);
  }
  if (ms < 1) throw new ConfigError(`${option}: a lifetime must be at least 1 ms.`);
  return ms;
}

/** The same few texts are asked for at every call. */
const parsed = new Map<string, number>();
const MAX_PARSED = 1_000;

function parseDuration(text: string): number | undefined {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) return undefined;
  const ms = Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (parsed.size < MAX_PARSED) parsed.set(text, ms);
  return ms;
}
