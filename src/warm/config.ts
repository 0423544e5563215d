import { toTimerMs } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { Entrance } from '../http/silent-request.ts';
import { sizeOf, type WarmItems, type WarmOptions, type WarmPlan } from './plan.ts';

/** What one run of warming does. */
export interface WarmConfig {
  readonly name: string;
  readonly concurrency: number;
  readonly perSecond: number;
  readonly jitter: number;
  readonly signal: AbortSignal | undefined;
  readonly mayResume: boolean;
  readonly app: Entrance | undefined;
  readonly baseUrl: string | undefined;
  readonly timeoutMs: number;
  readonly total: number | undefined;
  open(): WarmItems;
}

const OPTIONS = ['name', 'concurrency', 'perSecond', 'jitter', 'signal', 'resume', 'app', 'baseUrl', 'timeout'];

/**
 * Puts a plan and options together.
 *
 * @throws {ConfigError} When one of them is wrong.
 */
export function toWarmConfig(given: WarmPlan | WarmItems, options: WarmOptions): WarmConfig {
  const plan = isItems(given) ? { items: given } : given;
  checkOptions('warm', options, OPTIONS);
  checkOptions('definePlan', plan, [...OPTIONS, 'items', 'total']);
  const { items } = plan;
  if (typeof items !== 'function' && !isItems(items)) {
    throw new ConfigError('warm: items must be a list, an iterable, or a function that returns one.');
  }
  const told = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const {
    name = 'default',
    concurrency = 4,
    perSecond = Infinity,
    jitter = 0.1,
    ...rest
  }: WarmOptions = { ...plan, ...told };
  const { resume = 'continue', app, baseUrl, timeout = '30s', signal } = rest;
  if (!Number.isSafeInteger(concurrency) || concurrency < 1)
    throw new ConfigError('warm: concurrency is a whole number from 1.');
  if (!(perSecond > 0)) throw new ConfigError('warm: perSecond is a number above 0.');
  if (!(jitter >= 0 && jitter <= 1)) throw new ConfigError('warm: jitter is a number from 0 to 1.');
  if (!['continue', 'restart'].includes(resume)) throw new ConfigError("warm: resume is 'continue' or 'restart'.");
  if (baseUrl !== undefined && !URL.canParse(baseUrl))
    throw new ConfigError("warm: baseUrl is a URL such as 'https://shop.example'.");
  return {
    name,
    concurrency,
    perSecond,
    jitter,
    signal,
    app,
    baseUrl,
    timeoutMs: toTimerMs(timeout, 'timeout'),
    total:
      plan.total ?? (Array.isArray(items) ? items.reduce((sum: number, item) => sum + sizeOf(item), 0) : undefined),
    // A generator cannot be gone through again when it turns out that its beginning is not what was done before.
    mayResume: resume === 'continue' && (typeof items === 'function' || !isOneShot(items)),
    open: typeof items === 'function' ? items : () => items,
  };
}

function isItems(value: unknown): value is WarmItems {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

function isOneShot(items: WarmItems): boolean {
  return 'next' in items;
}
