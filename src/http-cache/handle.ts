import { toTtlMs, type Ttl } from '../core/duration.ts';
import { toTags } from '../cache/tags.ts';

/** `res.cache`: what a handler of a cached route may say about its response, before it begins to answer. */
export interface ResponseCache {
  /** Adds tags to those of the route. */
  tag(...tags: readonly string[]): ResponseCache;
  /** Takes the place of the route's ttl. */
  ttl(ttl: Ttl): ResponseCache;
  /** Keeps this response out of the cache. */
  skip(): ResponseCache;
  /** It is for whoever asks, and nobody else: keeps it out of the cache, and says so to those further out (`Cache-Control: private`). For what the cache cannot see. */
  private(): ResponseCache;
}

/** What was said. */
export interface HandlerWishes {
  tags: string[];
  ttlMs: number | undefined;
  isSkipped: boolean;
  isPrivate: boolean;
  /** How many caches the request has passed before this one. */
  readonly depth: number;
}

declare global {
  // Express' own place for what middleware adds.
  namespace Express {
    interface Response {
      /** On cached routes: tags, lifetime or refusal for this response. */
      cache: ResponseCache;
    }
  }
}

const wishesOf = new WeakMap<object, HandlerWishes>();

/** A response with more tags is not stored. */
export const MAX_TAGS = 1_000;

/**
 * Where two caches follow each other the inner one decides: it knows the tags, and a copy in the outer one would survive their invalidation. Returns how many
 * there are around this one.
 */
export function takeOver(res: object): number {
  const outer = wishesOf.get(res);
  if (outer === undefined) return 0;
  outer.isSkipped = true;
  return outer.depth + 1;
}

/** Puts `res.cache` on a response. */
export function attachHandle(res: { cache?: ResponseCache }): HandlerWishes {
  const wishes: HandlerWishes = {
    tags: [],
    ttlMs: undefined,
    isSkipped: false,
    isPrivate: false,
    depth: takeOver(res),
  };
  wishesOf.set(res, wishes);
  const handle: ResponseCache = {
    tag(...tags) {
      // How many there are depends on data: too many keep a response out of the cache, they do not break it.
      if (wishes.tags.length + tags.length > MAX_TAGS) wishes.isSkipped = true;
      else wishes.tags.push(...toTags(tags, 'res.cache.tag'));
      return handle;
    },
    ttl(ttl) {
      wishes.ttlMs = toTtlMs(ttl, 'res.cache.ttl');
      return handle;
    },
    skip() {
      wishes.isSkipped = true;
      return handle;
    },
    private() {
      wishes.isPrivate = true;
      return handle;
    },
  };
  res.cache = handle;
  return wishes;
}
