import { once } from 'node:events';
import http, { type RequestListener } from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Request, RequestHandler, Response } from 'express';
import { listen, openSuite } from '../http-cache/support.ts';
import { appWith, type Browser, browser, SECRET } from './support.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function openSession(): RequestHandler {
  return openSuite('memory', { session: { secret: SECRET } }).session();
}

async function visitor(): Promise<{ port: number; visitor: Browser }> {
  const app = appWith(openSession(), (routes) => {
    routes.all('/read', (req, res) => void res.send(`${req.session.views ?? 0}`));
    routes.all('/change', (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1;
      res.set('ETag', '"1"').send('done');
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
    });
    routes.all('/destroy', (req, res) => {
      req.session.destroy(() => res.status(204).end());
    });
  });
  const port = await listen(app);
  return { port, visitor: browser(port) };
}

describe('a session is saved and its cookie sent', () => {
  it('with an answer to HEAD, with 304, after 103, and ended with 204', async () => {
    const { visitor: ada } = await visitor();
    expect(await ada.ask('/change', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
    expect((await ada.ask('/read')).text).toBe('1');
    expect(await ada.ask('/change', { headers: { 'if-none-match': '"1"' } })).toMatchObject({ status: 304, text: '' });
    expect((await ada.ask('/read')).text).toBe('2');
    expect(await ada.ask('/destroy', { method: 'HEAD' })).toMatchObject({ status: 204 });
    expect((await ada.ask('/read')).text).toBe('0');
  });

  it('with 304 to who has none yet', async () => {
    const { visitor: ada } = await visitor();
    expect(await ada.ask('/change', { headers: { 'if-none-match': '"1"' } })).toMatchObject({ status: 304 });
    expect((await ada.ask('/read')).text).toBe('1');
  });

  it('after 100', async () => {
    const { port } = await visitor();
    const headers = { expect: '100-continue', 'content-length': 1 };
    const request = http.request({ port, path: '/change', method: 'POST', headers });
    request.flushHeaders();
    const answered = once(request, 'response');
    await once(request, 'continue');
    request.end('a');
    const [response] = (await answered) as [http.IncomingMessage];
    response.resume();
    expect(response.headers['set-cookie']).toHaveLength(1);
  });
});

describe('a server without Express', () => {
  /** Sends a handshake, and resolves once it is answered. */
  async function shakeHands(port: number, cookie: string): Promise<string> {
    const socket = net.connect(port, '127.0.0.1');
    closing.push(() => socket.destroy());
    socket.write(`GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${cookie}\r\n`);
    const [data] = (await once(socket, 'data')) as [Buffer];
    return String(data);
  }

  it('reads and saves the session of an upgrade request with the middleware, as with express-session', async () => {
    const session = openSession();
    const count = (req: Request, then: () => void): void => {
      req.session.views = (req.session.views ?? 0) + 1;
      req.session.save(then);
    };
    const app: RequestListener = (req, res) => {
      session(req as Request, res as Response, () => count(req as Request, () => res.end('counted')));
    };
    const server = http.createServer(app);
    server.on('upgrade', (req: Request, socket) => {
      session(req, {} as Response, () => {
        const { views } = req.session;
        count(req, () => socket.end(`HTTP/1.1 101 Switching Protocols\r\nX-Views: ${views}\r\n\r\n`));
      });
    });
    const port = await portOf(server);
    const ada = browser(port);
    await ada.ask('/');
    expect(await shakeHands(port, '')).toContain('X-Views: undefined');
    expect(await shakeHands(port, `Cookie: sid=${ada.cookies.get('sid')}\r\n`)).toContain('X-Views: 1');
    expect(await shakeHands(port, `Cookie: sid=${ada.cookies.get('sid')}\r\n`)).toContain('X-Views: 2');
  });

  it('may say by what else its responses vary', async () => {
    const session = openSession();
    const port = await listen((req, res) => {
      res.setHeader('Vary', 'Origin');
      session(req as Request, res as Response, (error?: unknown) => {
        if (error === undefined) (req as Request).session.views = 1;
        res.end(error === undefined ? 'done' : 'failed');
      });
    });
    const answer = await browser(port).ask('/');
    expect(answer).toMatchObject({ status: 200, text: 'done', headers: { vary: 'Origin, Cookie' } });
  });
});

it('over HTTP/2 a response that streams already fails for its client when its session cannot be saved', async () => {
  const session = openSession();
  const server = http2.createServer((req, res) => {
    session(req as unknown as Request, res as unknown as Response, () => {
      res.write('first');
      setImmediate(() => {
        (req as unknown as Request).session.value = 'x'.repeat(2_000_000);
        res.end('last');
      });
    });
  });
  const client = http2.connect(`http://127.0.0.1:${await portOf(server)}`);
  closing.push(() => client.destroy());
  const stream = client.request();
  stream.resume();
  await expect(once(stream, 'end')).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
});
