import { tapResponse } from '../http/tap-response.ts';
import { conditionsOf, replaceConditions } from './conditional.ts';
import type { Fill, FillOutcome, Filling, Reception } from './reception.ts';
import { recordResponse } from './record-response.ts';
import { headersBefore } from './response-head.ts';
import { receiveSpecial } from './special.ts';

/** Lets the handler answer its client directly and records what it sends on the way, or answers in its place. */
export function recordFill(fill: Fill, given: FillOutcome): void {
  const { req, res } = fill.exchange;
  const outcome = onlyOnce(given);
  const startedAt = performance.now();
  const before = headersBefore(res);
  // Of a POST they say whether it may be done at all, which its handler judges (RFC 9110 §13.1.2).
  const isJudgedHere = req.method !== 'POST';
  const conditions = conditionsOf(isJudgedHere ? req.headers : {});
  const restoreConditions = isJudgedHere ? replaceConditions(req.headers, fill.asked ?? {}) : () => undefined;
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
    abandoned: () => once(() => given.abandoned()),
    failed: () => once(() => given.failed()),
    left() {
      if (isSettled) return;
      hasLeft = true;
      once(() => given.abandoned());
    },
  };
}
