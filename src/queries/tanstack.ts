import { checkOptions } from '../core/options.ts';
import { ConfigError } from '../core/errors.ts';
import type { DataCache, LoadContext, LoadOptions } from '../data/data-cache.ts';
import type { Loads } from './loads.ts';

export { staleTimeOf } from './stale-time.ts';

/** TanStack Query's name of a query: a list of what JSON can say. */
export type QueryKey = readonly unknown[];

/** Whose query it is. */
export interface QueryKeyScope {
  /** One user's, who then shares it with nobody. A browser's `queryKey` needs no user; on a server, where all share one cache, what is personal does. Default: everybody's. */
  readonly user?: string | undefined;
}

/** Options of {@link createQueryOptions}, besides those of `getOrSet`. */
export interface QueryOptionsInput<T, Key extends QueryKey> extends Omit<LoadOptions<T>, 'signal'>, QueryKeyScope {
  readonly queryKey: Key;
  /** Makes the value when the cache has none. There is no context where an older entry is of no use. */
  readonly load: (context?: LoadContext<T>) => T | Promise<T>;
}

/** What `prefetchQuery`, `fetchQuery` and `useQuery` take. */
export interface CachedQueryOptions<T, Key extends QueryKey> {
  readonly queryKey: Key;
  readonly queryFn: (context?: { readonly signal?: AbortSignal }) => Promise<T>;
  /** Milliseconds for which the cache takes what `queryFn` last resolved for fresh, counted from then; 0 before. */
  readonly staleTime: () => number;
}

/**
 * Options of a TanStack query on the server whose data come from the data cache, and are stale when the cache's are.
 *
 * @throws {ConfigError} When the queryKey is not a list of what JSON can say, or the user no text.
 */
export function createQueryOptions<T, const Key extends QueryKey>(
  data: Loads & Pick<DataCache, 'ttl'>,
  options: QueryOptionsInput<T, Key>,
): CachedQueryOptions<T, Key> {
  const { queryKey, load, user, ...kept } = options;
  const key = keyPrefixOf(queryKey, { user });
  let freshMs = 0;
  return {
    queryKey,
    async queryFn({ signal } = {}) {
      // Both leave together. The time that was left before is never longer than what was then read is fresh.
      const startedAt = performance.now();
      const [before, value] = await Promise.all([data.ttl(key), data.getOrSet<T>(key, load, { ...kept, signal })]);
      const elapsedMs = performance.now() - startedAt;
      freshMs = before === undefined ? ((await data.ttl(key)) ?? 0) : Math.max(0, before - elapsedMs);
      return value;
    },
    staleTime: () => freshMs,
  };
}

/**
 * What the cache keys of a query, and of all queries whose key begins with the same elements, begin with: `invalidate({ prefix: keyPrefixOf(['orders']) })`. Elements are compared as
 * TanStack Query does, by JSON with sorted properties, but as a whole: `{ page: 1 }` does not stand for `{ page: 1, sort: 'name' }`.
 *
 * @throws {ConfigError} When the queryKey is not a list of what JSON can say, or the user no text.
 */
export function keyPrefixOf(queryKey: QueryKey, scope: QueryKeyScope = {}): string {
  checkOptions('keyPrefixOf', scope, ['user']);
  const { user } = scope;
  if (!Array.isArray(queryKey)) throw new ConfigError("queryKey must be a list, such as ['orders', 7].");
  if (user !== undefined && (typeof user !== 'string' || user === '')) {
    throw new ConfigError('user must be a text that is not empty. Leave it out where everybody may see the same.');
  }
  // Every element ends with a comma, so that [1] begins no [12].
  const elements = queryKey.map((element) => `${hashOf(element)},`);
  return ['tanstack:', ...(user === undefined ? [] : [`user:${JSON.stringify(user)},`]), ...elements].join('');
}

/** TanStack Query's own rule. In a list, because there JSON has a text for everything. */
function hashOf(element: unknown): string {
  return JSON.stringify([element], (_name, value: unknown) => {
    if (isPlain(value)) return sorted(value);
    const isNoNumber = typeof value === 'number' && !Number.isFinite(value); // JSON says null.
    const isOther = ['object', 'function', 'symbol', 'bigint'].includes(typeof value) || isNoNumber;
    if (Array.isArray(value) || value === null || !isOther) return value;
    // What a browser may confuse is its own: here it is everybody's.
    throw new ConfigError(
      'queryKey: JSON cannot tell a Map, a function, NaN or the like from others. Name it by plain data.',
    );
  }).slice(1, -1);
}

function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function isPlain(value: unknown): value is object {
  if (Object.prototype.toString.call(value) !== '[object Object]') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
