import type { ServerResponse } from 'node:http';
import { type HeadersArgument, setHeaders } from './set-headers.ts';

/** Watches what a handler sends. */
export interface ResponseTap {
  /**
   * Once, before the headers leave: status and headers are set on the response and may still be changed. `'mute'` lets the headers leave without the body;
   * `'swallow'` nothing at all: the tap answers at the end.
   */
  head(): 'send' | 'mute' | 'swallow';
  /**
   * Every piece of the body, before it leaves. The bytes are the tap's own. True keeps the handler going at its own pace, however slowly its client reads: for a tap
   * that keeps the bytes anyway, and whose owner others wait for.
   */
  chunk(bytes: Buffer): boolean;
  /** Runs what passes on to whoever stands around the tap. */
  outside<T>(call: () => T): T;
  /** The handler has sent all, and the headers are as they left: middleware around the tap may have added to them. */
  end(): void;
  /** The connection closed before the handler had sent all. It may still go on. */
  closed(): void;
  /** A call threw, and what follows is another response than the one that began. */
  failed(): void;
}

type Chunk = string | Uint8Array;

/** Puts a tap on a response. Everything a handler may call passes through it: `writeHead` in its three forms, `write`, `end`, and what is built on them. */
export function tapResponse(res: ServerResponse, tap: ResponseTap): void {
  const { writeHead, write, end, flushHeaders } = res;
  let mode: ReturnType<ResponseTap['head']> | undefined;
  let hasEnded = false;

  /** Node writes headers late, when `write` or `end` find none: the tap must see them before it sees the body. */
  function ensureHead(): void {
    if (mode !== undefined || res.headersSent) return;
    mode = 'send'; // Also should it throw.
    mode = tap.head();
  }

  function pass<T>(call: () => T): T {
    try {
      return tap.outside(call);
    } catch (error) {
      tap.failed();
      throw error;
    }
  }

  function record(chunk: unknown, encoding: unknown): boolean {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return false;
    return tap.chunk(toBytes(chunk, encoding));
  }

  function isSwallowing(): boolean {
    return mode === 'swallow' && !hasEnded;
  }

  Object.assign(res, {
    writeHead(status: number, ...rest: [(string | HeadersArgument)?, HeadersArgument?]) {
      const [first, second] = rest;
      const reason = typeof first === 'string' ? first : undefined;
      if (hasEnded) return writeHead.apply(res, [status, ...rest] as unknown as Parameters<typeof writeHead>);
      if (isSwallowing()) return res;
      res.statusCode = status;
      if (reason !== undefined) res.statusMessage = reason;
      setHeaders(res, second ?? (typeof first === 'string' ? undefined : first));
      ensureHead();
      if (isSwallowing()) return res;
      return pass(() =>
        reason !== undefined && res.statusCode === status
          ? writeHead.call(res, status, reason as never)
          : writeHead.call(res, res.statusCode),
      );
    },
    write(...args: unknown[]) {
      if (hasEnded) return write.apply(res, args as Parameters<typeof write>);
      ensureHead();
      const mayGoOn = record(args[0], args[1]);
      if (mode === 'send' || mode === undefined)
        return pass(() => write.apply(res, args as Parameters<typeof write>)) || mayGoOn;
      callLater(args);
      return true;
    },
    flushHeaders() {
      if (!hasEnded) ensureHead();
      if (!isSwallowing()) pass(() => flushHeaders.call(res));
    },
    end(...args: unknown[]) {
      if (hasEnded) return end.apply(res, args as Parameters<typeof end>);
      ensureHead();
      record(args[0], args[1]);
      const callback = args.find((arg): arg is () => void => typeof arg === 'function');
      if (mode === 'swallow') {
        // Middleware inside the tap believes to have ended, and would keep the answer that comes instead.
        Object.assign(res, { writeHead, write, end, flushHeaders });
        if (callback !== undefined) res.once('finish', callback);
      } else {
        hasEnded = true; // HTTP/2 ends by way of `write`.
        pass(() => end.apply(res, (mode === 'mute' ? [callback, 'utf8'] : args) as Parameters<typeof end>));
      }
      hasEnded = true;
      tap.end();
      return res;
    },
  });
  res.once('close', () => {
    if (!hasEnded) tap.closed();
  });
}

/** A copy: handlers may use their buffers again. */
function toBytes(chunk: Chunk, encoding: unknown): Buffer {
  if (typeof chunk !== 'string') return Buffer.from(chunk);
  return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
}

function callLater(args: unknown[]): void {
  const callback = args.find((arg): arg is () => void => typeof arg === 'function');
  if (callback !== undefined) process.nextTick(callback);
}
