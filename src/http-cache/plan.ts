import type { Request, Response } from 'express';
import { dependenciesOf, type EntryDraft } from '../cache/entry.ts';
import { entryKey, toTags, urlTag } from '../cache/tags.ts';
import { hasUsedSession } from '../core/request-marks.ts';
import type { Stamp } from '../register/mirror.ts';
import { isAuthorizedByTheBook } from './bypass.ts';
import type { Exchange } from './exchange.ts';
import { fieldNames } from './field-names.ts';
import { type FieldReader, freshnessOf } from './freshness.ts';
import { groupsIn, groupTag, tagLineOf, tagsIn } from './groups.ts';
import { type HandlerWishes, MAX_TAGS } from './handle.ts';
import { isMarkedPublic, mayStore, type Storage } from './may-store.ts';
import type { CacheConfig } from './options.ts';
import type { Recorded } from './recorded.ts';
import { flagsOf, isNeutral, type StorableHead } from './response-head.ts';
import type { Stored } from './stale.ts';
import type { Tracker } from './track.ts';

/** A response as it is about to be stored: the handler's, or a stored one with the fields of a newer 304. */
export interface Representation {
  readonly status: number;
  readonly reason: string | undefined;
  readonly field: FieldReader;
  readonly headers: StorableHead['headers'];
  readonly removed?: StorableHead['removed'];
}

/** Circumstances of a response. */
export interface Circumstances {
  readonly exchange: Exchange;
  readonly wishes: HandlerWishes;
  readonly tracker: Tracker | undefined;
  /** How long the handler took to begin its answer, in milliseconds. */
  readonly delayMs: number;
}

/** How a response will be stored, once it is known to be whole. */
export interface Plan {
  readonly storage: Storage;
  readonly head: StorableHead;
  readonly tags: readonly string[];
  /** Names of the request headers it varies by, beyond those in the key. */
  readonly varyNames: readonly string[];
  readonly isPublic: boolean;
  readonly isNeutral: boolean;
}

/** Decides whether and how a response may be stored; `undefined` when it may not. What the route's functions read for that is not the handler's reading. */
export function planOf(response: Representation, circumstances: Circumstances): Plan | undefined {
  const { tracker } = circumstances;
  const decide = (): Plan | undefined => decidePlan(response, circumstances);
  return tracker === undefined ? decide() : tracker.pause(decide);
}

function decidePlan(response: Representation, { exchange, wishes, tracker, delayMs }: Circumstances): Plan | undefined {
  const { req, res, config, state, directives } = exchange;
  if (wishes.isSkipped || directives.noStore || hasUsedSession(req)) return undefined;
  const identity = tracker?.identity() ?? 'none';
  if (identity === 'given' || wishes.isPrivate) return undefined;
  const now = state.backend.store.register.now();
  const { field, status } = response;
  const freshness = freshnessOf(field, { now, delayMs }, config.policy);
  const isNeutral = tracker !== undefined && identity === 'none';
  const storage = mayStore(
    {
      status,
      field,
      freshness,
      now,
      handlerTtlMs: wishes.ttlMs,
      mustBeForEverybody: exchange.isCredentialed,
      isAuthorized: isAuthorizedByTheBook(req, config),
      isNeutral,
      mustBeExplicit: req.method === 'POST',
    },
    config,
  );
  if (storage === undefined || !meetsCondition(req, res, config)) return undefined;
  const tags = tagsOf(exchange, wishes, field);
  const varyNames = varyNamesOf(field, tracker, config);
  if (tags === undefined || !state.variants.hasRoom(exchange.key, varyNames, config.maxVariants)) return undefined;
  const shortened = storage.freshMs > 0 ? 1 - config.jitter * Math.random() : 1;
  return {
    storage: { ...storage, freshMs: storage.freshMs * shortened },
    head: {
      ...headOf(
        { ...response, headers: withTags(response.headers, tags, config) },
        storage,
        freshness.initialAgeMs,
        config,
        now,
      ),
      shape: tracker?.shape,
      isForOne: isForOne(field, identity, tracker),
    },
    tags,
    varyNames,
    isPublic: isMarkedPublic(freshness),
    isNeutral,
  };
}

