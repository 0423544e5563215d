import { LRUCache } from 'lru-cache';
import type { Entry } from '../cache/entry.ts';
import type { Found } from '../cache/store.ts';
import { entryKey, urlTag } from '../cache/tags.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Exchange } from './exchange.ts';
import { fitsShape } from './request-shape.ts';
import { decodeHead, isForEverybody, isMarkedPublic, isMarker, type ResponseHead } from './response-head.ts';
import type { Stored } from './stale.ts';
import { isTracked } from './track.ts';

/** A class, as all that hits make: see `cache/found`. */
class StoredResponse implements Stored {
  readonly state: Found['state'];
  readonly entry: Entry;
  readonly ageMs: number;
  readonly head: ResponseHead;
  constructor({ state, entry, ageMs }: Found, head: ResponseHead) {
    this.state = state;
    this.entry = entry;
    this.ageMs = ageMs;
    this.head = head;
  }
}

/** What was found, if it may be shared with this request and can be sent. */
export function servable(exchange: Exchange, found: Found | undefined): Stored | undefined {
  if (found === undefined || isMarker(found.entry)) return undefined;
  if (exchange.isCredentialed && !isForEverybody(found.entry)) return undefined;
  if (!isUrlAlive(exchange, found.entry)) return undefined;
  const head = headOf(found.entry);
  if (head === undefined || (head.setsCookies && exchange.config.policy.setCookie !== 'store')) return undefined;
  if (!isPlausible(found.entry, head, exchange.config.maxBytes)) return undefined;
  if (!isForLikesOf(exchange, found.entry, head)) return undefined;
  return new StoredResponse(found, head);
}

/** No route stores larger ones, so what says it is was not stored by it; neither was a part that is not as long as it says. */
function isPlausible({ bodyBytes, freshMs, staleMs }: Entry, { size, part }: ResponseHead, maxBytes: number): boolean {
  if (!Number.isFinite(freshMs + staleMs)) return false;
  return (size ?? bodyBytes) <= maxBytes && (part === undefined || part.last - part.first + 1 === bodyBytes);
}

/** Where handlers are watched: whether it is public, or was made for a request on which earlier middleware had put as much as on this one. */
export function isForLikesOf({ req, res, config }: Exchange, entry: Pick<Entry, 'flags'>, head: ResponseHead): boolean {
  return !isTracked(config) || isMarkedPublic(entry) || fitsShape(req, res, head.shape);
}

/** With a key of the route's own, requests of several URLs share an entry, which carries only the URL of the first: each also heeds purges of its own. */
export function isUrlAlive({ config, key, state }: Exchange, stamp: Stamp): boolean {
  if (config.key === undefined) return true;
  const own = { key: entryKey('h', key.name), tags: [urlTag(key.url)] };
  return state.backend.store.register.judge(stamp, () => own) !== 'dead';
}

/** Heads by their bytes: what is sent many times is read and checked once. */
const heads = new LRUCache<string, ResponseHead>({ max: 1_000 });
const headsInMemory = new WeakMap<Entry, ResponseHead>();

function headOf(entry: Entry): ResponseHead | undefined {
  const known = headsInMemory.get(entry);
  if (known !== undefined) return known;
  const text = entry.metadata.toString('latin1');
  const head = heads.get(text) ?? decodeHead(entry.metadata);
  if (head === undefined) return undefined;
  heads.set(text, head);
  headsInMemory.set(entry, head);
  return head;
}
