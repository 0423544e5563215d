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
  const sources: Readable[] = [];
  if (onFailure !== undefined) res.on('pipe', (source: Readable) => sources.push(source));

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

  // One by one, and as few as can be: Express sets the prototype of every response, after which V8 makes a new shape for each property that is added to one.
  res.writeHead = function holdHead(...args: [number, (string | HeadersArgument)?, HeadersArgument?]) {
    if (state === 'held') {
      if (args.length === 1 && args[0] === res.statusCode) return res; // It is what is held already.
      throw headersSentError();
    }
    if (state === 'open') return writeHead.apply(res, args as unknown as Parameters<typeof writeHead>);
    const [status, first, second] = args;
    const isReason = typeof first === 'string';
    res.statusCode = status;
    setHeaders(res, second ?? (isReason ? undefined : first));
    return pass(() => (isReason ? writeHead.call(res, status, first as never) : writeHead.call(res, status)), res);
  };
  res.write = function holdWrite(...args: Parameters<typeof write>) {
    heldBytes += state === 'open' ? 0 : sizeOf(args[0]);
    const isTaken = pass(() => write.apply(res, args), heldBytes < MAX_HELD_BYTES);
    if (state === 'held' && !isTaken) mustDrain = true;
    return isTaken;
  } as typeof write;
  res.end = ((...args: Parameters<typeof end>) => pass(() => end.apply(res, args), res)) as typeof end;
  res.flushHeaders = () => pass(() => flushHeaders.call(res), undefined);
}

function ignore(): void {
  // Nobody is left to tell.
}

function sizeOf(chunk: unknown): number {
  return typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk.length : 0;
}

/**
 * Where Node keeps the head that it has sent, for as long as it has; frameworks look there, too (compression, on-finished). While something is there `headersSent` is true and setting headers throws: one property that
 * is there already, where ours would have to be added.
 */
const SENT_HEAD = '_header';
/** What leaves should somebody send past the hold, with methods that he has kept from Node: not a success, and nothing that a client takes for whole. */
const HELD = 'HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n';

interface WithHead {
  [SENT_HEAD]: string | null;
}

/** Makes a response look as if its headers were sent. Returns what undoes it, with the status as it was. */
function freezeHead(res: ServerResponse): () => void {
  const { statusCode } = res;
  const head = res as unknown as WithHead;
  head[SENT_HEAD] = HELD;
  return () => {
    if (head[SENT_HEAD] === HELD) head[SENT_HEAD] = null;
    if (res.statusCode !== statusCode) res.statusCode = statusCode;
  };
}

/** Node's own, which is what frameworks look for. */
function headersSentError(): Error {
  const error = new Error('Cannot set headers after they are sent to the client');
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' });
}