function headOf(
  { status, reason, headers, removed }: Representation,
  storage: Storage,
  initialAgeMs: number,
  { policy }: CacheConfig,
  now: number,
): StorableHead {
  const dropped = new Set(storage.droppedFields);
  if (policy.setCookie !== 'store') dropped.add('set-cookie');
  const kept = headers.filter(([name]) => !dropped.has(name.toLowerCase()));
  const hasDate = kept.some(([name]) => name.toLowerCase() === 'date');
  return {
    status,
    reason: reason === '' ? undefined : reason,
    // RFC 9110 §6.6.1: what has no Date gets that of its arrival.
    removed: removed?.length === 0 ? undefined : removed,
    headers: hasDate ? kept : [...kept, ['Date', new Date(now).toUTCString()]],
    age: initialAgeMs || undefined,
    staleWhileRevalidate: storage.staleWhileRevalidateMs || undefined,
    staleIfError: storage.staleIfErrorMs || undefined,
    revalidate: storage.revalidate,
  };
}

/** All tags of a response; `undefined` when it has more than an entry holds. */
function tagsOf({ req, res, config, key }: Exchange, wishes: HandlerWishes, field: FieldReader): string[] | undefined {
  const routeTags = typeof config.tags === 'function' ? config.tags(req, res) : config.tags;
  const named = tagsIn(field);
  const groups = groupsIn(field('cache-groups')).map((group) => groupTag(key.origin, group));
  if (routeTags.length + wishes.tags.length + named.length + groups.length > MAX_TAGS) return undefined;
  return [...new Set([...toTags(routeTags, 'cache'), ...wishes.tags, ...toTags(named, 'cache'), ...groups])];
}

/** Told to caches further out on every hit, as on the first answer. */
function withTags(
  headers: StorableHead['headers'],
  tags: readonly string[],
  { tagField }: CacheConfig,
): StorableHead['headers'] {
  const line = tagLineOf(tagField, tags);
  if (line === undefined) return headers;
  return [...headers.filter(([name]) => name.toLowerCase() !== line[0].toLowerCase()), line];
}

function varyNamesOf(field: FieldReader, tracker: Tracker | undefined, config: CacheConfig): string[] {
  const read = tracker?.keyedHeaders() ?? [];
  const named = fieldNames(field('vary'));
  return [...new Set([...named, ...read])].filter((name) => !config.vary.includes(name)).toSorted();
}

/** Whether requests are told apart here by what no cache further out knows of. */
function isForOne(field: FieldReader, identity: string, tracker: Tracker | undefined): boolean | undefined {
  if (tracker === undefined) return undefined;
  const named = fieldNames(field('vary'));
  return identity !== 'none' || tracker.keyedHeaders().some((name) => !named.includes(name)) || undefined;
}

/** Only true is yes: what has no types may answer nothing, or a promise. */
function meetsCondition(req: Request, res: Response, { condition }: CacheConfig): boolean {
  const answer: unknown = condition === undefined || condition(req, res);
  return answer === true;
}

/**
 * A plan for what holds bytes of a stored response. The run that made those depended on things that this one, which perhaps only answered 304, has not come to:
 * its tags, the headers it varies by and whether it had looked at who is asking still count. `undefined`: together these are more tags than an entry holds.
 */
export function inheritPlan(
  plan: Plan,
  { basis, varyNames }: { readonly basis: Stored | undefined; readonly varyNames: readonly string[] },
): Plan | undefined {
  if (basis === undefined) return plan;
  const tags = [...new Set([...plan.tags, ...dependenciesOf(basis.entry).tags])];
  if (tags.length > MAX_TAGS) return undefined;
  return {
    ...plan,
    tags,
    head: {
      ...plan.head,
      shape: plan.head.shape?.filter((name) => basis.head.shape?.includes(name)),
      isForOne: plan.head.isForOne ?? basis.head.isForOne,
    },
    varyNames: [...new Set([...plan.varyNames, ...varyNames])].toSorted(),
    isNeutral: plan.isNeutral && isNeutral(basis.entry),
  };
}

/** A whole response, as it is stored. */
export function toRecorded(
  { exchange: { key }, stamp }: { readonly exchange: Exchange; readonly stamp: Stamp },
  {
    plan,
    head,
    body,
    computeMs,
  }: {
    readonly plan: Plan;
    readonly head: StorableHead;
    readonly body: Buffer;
    readonly computeMs: number;
  },
): Recorded {
  const draft: EntryDraft = {
    key: entryKey('h', key.name),
    tags: [...new Set([...plan.tags, urlTag(key.url)])],
    stamp,
    flags: flagsOf.response(plan),
    freshMs: plan.storage.freshMs,
    staleMs: plan.storage.keepMs,
    computeMs,
    metadata: JSON.stringify(head),
    body,
  };
  return { draft, head, body, varyNames: plan.varyNames };
}
