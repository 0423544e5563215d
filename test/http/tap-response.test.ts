import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from '@jest/globals';
import { type ResponseTap, tapResponse } from '../../src/http/tap-response.ts';
import { listen } from '../http-cache/support.ts';

type Handler = (res: ServerResponse) => unknown;

/** What comes over the wire when a handler answers one request. */
async function wireOf(handler: Handler): Promise<string> {
  const port = await listen((_req, res) => {
    res.sendDate = false;
    handler(res);
  });
  const client = connect(port, '127.0.0.1');
  let wire = '';
  client.setEncoding('latin1').on('data', (text: string) => (wire += text));
  client.on('error', () => undefined);
  client.write('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  await once(client, 'close');
  return wire;
}

/** Puts a tap on a response that notes what it is told. Where it swallows it answers "instead" once the handler has ended. */
function tap(res: ServerResponse, mode: ReturnType<ResponseTap['head']>, told: string[] = []): void {
  tapResponse(res, {
    head() {
      told.push(`head ${res.statusCode} ${res.getHeaderNames().join()}`.trim());
      return mode;
    },
    chunk: (bytes) => told.push(`chunk ${bytes.toString()}`) > 0,
    outside: (call) => call(),
    end() {
      told.push('end');
      if (mode !== 'swallow') return;
      for (const name of res.getHeaderNames()) res.removeHeader(name);
      res.writeHead(200, 'Fine', { 'Content-Length': 7 }).end('instead');
    },
    closed: () => told.push('closed'),
    failed: () => told.push('failed'),
  });
}

async function tapped(mode: 'send' | 'mute' | 'swallow', handler: Handler): Promise<{ told: string[]; wire: string }> {
  const told: string[] = [];
  const wire = await wireOf((res) => {
    tap(res, mode, told);
    return handler(res);
  });
  return { told, wire };
}

const HANDLERS: readonly (readonly [name: string, handler: Handler, told: readonly string[]])[] = [
  ['end alone', (res) => res.end(), ['head 200', 'end']],
  ['end with a body', (res) => res.end('a'), ['head 200', 'chunk a', 'end']],
  ['end with an encoding', (res) => res.end('YQ==', 'base64'), ['head 200', 'chunk a', 'end']],
  ['end twice', (res) => res.end('a').end(), ['head 200', 'chunk a', 'end']],
  ['a reason', (res) => res.writeHead(201, 'Made', { 'X-A': '1' }).end(), ['head 201 x-a', 'end']],
  ['a flat list of headers', (res) => res.writeHead(200, ['X-A', '1', 'X-B', '2']).end(), ['head 200 x-a,x-b', 'end']],
  [
    'a header that is null',
    (res) => res.writeHead(200, { 'X-A': null as unknown as string }).end(),
    ['head 200 x-a', 'end'],
  ],
  [
    'headers that leave early',
    (res) => {
      res.setHeader('X-A', '1').flushHeaders();
      res.end('a');
    },
    ['head 200 x-a', 'chunk a', 'end'],
  ],
  ['a pipe', (res) => Readable.from(['a', 'b']).pipe(res), ['head 200', 'chunk a', 'chunk b', 'end']],
  ['a pipeline', (res) => pipeline(Readable.from(['a']), res), ['head 200', 'chunk a', 'end']],
  [
    'corked writes',
    (res) => {
      res.cork();
      res.write('a');
      res.write('b');
      res.uncork();
      res.end();
    },
    ['head 200', 'chunk a', 'chunk b', 'end'],
  ],
  [
    'trailers',
    (res) => {
      res.writeHead(200, { Trailer: 'X-T' }).write('a');
      res.addTrailers({ 'X-T': '1' });
      res.end();
    },
    ['head 200 trailer', 'chunk a', 'end'],
  ],
  [
    'interim responses',
    (res) => {
      res.writeProcessing();
      res.writeEarlyHints({ link: '</a>; rel=preload' });
      res.end('a');
    },
    ['head 200', 'chunk a', 'end'],
  ],
  [
    'writes of no bytes',
    (res) => {
      res.write('');
      res.end(Buffer.alloc(0));
    },
    ['head 200', 'chunk ', 'chunk ', 'end'],
  ],
];

describe('a tap that lets a response pass', () => {
  it.each(HANDLERS)('sees %s, and the same bytes leave as without it', async (_name, handler, told) => {
    const seen = await tapped('send', handler);
    expect(seen.told).toEqual(told);
    expect(seen.wire).toBe(await wireOf(handler));
  });

  it('calls back for every write and for the end', async () => {
    const called: string[] = [];
    await tapped('send', (res) => {
      res.write('a', () => called.push('write'));
      res.end('b', () => called.push('end'));
    });
    expect(called.toSorted()).toEqual(['end', 'write']);
  });

  it('passes on what comes after headers that left before there was a tap', async () => {
    const wire = await wireOf((res) => {
      res.write('one');
      tap(res, 'send');
      res.write('two');
      res.end('three');
    });
    expect(wire).toMatch(/one[^]*two[^]*three/);
  });

  it('is told that the connection closed before the end, and of the end nevertheless', async () => {
    const { told } = await tapped('send', (res) => {
      res.write('a');
      setImmediate(() => res.destroy());
      res.once('close', () => setImmediate(() => res.end()));
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(told).toEqual(['head 200', 'chunk a', 'closed', 'end']);
  });

  it.each<[string, Handler]>([
    ['a status that is none', (res) => res.writeHead(99)],
    ['a second head', (res) => res.writeHead(200).writeHead(201)],
    ['a body that is no text and no bytes', (res) => res.end(7 as unknown as string)],
  ])('is told of a call that throws: %s', async (_name, handler) => {
    const { told } = await tapped('send', (res) => {
      expect(() => handler(res)).toThrow(/ERR_|status code|headers|argument/i);
      if (!res.headersSent) res.statusCode = 500;
      res.end();
    });
    expect(told).toContain('failed');
  });
});

describe('a tap that mutes a response', () => {
  it.each(HANDLERS)('lets the head of %s leave without its body', async (_name, handler, told) => {
    const seen = await tapped('mute', handler);
    expect(seen.told).toEqual(told);
    expect(seen.wire).toMatch(/^HTTP\/1\.1 /);
    expect(seen.wire.slice(seen.wire.lastIndexOf('\r\n\r\n')).trim()).toMatch(/^0?$/);
  });
});

describe('a tap that swallows a response', () => {
  it.each(HANDLERS)('sends nothing of %s but what it answers itself', async (name, handler, told) => {
    const seen = await tapped('swallow', handler);
    expect(seen.told).toEqual(told);
    const final = name === 'interim responses' ? seen.wire.slice(seen.wire.indexOf('HTTP/1.1 200')) : seen.wire;
    expect(final).toMatch(/^HTTP\/1\.1 200 Fine\r\n[^]*\r\n\r\ninstead$/);
  });

  it('looks to its handler like one that is being sent', async () => {
    const seen: unknown[] = [];
    await tapped('swallow', (res) => {
      seen.push(res.write('a'), res.writableEnded);
      res.end('b', () => seen.push('called back'));
      seen.push(res.writableEnded, res.headersSent);
      res.once('finish', () => seen.push('finish', res.writableFinished));
      res.once('close', () => seen.push('close'));
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([true, false, true, true, 'called back', 'finish', true, 'close']);
  });

  it('never holds back whoever writes', async () => {
    const seen: unknown[] = [];
    await tapped('swallow', (res) => {
      for (let i = 0; i < 100; i++) seen.push(res.write(Buffer.alloc(65_536)));
      res.end();
    });
    expect(new Set(seen)).toEqual(new Set([true]));
  });

  it.each<[string, (res: ServerResponse) => void]>([
    ['ends once only', wrapEnd],
    ['ends later', (res) => wrapEnd(res, (end) => setTimeout(end, 2))],
  ])('answers past middleware inside it that %s', async (_name, wrap) => {
    const { wire } = await tapped('swallow', (res) => {
      wrap(res);
      res.end('a');
    });
    expect(wire).toMatch(/\r\n\r\ninstead$/);
  });

  it('ends with its connection: a handler may destroy it', async () => {
    const { wire, told } = await tapped('swallow', (res) => {
      res.write('a');
      res.destroy();
    });
    expect(wire).toBe('');
    expect(told).toEqual(['head 200', 'chunk a', 'closed']);
  });
});

/** What session middleware does: it holds the end back, and lets nobody end again. */
function wrapEnd(res: ServerResponse, run: (end: () => void) => void = (end) => end()): void {
  const end = res.end.bind(res) as (...args: unknown[]) => ServerResponse;
  let hasEnded = false;
  res.end = ((...args: unknown[]) => {
    if (hasEnded) return res;
    hasEnded = true;
    run(() => end(...args));
    return res;
  }) as typeof res.end;
}
