import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Application, Request } from 'express';

/** Fields that are about the first request's connection, its own conditions or what it wanted of caches. */
const NOT_REPEATED = new Set([
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'transfer-encoding',
  'content-length',
  'if-none-match',
  'if-modified-since',
  'if-range',
  'range',
  'cache-control',
  'pragma',
  'expect',
]);

/** What AsyncLocalStorage carries belongs to the request that is there: another begins outside of it. */
const outside = AsyncLocalStorage.snapshot();

/** A request like another, without a client. */
interface Repetition {
  readonly request: IncomingMessage;
  /** Sends it through all that the first has passed. Resolves when it is answered, or when it is given up after `maxMs`. */
  send(maxMs: number): Promise<void>;
}

/**
 * Makes a request like this one, to be sent later: `next()` belongs to the first request and cannot be called again. All that it needs is read now, because the first
 * one's connection may be gone by then.
 */
export function repetitionOf(original: Request): Repetition {
  const enter = entranceOf(original);
  const socket = silentSocket(original.socket);
  const request = requestLike(original, socket);
  return { request, send: (maxMs) => outside(() => send({ enter, socket, request, maxMs })) };
}

/** What is called for each request. */
type Entrance = (request: IncomingMessage, response: ServerResponse) => void;

interface Sending {
  readonly enter: Entrance;
  readonly socket: Socket;
  readonly request: IncomingMessage;
  readonly maxMs: number;
}

function send({ enter, socket, request, maxMs }: Sending): Promise<void> {
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), maxMs).unref();
    response.once('finish', () => {
      request.resume(); // What nobody has read ends only so, as after every request.
      socket.destroy();
    });
    socket.once('close', () => {
      clearTimeout(timer);
      if (!response.writableFinished) request.destroy();
      resolve();
    });
    try {
      enter(request, response);
    } catch {
      socket.destroy();
    }
  });
}

/** What the server calls, so that all that stands around the application runs as well. Where no server is known, the application that is nobody's part. */
function entranceOf({ socket, app }: Request): Entrance {
  const { server } = socket as { server?: unknown };
  if (server instanceof EventEmitter && server.listenerCount('request') > 0) {
    return (request, response) => void server.emit('request', request, response);
  }
  const root = rootOf(app as Application);
  return (request, response) => void root(request as Request, response as never);
}

function rootOf(app: Application): Application {
  let root = app as Application & { parent?: Application };
  while (root.parent !== undefined) root = root.parent;
  return root;
}

/** A connection to nobody: it takes everything and brings nothing, and says of itself what the original's says. */
function silentSocket(original: Socket): Socket {
  const socket = new Duplex({
    // Never full: who waits for `drain` is told by a server, and there is none.
    writableHighWaterMark: Number.MAX_SAFE_INTEGER,
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  });
  socket.on('error', () => undefined);
  const same = (): Duplex => socket;
  Object.assign(socket, {
    remoteAddress: original.remoteAddress,
    remotePort: original.remotePort,
    remoteFamily: original.remoteFamily,
    localAddress: original.localAddress,
    localPort: original.localPort,
    encrypted: (original as { encrypted?: boolean }).encrypted,
    setTimeout: same,
    setNoDelay: same,
    setKeepAlive: same,
    ref: same,
    unref: same,
    address: () => ({}),
  });
  return socket as unknown as Socket;
}

function requestLike(original: Request, socket: Socket): IncomingMessage {
  const request = new IncomingMessage(socket);
  const host = original.headers.host ?? original.headers[':authority'];
  const kept = Object.entries(original.headers).filter(([name]) => !name.startsWith(':') && !NOT_REPEATED.has(name));
  const headers = { ...Object.fromEntries(kept), ...(host !== undefined && { host: String(host) }) };
  Object.assign(request, {
    method: 'GET',
    url: original.originalUrl,
    headers,
    rawHeaders: Object.entries(headers).flatMap(([name, value]) => [value].flat().flatMap((line) => [name, line])),
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    complete: true,
  });
  request.push(null);
  return request;
}
