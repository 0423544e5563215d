import { AsyncLocalStorage } from 'node:async_hooks';
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

/**
 * Sends a request like this one through the whole application, without a client: `next()` belongs to the first request and cannot be called again. `prepare` sees it
 * before any middleware does. Resolves when it is answered, or when it is given up after `maxMs`.
 */
export function repeatRequest(
  original: Request,
  maxMs: number,
  prepare: (request: IncomingMessage) => void,
): Promise<void> {
  const socket = silentSocket(original.socket);
  const request = requestLike(original, socket);
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  prepare(request);
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), maxMs).unref();
    response.once('finish', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    outside(() => {
      try {
        rootOf(original.app as Application)(request as Request, response as never);
      } catch {
        socket.destroy();
      }
    });
  });
}

/** The application that is nobody's part. */
function rootOf(app: Application): Application {
  let root = app as Application & { parent?: Application };
  while (root.parent !== undefined) root = root.parent;
  return root;
}

/** A connection to nobody: it takes everything and brings nothing, and says of itself what the original's says. */
function silentSocket(original: Socket): Socket {
  const socket = new Duplex({
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
