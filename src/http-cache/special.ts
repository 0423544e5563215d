import type { ServerResponse } from 'node:http';
import { Content } from './content.ts';
import { disown, type Exchange } from './exchange.ts';
import type { Filling, Reception } from './reception.ts';
import { completes } from './partial.ts';
import { inheritPlan, type Plan, planOf, type Representation, toRecorded } from './plan.ts';
import { asWhole, fieldOf } from './record-response.ts';
import type { Recorded } from './recorded.ts';
import { replay, Telling } from './replay.ts';
import { type HeadersBefore, resetReason, storableHeaders, withValidators } from './response-head.ts';
import { isAbout, mergeHeaders, readerOf } from './revalidate.ts';
import { mayReplaceError, type Stored, totalAge, ttlOf } from './stale.ts';

/** Errors that say the handler could not answer (RFC 5861 §4). */
const FAILURES = new Set([500, 502, 503, 504]);
/** Of a 304, these are about itself, and wrong beside the stored body. */
const OF_ONE_MESSAGE = ['content-length', 'content-encoding', 'content-range', 'transfer-encoding', 'trailer'] as const;

/**
 * Answers of a handler that are for the cache and not for its client: a 304 to the cache's own question, the missing part of a stored response, a failure that a
 * stored response takes the place of. The client is answered when the handler has ended. `undefined`: it is for the client.
 */
export function receiveSpecial(filling: Filling): Reception | undefined {
  const { fill } = filling;
  const { basis, asked, exchange } = fill;
  if (basis === undefined) return undefined;
  const { statusCode } = exchange.res;
  const hasAsked = asked !== undefined;
  if (statusCode === 304 && hasAsked && basis.head.part === undefined) return receiveValidation(filling, basis);
  // 416: it is shorter now than it was, or If-Range was not heeded.
  const isCompletion = statusCode === 206 || statusCode === 416;
  if (isCompletion && hasAsked && basis.head.part !== undefined && exchange.req.headers.range === undefined) {
    return receiveCompletion(filling, basis);
  }
  const { staleOnError } = exchange.config.policy;
  const mayReplace = FAILURES.has(statusCode) && mayReplaceError(basis, exchange.directives, staleOnError);
  return mayReplace && basis.head.part === undefined ? receiveFailure(filling, basis) : undefined;
}

/** The stored response is still good (RFC 9111 §4.3.3): it answers, with the newer fields, and is stored again with them. */
function receiveValidation({ fill, outcome, before, delayMs, startedAt }: Filling, basis: Stored): Reception {
  const { exchange, wishes, tracker, forward } = fill;
  const { res } = exchange;
  const newer = storableHeaders(res, before);
  const merged = isAbout(fieldOf(res), basis.head) ? mergeHeaders(basis.head.headers, newer) : undefined;
  const headers = merged ?? basis.head.headers;
  const response: Representation = {
    status: basis.head.status,
    reason: basis.head.reason,
    field: readerOf(headers, fieldOf(res)),
    headers,
    removed: basis.head.removed,
  };
  const { coding, size, hasOwnEtag } = basis.head;

  function freshened(): Recorded | undefined {
    const newest = merged && planOf(response, { exchange, wishes, tracker, delayMs });
    const plan = newest && inheritPlan(newest, fill);
    if (plan === undefined) return undefined;
    const computeMs = performance.now() - startedAt;
    const head = { ...plan.head, coding, size, hasOwnEtag };
    return toRecorded(fill, { plan, head, body: basis.entry.body, computeMs });
  }

  return {
    mode: 'swallow',
    chunk: () => false,
    end() {
      const recorded = attempt(exchange, freshened);
      if (recorded === undefined) outcome.refused(false);
      else outcome.recorded(recorded);
      const status = { forward, forwardStatus: 304, isStored: recorded !== undefined } as const;
      const head = withValidators(recorded?.head ?? { ...basis.head, headers });
      if (merged === undefined) resetHeaders(res, before);
      for (const name of OF_ONE_MESSAGE) res.removeHeader(name);
      resetReason(res);
      // What the 304 said besides is for this client: cookies, for example.
      replay(exchange, new Content(head, basis.entry.body), new Telling(head.age ?? 0, status, true));
    },
  };
}

/** The rest of a stored part (RFC 9111 §3.4): together they are the whole. */
function receiveCompletion({ fill, outcome, before, delayMs, startedAt }: Filling, basis: Stored): Reception {
  const { exchange, wishes, tracker, forward } = fill;
  const { res, config } = exchange;
  const isRest = completes(fieldOf(res), basis.head);
  const headers = mergeHeaders(basis.head.headers, storableHeaders(res, before)).filter(
    ([name]) => name.toLowerCase() !== 'content-range',
  );
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    mode: 'swallow',
    chunk(bytes) {
      size += bytes.length;
      if (size <= config.maxBytes) chunks.push(bytes);
      return true;
    },
    end() {
      const { part } = basis.head;
      const body = Buffer.concat([basis.entry.body, ...chunks]);
      if (!isRest || part === undefined || body.length !== part.length) {
        // Bytes of two representations are never joined, and what was asked for cannot be asked for again: not by the next request, either.
        outcome.refused(false);
        disown(exchange);
        resetHeaders(res, before);
        res.statusCode = 502;
        res.end();
        return;
      }
      const whole = asWhole({ ...basis.head, headers, part: { ...part, last: part.length - 1 } });
      const response = {
        status: 200,
        reason: undefined,
        field: readerOf(whole.headers, fieldOf(res)),
        headers: whole.headers,
        removed: whole.removed,
      };
      const plan = attempt(exchange, (): Plan | undefined => {
        const newest = planOf(response, { exchange, wishes, tracker, delayMs });
        return newest && inheritPlan(newest, fill);
      });
      if (plan === undefined) outcome.refused(false);
      else {
        const computeMs = performance.now() - startedAt;
        outcome.recorded(toRecorded(fill, { plan, head: plan.head, body, computeMs }));
      }
      const status = { forward, forwardStatus: 206, isStored: plan !== undefined } as const;
      resetHeaders(res, before);
      const head = withValidators(plan?.head ?? whole);
      replay(exchange, new Content(head, body), new Telling(head.age ?? 0, status));
    },
  };
}

/** The handler failed, and a stale response takes the place of its error (RFC 9111 §4.2.4, RFC 5861 §4). */
function receiveFailure({ fill, outcome, before }: Filling, basis: Stored): Reception {
  const { exchange, forward } = fill;
  const { res } = exchange;
  const forwardStatus = res.statusCode;
  return {
    mode: 'swallow',
    chunk: () => true,
    end() {
      outcome.failed();
      resetHeaders(res, before);
      const status = { forward, forwardStatus, ttlMs: ttlOf(basis), detail: 'stale-if-error' } as const;
      replay(exchange, new Content(basis.head, basis.entry.body), new Telling(totalAge(basis), status));
    },
  };
}

/** Takes back what the handler has set. */
function resetHeaders(res: ServerResponse, before: HeadersBefore): void {
  for (const name of res.getHeaderNames()) if (!before.has(name)) res.removeHeader(name);
  // What has not changed keeps its spelling.
  for (const [name, value] of before) if (String(res.getHeader(name)) !== String(value)) res.setHeader(name, value);
  resetReason(res);
}

/** Whatever functions of the route's options throw must not keep the client from its answer. */
function attempt<T>({ state }: Exchange, plan: () => T): T | undefined {
  try {
    return plan();
  } catch (error) {
    state.backend.events.report('cache: tags or condition', error);
    return undefined;
  }
}
