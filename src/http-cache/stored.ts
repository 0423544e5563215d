import { LRUCache } from 'lru-cache';
import type { Entry } from '../cache/entry.ts';
import type { Found } from '../cache/store.ts';
import { entryKey, urlTag } from '../cache/tags.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Exchange } from './exchange.ts';
import { decodeHead, isForEverybody, isMarker, type ResponseHead } from './response-head.ts';
import type { Stored } from './stale.ts';

/** What was found, if it may be shared with this request and can be sent. */
export function servable(exchange: Exchange, found: Found | undefined): Stored | undefined {
  if (found === undefined || isMarker(found.entry)) return undefined;
  if (exchange.isCredentialed && !isForEverybody(found.entry)) return undefined;
  if (!isUrlAlive(exchange, found.entry)) return undefined;
  const head = headOf(found.entry);
  if (head === undefined || (head.setsCookies && exchange.config.policy.setCookie !== 'store')) return undefined;
  return { ...found, head };
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
