import type { IncomingHttpHeaders } from 'node:http';
import { tapResponse } from '../http/tap-response.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Forward } from './cache-status.ts';
import { type Conditions, conditionsOf, replaceConditions } from './conditional.ts';
import type { Exchange } from './exchange.ts';
import type { HandlerWishes } from './handle.ts';
import type { Recorded } from './recorded.ts';
import { recordResponse } from './record-response.ts';
import { type HeadersBefore, headersBefore } from './response-head.ts';
import { receiveSpecial } from './special.ts';
import type { Stored } from './stale.ts';
import type { Tracker } from './track.ts';

/** A request whose handler runs and whose response may be stored. */
export interface Fill {
  readonly exchange: Exchange;
  readonly stamp: Stamp;
  readonly wishes: HandlerWishes;
  readonly forward: Forward;
  /** Where its lookup ended. */
  readonly address: string;
  /** A stored response that may not be sent as it is: to be validated or completed, and for when the handler fails. Its body is whole. */
  readonly basis: Stored | undefined;
  /** What the handler is asked under, because of the basis. */
  readonly asked: IncomingHttpHeaders | undefined;
  readonly tracker: Tracker | undefined;
}

/** What becomes of a fill: one of them is called, once. */
export interface FillOutcome {
  /** The handler has sent all of it. Also after a refusal, when it was its client that had left. */
  recorded(response: Recorded): void;
  /** Nobody can wait for it. `isFinal`: nor for the next response of this key, probably. */
  refused(isFinal: boolean): void;
  /** The handler failed: the basis answered this request, and may answer others. */
  failed(): void;
}

/** A fill whose handler has begun to answer. */
export interface Filling {
  readonly fill: Fill;
  readonly outcome: FillOutcome;
  /** Headers that were set before the handler ran. */
  readonly before: HeadersBefore;
  /** The client's own. */
  readonly conditions: Conditions;
  /** When the handler was called, on the clock of this process. */
  readonly startedAt: number;
  /** How long it took to begin its answer, in milliseconds. */
  readonly delayMs: number;
}

/** What the cache does with a handler's answer while it comes. */
export interface Reception {
  readonly mode: 'send' | 'mute' | 'swallow';
  /** True: go on at once, the bytes are kept anyway. */
  chunk(bytes: Buffer): boolean;
  /** The handler has sent all, as it seems: one whose client has left may have stopped early. */
  end(hasClientLeft: boolean): void;
}

/** Lets the handler answer its client directly and records what it sends on the way, or answers in its place. */
export function recordFill(fill: Fill, given: FillOutcome): void {
  const { req, res } = fill.exchange;
  const outcome = onlyOnce(given);
  const startedAt = performance.now();
  const before = headersBefore(res);
  const conditions = conditionsOf(req.headers);
  const restoreConditions = replaceConditions(req.headers, fill.asked ?? {});
  let reception: Reception | undefined;
  let hasClientLeft = false;

  tapResponse(res, {
    outside: (call) => (fill.tracker === undefined ? call() : fill.tracker.pause(call)),
    head() {
      restoreConditions();
      const delayMs = performance.now() - startedAt;
      const filling: Filling = { fill, outcome, before, conditions, startedAt, delayMs };
      reception = receiveSpecial(filling) ?? recordResponse(filling);
      return reception.mode;
    },
    chunk: (bytes) => reception?.chunk(bytes) ?? false,
    end: () => reception?.end(hasClientLeft),
    failed() {
      reception = undefined;
      outcome.refused(false);
    },
    closed() {
      hasClientLeft = true;
      outcome.left();
    },
  });
}

/** Who waits is told once. A whole response is still good for those to come when its client left first. */
function onlyOnce(given: FillOutcome): FillOutcome & { left(): void } {
  let isSettled = false;
  const once = (call: () => void): void => {
    if (isSettled) return;
    isSettled = true;
    call();
  };
  let hasLeft = false;
  return {
    recorded(response) {
      if (hasLeft) return given.recorded(response);
      once(() => given.recorded(response));
    },
    refused: (isFinal) => once(() => given.refused(isFinal)),
    failed: () => once(() => given.failed()),
    left() {
      if (isSettled) return;
      hasLeft = true;
      once(() => given.refused(false));
    },
  };
}
