import type { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import { cacheOf } from './security.ts';
import { ask, listen, MISS, verdict } from './support.ts';

/** What applications make of a connection. */
const views: [string, (socket: Socket) => Socket][] = [
  ['an object that inherits from it', (socket) => Object.create(socket) as Socket],
  ['a proxy of it', (socket) => new Proxy(socket, {})],
  ['itself, with accessors around what was there', wrapped],
];

function wrapped(socket: Socket): Socket {
  const { get } = Object.getOwnPropertyDescriptor(socket, 'remoteAddress') ?? {};
  const inherited = (): unknown => Reflect.get(Object.getPrototypeOf(socket) as object, 'remoteAddress', socket);
  return Object.defineProperty(socket, 'remoteAddress', {
    configurable: true,
    get: () => (get ?? inherited).call(socket) as unknown,
  });
}

describe.each(views)('the address of a connection, read through %s,', (_name, viewOf) => {
  it('names the client as well', async () => {
    const app = express();
    let runs = 0;
    app.get('/', cacheOf(), (req, res) => void res.send(`${++runs} for ${viewOf(req.socket).remoteAddress}`));
    const port = await listen(app);
    for (const run of [1, 2, 3]) {
      const answer = await ask(port, '/');
      expect([answer.text, verdict(answer)]).toEqual([`${run} for 127.0.0.1`, MISS]);
    }
  });

  it('does so where earlier middleware has put that in its place', async () => {
    const app = express();
    let runs = 0;
    const around: RequestHandler = (req, _res, next) => {
      Object.defineProperty(req, 'socket', { value: viewOf(req.socket), configurable: true, writable: true });
      next();
    };
    const handler: RequestHandler = (req, res) => void res.send(`${++runs} for ${req.socket.remoteAddress}`);
    app.get('/plain', cacheOf(), handler);
    app.get('/viewed', around, cacheOf(), handler);
    const port = await listen(app);
    for (const [i, path] of ['/viewed', '/plain', '/viewed', '/viewed', '/plain'].entries()) {
      const answer = await ask(port, path);
      expect([answer.text, verdict(answer)]).toEqual([`${i + 1} for 127.0.0.1`, MISS]);
    }
  });
});
