import type { RequestListener, ServerResponse } from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { holdResponse } from '../../src/http/hold-response.ts';
import { listen } from '../http-cache/support.ts';
import { gate } from '../support/waiting.ts';

/** What a handler does with its response. `open`: what it is held for is done. */
interface Step {
  readonly name: string;
  run(res: ServerResponse, open: () => void): unknown;
}

const toStep = (name: string, run: Step['run']): Step => ({ name, run });

const header = fc.constantFrom('X-A', 'x-b', 'Set-Cookie');
const value = fc.constantFrom('1', '2');
const status = fc.constantFrom(200, 201, 204, 304, 404);
const chunk = fc.oneof(
  fc.constantFrom<string | Buffer>('', 'a', 'ü', Buffer.from('b'), Buffer.alloc(0)),
  fc.integer({ min: 60_000, max: 70_000 }).map((size) => 'l'.repeat(size)),
);

const writeHead = fc
  .record({
    code: status,
    reason: fc.constantFrom(undefined, 'Reason'),
    form: fc.constantFrom('object', 'flat', 'none'),
    pairs: fc.uniqueArray(fc.tuple(header, value), { maxLength: 3, selector: ([name]) => name }),
  })
  .map(({ code, reason, form, pairs }) => {
    const headers = { none: undefined, flat: pairs.flat(), object: Object.fromEntries(pairs) }[form];
    return toStep(`writeHead ${code} ${reason} ${form} ${String(pairs)}`, (res) =>
      reason === undefined ? res.writeHead(code, headers) : res.writeHead(code, reason, headers),
    );
  });

const quiet = fc.oneof(
  fc.constant(toStep('tick', () => turn())),
  fc.constant(toStep('open', (_res, open) => open())),
  fc.constant(toStep('flushHeaders', (res) => res.flushHeaders())),
  fc.constant(toStep('message', (res) => (res.statusMessage = 'Odd'))),
  status.map((code) => toStep(`status ${code}`, (res) => (res.statusCode = code))),
  fc.tuple(header, value).map(([name, text]) => toStep(`set ${name} ${text}`, (res) => res.setHeader(name, text))),
  fc.tuple(header, value).map(([name, text]) => toStep(`add ${name} ${text}`, (res) => res.appendHeader(name, text))),
  header.map((name) => toStep(`remove ${name}`, (res) => res.removeHeader(name))),
  writeHead,
);

const write = fc.oneof(
  chunk.map((bytes) => toStep(`write ${bytes.length}`, (res) => res.write(bytes))),
  fc.constant(toStep('write hex', (res) => res.write('6162', 'hex'))),
);

const end = fc.oneof(
  fc.constant(toStep('end', (res) => res.end())),
  chunk.map((bytes) => toStep(`end ${bytes.length}`, (res) => res.end(bytes))),
  fc
    .array(fc.constantFrom('p', 'q'.repeat(30_000)), { maxLength: 4 })
    .map((parts) =>
      toStep(`pipe ${parts.map(({ length }) => length).join('+')}`, (res) =>
        Readable.from(parts.map((part) => Buffer.from(part))).pipe(res),
      ),
    ),
);
const destroy = fc.constant(toStep('destroy', (res) => res.destroy()));

/** A response from its beginning to its end, and what is tried then. */
const stories = (last: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> =>
  fc
    .tuple(fc.array(fc.oneof(quiet, write), { maxLength: 8 }), last, fc.array(quiet, { maxLength: 4 }))
    .map(([before, ending, after]) => before.concat(ending, after));

/** Serves one story at a time. */
async function stage(
  prepare: (res: ServerResponse) => () => void,
): Promise<(story: readonly Step[]) => Promise<string>> {
  let current: readonly Step[] = [];
  const handler: RequestListener = (_req, res) => {
    res.sendDate = false;
    res.on('error', () => undefined);
    const open = prepare(res);
    void play(current, res, open);
  };
  const port = await listen(handler);
  return (story) => {
    current = story;
    return received(port);
  };
}

async function play(story: readonly Step[], res: ServerResponse, open: () => void): Promise<void> {
  for (const { run } of story) {
    try {
      await run(res, open);
    } catch {
      // Headers were sent.
    }
  }
  open();
}

const HANGS = 'It hangs.';

/** Content that came in chunks. Where one ends and the next begins means nothing: Node 26 makes one of all that is written in a turn. */
function unchunked(bytes: string): string {
  const size = Number.parseInt(bytes, 16);
  const at = bytes.indexOf('\r\n') + 2;
  if (size === 0) return bytes === '0\r\n\r\n' ? '' : ` and ${bytes}`;
  if (!(size > 0) || bytes.slice(at + size, at + size + 2) !== '\r\n') return ` and ${bytes}`;
  return bytes.slice(at, at + size) + unchunked(bytes.slice(at + size + 2));
}

/** One answer; the headers by name. */
async function received(port: number): Promise<string> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  socket.setTimeout(5_000, () => socket.destroy(new Error(HANGS)));
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let bytes = '';
  for await (const part of socket) bytes += part;
  const at = bytes.indexOf('\r\n\r\n');
  const [first, ...lines] = bytes.slice(0, at).split('\r\n');
  const content = bytes.slice(at + 4);
  const isChunked = lines.includes('Transfer-Encoding: chunked') && content !== '';
  return [first, ...lines.toSorted(), '', isChunked ? unchunked(content) : content].join('\n');
}

/** Holds a response until it is opened. */
function hold(res: ServerResponse): () => void {
  const { passed, open } = gate();
  holdResponse(res, () => passed);
  return open;
}

it('a held response is the same as one that nobody holds', async () => {
  const [plain, held] = [await stage(() => () => undefined), await stage(hold)];
  const isSame = fc.asyncProperty(stories(end), async (story) => {
    const names = story.map(({ name }) => name);
    expect({ names, answer: await held(story) }).toEqual({ names, answer: await plain(story) });
  });
  await fc.assert(isSame, { numRuns: 200 });
});

it('of a response that was discarded its client sees nothing, whatever its handler still does', async () => {
  const held = await stage((res) => {
    const { passed, open } = gate();
    const refuse = (): void => {
      for (const name of res.getHeaderNames()) res.removeHeader(name);
      Object.assign(res, { statusCode: 503, statusMessage: 'Failed' });
      res.end('another');
    };
    holdResponse(res, () => passed.then(() => Promise.reject(new Error('no'))), refuse);
    return open;
  });
  const isAnother = fc.asyncProperty(stories(end), async (story) => {
    const answer = await held(story);
    expect(answer).toBe('HTTP/1.1 503 Failed\nConnection: close\nContent-Length: 7\n\nanother');
  });
  await fc.assert(isAnother, { numRuns: 100 });
});

it('a held response that its handler destroys ends its connection', async () => {
  const held = await stage(hold);
  const isEnded = fc.asyncProperty(stories(destroy), async (story) => {
    const end = await held(story).catch((error: Error) => error.message);
    expect(end).not.toBe(HANGS);
  });
  await fc.assert(isEnded, { numRuns: 50 });
});
