import { type Exchange, isOver, tell } from './exchange.ts';
import { replay, Telling } from './replay.ts';
import { decodeHead, isForEverybody, type ResponseHead } from './response-head.ts';
import { type Run, runHandler } from './run.ts';
import type { Outcome, SharedResponse } from './shared.ts';
import { mayReplaceError, totalAge, ttlOf } from './stale.ts';
import { contentFor, inFormFor } from './content.ts';
import { isForLikesOf, isUrlAlive } from './stored.ts';

/** A wait for another request's handler run. */
export interface Wait extends Run {
  readonly outcome: Promise<Outcome>;
  /** Looks the response up again. */
  again(): Promise<void>;
}

/** Waits for another request's response. Whatever it comes to, this request is answered: by it, or by a lookup or handler of its own. */
export async function follow(exchange: Exchange, wait: Wait): Promise<void> {
  const outcome = await wait.outcome;
  if (isOver(exchange.res)) return undefined;
  if (outcome === 'again') return wait.again();
  if (outcome === 'failed' && (await serveInsteadOfError(exchange, wait))) return undefined;
  if (outcome === 'failed' || outcome === 'refused') return runHandler(exchange, { ...wait, basis: undefined });
  const head = headForThis(exchange, outcome);
  const content = head && (await inFormFor(exchange, head, outcome.body));
  if (content === undefined) return wait.again();
  tell(exchange, 'misses', 'cache:miss');
  const status = { forward: wait.forward, isCollapsed: true } as const;
  return replay(exchange, content, new Telling(content.head.age ?? 0, status));
}

/** The head of another's response, if it may answer this request: it is the right variant, still valid, and for this client. */
function headForThis(exchange: Exchange, response: SharedResponse): ResponseHead | undefined {
  const { key, state } = exchange;
  const { draft, varyNames, address } = response;
  const { register } = state.backend.store;
  if (address !== (varyNames.length === 0 ? key.address : key.variant(varyNames))) return undefined;
  if (register.judge(draft.stamp, () => draft) !== 'valid' || !isUrlAlive(exchange, draft.stamp)) return undefined;
  if (exchange.isCredentialed && !isForEverybody(draft)) return undefined;
  const head = headOfShared(response);
  // What may not be used without asking is one request's answer, unless it was asked for all of them.
  return head?.part === undefined && head !== undefined && isForLikesOf(exchange, draft, head) ? head : undefined;
}

/** The handler has failed for the request that was waited for: it would again. */
async function serveInsteadOfError(exchange: Exchange, { basis, lookup, forward }: Wait): Promise<boolean> {
  if (basis === undefined || !mayReplaceError(basis, exchange.directives, exchange.config.policy.staleOnError)) {
    return false;
  }
  // It has waited for a handler, not for Redis.
  const deadlineAt = performance.now() + exchange.state.backend.store.deadlineMs;
  const content = await contentFor(exchange, basis, { address: lookup.address, deadlineAt });
  if (content === undefined) return false;
  tell(exchange, 'stale', 'cache:stale');
  const status = { forward, isCollapsed: true, ttlMs: ttlOf(basis), detail: 'stale-if-error' } as const;
  replay(exchange, content, new Telling(totalAge(basis), status));
  return true;
}

const sharedHeads = new WeakMap<SharedResponse, ResponseHead | undefined>();

function headOfShared(response: SharedResponse): ResponseHead | undefined {
  const head = sharedHeads.get(response) ?? decodeHead(Buffer.from(response.draft.metadata));
  sharedHeads.set(response, head);
  return head;
}
