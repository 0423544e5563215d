import type { IncomingHttpHeaders } from 'node:http';
import type { Stamp } from '../register/mirror.ts';
import type { Forward } from './cache-status.ts';
import type { Conditions } from './conditional.ts';
import type { Exchange } from './exchange.ts';
import type { HandlerWishes } from './handle.ts';
import type { Recorded } from './recorded.ts';
import type { HeadersBefore } from './response-head.ts';
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
  /** Names of the request headers by which the basis was selected. */
  readonly varyNames: readonly string[];
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
  /** The client has left. Another request may take its place. */
  abandoned(): void;
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
