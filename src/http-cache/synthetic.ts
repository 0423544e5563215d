import { EventEmitter } from 'node:events';
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Application, Request } from 'express';
import { type Entrance, sendSilently, silentSocket } from '../http/silent-request.ts';

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
  return {
    request,
    async send(maxMs) {
      await sendSilently({ enter, socket, request, maxMs });
    },
  };
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
