import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { type HeadersArgument, setHeaders } from './set-headers.ts';

/**
 * Writers are asked for patience when so much is held. Not earlier: they wait for `drain` in places of their own (compression gives it to its own stream), where it
 * comes by itself only after more than a buffer full.
 */
const MAX_HELD_BYTES = 65_536;

/**
 * Calls `before` when a response is about to begin, with its status and headers set, and holds back everything the handler sends, headers and body, until the returned
 * promise has settled either way. `undefined` holds nothing. While it is held the response behaves as one whose headers are sent: `headersSent` says so, setting
 * headers throws, and `write` asks for patience as a full socket does.
 *
 * With `onFailure` a rejected promise discards what was held: the response is as if nothing had been sent yet, for another one in its place. Streams that were piped into it are unpiped.
 */
export function holdResponse(
  res: ServerResponse,
  before: () => Promise<unknown> | undefined,
  onFailure?: (error: unknown) => void,
): void {
  const { writeHead, write, end, flushHeaders } = res;
  let state: 'waiting' | 'held' | 'open' = 'waiting';
  let held: (() => void)[] = [];
  let heldBytes = 0;
  let mustDrain = false;
  const sources = new Set<Readable>();
  if (onFailure !== undefined) res.on('pipe', (source: Readable) => sources.add(source));

  function begin(): void {
    state = 'open';
    const wait = before();
    if (wait === undefined) return;
    state = 'held';
    const thaw = freezeHead(res);
    const open = (): void => {
      thaw();
      release();
    };
    const discard = (error: unknown): void => {
      thaw();
      held = [];
      state = 'open';
      for (const source of sources) source.unpipe(res);
      res.on('error', ignore); // A handler that goes on writing writes after the end of another response.
      onFailure?.(error);
    };
    wait.then(open, onFailure === undefined ? open : discard).catch(giveUp);
  }

  function release(): void {
    const calls = held;
    held = [];
    state = 'open';
    try {
      for (const call of calls) call();
      if (mustDrain && !res.writableEnded && !res.writableNeedDrain) res.emit('drain');
    } catch (error) {
      giveUp(error); // Headers that Node refuses.
    }
  }

  /** The handler has returned long ago and cannot be told. */
  function giveUp(error: unknown): void {
    res.destroy(error instanceof Error ? error : new Error(String(error)));
  }

  /** Makes the call, or keeps it for later and answers `instead`. Others may have wrapped these methods since, so they stay in place and step aside. */
  function pass<T>(call: () => T, instead: T): T {
    if (state === 'waiting') begin();
    if (state === 'open') return call();
    held.push(call);
    return instead;
  }

  Object.assign(res, {
    writeHead(...args: [number, (string | HeadersArgument)?, HeadersArgument?]) {
      if (state === 'held') {
        // What middleware does that looks for headers in Node's own place (compression 1.7).
        if (args.length === 1 && args[0] === res.statusCode) return res;
        throw headersSentError();
      }
      if (state === 'open') return writeHead.apply(res, args as unknown as Parameters<typeof writeHead>);
      const [status, first, second] = args;
      const isReason = typeof first === 'string';
      res.statusCode = status;
      setHeaders(res, second ?? (isReason ? undefined : first));
      return pass(() => (isReason ? writeHead.call(res, status, first as never) : writeHead.call(res, status)), res);
    },
    write(...args: Parameters<typeof write>) {
      heldBytes += state === 'open' ? 0 : sizeOf(args[0]);
      const isTaken = pass(() => write.apply(res, args), heldBytes < MAX_HELD_BYTES);
      if (state === 'held' && !isTaken) mustDrain = true;
      return isTaken;
    },
    end: (...args: Parameters<typeof end>) => pass(() => end.apply(res, args), res),
    flushHeaders: () => pass(() => flushHeaders.call(res), undefined),
  });
}

function ignore(): void {
  // Nobody is left to tell.
}

function sizeOf(chunk: unknown): number {
  return typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0;
}

const FROZEN = Symbol('frozen');

type Freezable = ServerResponse & { [FROZEN]?: number };

/** One for all responses, and left in place: a property of its own kind, or a deleted one, would make every response slow. */
const HEADERS_SENT: PropertyDescriptor & ThisType<Freezable> = {
  configurable: true,
  get() {
    return (this[FROZEN] ?? 0) > 0 || Reflect.get(Object.getPrototypeOf(this) as object, 'headersSent', this);
  },
};

const REFUSING = { setHeader: refuse, appendHeader: refuse, removeHeader: refuse };

function refuse(): never {
  throw headersSentError();
}

/** Makes a response look as if its headers were sent. Returns what undoes it, with the status as it was. */
function freezeHead(res: Freezable): () => void {
  const { setHeader, appendHeader, removeHeader, statusCode } = res;
  const message = res.req.httpVersionMajor === 1 ? { statusMessage: res.statusMessage } : {}; // HTTP/2 warns who asks.
  if (res[FROZEN] === undefined) Object.defineProperty(res, 'headersSent', HEADERS_SENT);
  res[FROZEN] = (res[FROZEN] ?? 0) + 1;
  Object.assign(res, REFUSING);
  return () => {
    res[FROZEN] = (res[FROZEN] ?? 1) - 1;
    Object.assign(res, { setHeader, appendHeader, removeHeader, statusCode, ...message });
  };
}

/** Node's own, which is what frameworks look for. */
function headersSentError(): Error {
  const error = new Error('Cannot set headers after they are sent to the client');
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' });
}
