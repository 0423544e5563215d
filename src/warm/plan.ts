import type { Duration } from '../core/duration.ts';
import type { DataCache, Loader, LoaderOfMany, LoadOptions } from '../data/data-cache.ts';
import type { Entrance } from '../http/silent-request.ts';

/** What values are warmed in. */
export type WarmedCache = Pick<DataCache, 'getOrSet' | 'getOrSetMany'>;

type ItemOptions<T> = Omit<LoadOptions<T>, 'signal' | 'schema'>;

/** One value: loaded unless it is there. `fresh: true` has it loaded whatever is there. */
export interface ValueItem<T = never> extends ItemOptions<T> {
  readonly key: string;
  readonly load: Loader<unknown>;
}

/** Several values that one call loads. */
export interface ValuesItem<T = never> extends Omit<ItemOptions<T>, 'refreshAhead' | 'softTimeout'> {
  readonly keys: readonly string[];
  readonly loadMany: LoaderOfMany<unknown>;
}

/** One response: asked for, so that the cache of its route stores it. */
export interface UrlItem {
  /** A path, or with scheme and host: those are part of what is stored. */
  readonly url: string;
  /** What clients send that the response depends on: `{ 'accept-language': 'de' }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** One thing to warm. */
export type WarmItem = ValueItem | ValuesItem | UrlItem;

/** Things to warm, one after the other. */
export type WarmItems = Iterable<WarmItem> | AsyncIterable<WarmItem>;

/** How things are warmed. */
export interface WarmOptions {
  /** One process at a time warms what has the same name, and goes on where another of that name was interrupted. Default: `default`. */
  readonly name?: string | undefined;
  /** So many at a time. Default: 4. */
  readonly concurrency?: number | undefined;
  /** So many per second at most: keys of a batch count each. Default: no limit. */
  readonly perSecond?: number | undefined;
  /** Part of the lifetimes that is taken off at random, 0 to 1, so that they do not end together. Default: 0.1. */
  readonly jitter?: number | undefined;
  /** Stops it: what is under way ends, for five seconds at most. */
  readonly signal?: AbortSignal | undefined;
  /** `continue`: where an interrupted run has stopped within the last hour. `restart`: from the beginning. Default: `continue`. */
  readonly resume?: 'continue' | 'restart' | undefined;
  /** The Express application whose responses are warmed. Its middleware sees a request from 127.0.0.1. */
  readonly app?: Entrance | undefined;
  /** What paths of `url` items belong to. Without `app` they are asked for there, over the network. Default: `http://localhost`, with `app` only. */
  readonly baseUrl?: string | undefined;
  /** After so long an unanswered `url` item has failed. Default: 30 s. */
  readonly timeout?: Duration | undefined;
}

/** A plan with its options. */
export interface WarmPlan extends Omit<WarmOptions, 'signal'> {
  /** A list, or a function that gives the items: only those can be gone on with after an interruption. A generator is gone through once. */
  readonly items: WarmItems | (() => WarmItems);
  /** How many there are, keys of a batch counted each, where that cannot be seen. */
  readonly total?: number | undefined;
}

/** A plan as a value, checked by the compiler. Options of `warm` go before its own. */
export function definePlan(plan: WarmPlan): WarmPlan {
  return plan;
}

/** How many entries an item is about. */
export function sizeOf(item: WarmItem): number {
  return 'keys' in item && Array.isArray(item.keys) ? item.keys.length : 1;
}
