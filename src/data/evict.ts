import { ConfigError, RedisError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import { checkOptions } from '../core/options.ts';
import type { DataCache } from './data-cache.ts';
import { apply, type Call, createKeying, type TagFunction, toName } from './keying.ts';
import { textOf, type TypedKey } from './typed-key.ts';
import type { LoadingCache } from './wrap.ts';

/** What of the suite decorators use. */
export interface DecoratedSuite {
  readonly data: LoadingCache & Pick<DataCache, 'set'>;
  readonly events: Pick<EventBus, 'report'>;
  invalidate(what: { readonly tags?: readonly string[]; readonly prefix?: string }): Promise<void>;
}

/** {@link CacheEvictOptions} of any method. */
export interface AnyEvictOptions {
  readonly key?: string | TypedKey | ((this: never, ...args: never) => string | TypedKey) | undefined;
  readonly tags?: readonly string[] | TagFunction | undefined;
  readonly all?: string | undefined;
  readonly when?: 'after' | 'before' | undefined;
}

/** Drops what a call of a method makes outdated. */
export interface Evictor {
  readonly when: 'after' | 'before';
  /** Made before the method runs: what is wrong with the key is told before anything is written. */
  prepare(call: Call): (result?: unknown) => Promise<void>;
}

/** @throws {ConfigError} When an option is wrong, or nothing is named. */
export function createEvictor(where: string, suiteOf: () => DecoratedSuite, options: AnyEvictOptions): Evictor {
  checkOptions(where, options, ['key', 'tags', 'all', 'when']);
  const { key, tags, all, when = 'after' } = options;
  if (key === undefined && tags === undefined && all === undefined) {
    throw new ConfigError(`${where} takes what to drop: key, tags, or all: the name that keys begin with.`);
  }
  if (!['after', 'before'].includes(when)) throw new ConfigError(`${where}: when is 'after' or 'before'.`);
  if (when === 'before' && typeof tags === 'function') {
    throw new ConfigError(
      `${where}: before the method runs there is no result to name tags by. Give a list, or a key.`,
    );
  }
  const keying = key === undefined ? undefined : createKeying(where, { key });
  const prefix = all === undefined ? undefined : `${toName(`${where}: all`, all)}:`;

  return {
    when,
    prepare(call) {
      const text = keying === undefined ? undefined : textOf(keying(call));
      return async (result) => {
        const suite = suiteOf();
        await quietly(suite, where, async () => {
          const named =
            typeof tags === 'function' ? apply(tags, { self: call.self, args: [result, ...call.args] }) : tags;
          await drop(suite, text, { ...(named && { tags: named }), ...(prefix !== undefined && { prefix }) });
        });
      };
    },
  };
}

async function drop(
  suite: DecoratedSuite,
  key: string | undefined,
  what: Parameters<DecoratedSuite['invalidate']>[0],
): Promise<void> {
  const isNamed = Object.keys(what).length > 0;
  const ends = await Promise.allSettled([
    key === undefined ? undefined : suite.data.delete(key),
    isNamed ? suite.invalidate(what) : undefined,
  ]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** The method has done what it does, so its caller hears of that. What Redis did not confirm is heeded here and tried again; the guard has told of it. */
export async function quietly(suite: DecoratedSuite, where: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof RedisError)) suite.events.report(where, error);
  }
}
