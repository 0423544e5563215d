import type { ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { holdResponse } from '../../src/http/hold-response.ts';
import { ask, listen } from '../http-cache/support.ts';
import { gate, until } from '../support/waiting.ts';

/** Serves one handler whose response is held until the promise settles. */
function held(wait: Promise<unknown> | undefined, handler: (res: ServerResponse) => void): Promise<number> {
  return listen((_req, res) => {
    holdResponse(res, () => wait);
    handler(res);
  });
}

describe('a held response', () => {
  it('leaves when what it waits for has failed, too', async () => {
    const port = await held(Promise.reject(new Error('no')), (res) => void res.end('body'));
    expect(await ask(port, '/')).toMatchObject({ status: 200, text: 'body' });
  });

  it('sends nothing before that, not even headers', async () => {
    const { passed, open } = gate();
    let isAnswered = false;
    const port = await held(passed, (res) => {
      res.flushHeaders();
      res.write('a');
    });
    const answer = fetch(`http://127.0.0.1:${port}/`).then((response) => {
      isAnswered = true;
      return response.body?.cancel();
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isAnswered).toBe(false);
    open();
    await answer;
    expect(isAnswered).toBe(true);
  });

  it('looks to its handler like one whose headers are sent', async () => {
    const { passed, open } = gate();
    const seen: unknown[] = [];
    const port = await held(passed, (res) => {
      seen.push(res.headersSent);
      res.write('a');
      seen.push(res.headersSent);
      for (const late of [
        () => res.setHeader('X-Late', '1'),
        () => res.appendHeader('X-Late', '1'),
        () => res.removeHeader('X-Late'),
        () => res.writeHead(500),
      ]) {
        expect(late).toThrow('Cannot set headers after they are sent');
      }
      res.statusCode = 500;
      res.end('b');
      open();
    });
    const answer = await ask(port, '/');
    expect(answer).toMatchObject({ status: 200, text: 'ab' });
    expect(answer.headers).not.toHaveProperty('x-late');
    expect(seen).toEqual([false, true]);
  });

  it('asks writers for patience and tells them when to go on', async () => {
    const { passed, open } = gate();
    const much = 'm'.repeat(65_536);
    let drained = 0;
    const port = await held(passed, (res) => {
      expect(res.write('a')).toBe(true); // Not yet: a little may be held without stopping anybody.
      expect(res.write(much)).toBe(false);
      expect(res.writeHead(200)).toBe(res);
      res.once('drain', () => {
        drained++;
        res.end('b');
      });
      setTimeout(open, 5);
    });
    expect((await ask(port, '/')).text).toBe(`a${much}b`);
    expect(drained).toBe(1);
  });

  it('tells writers to go on exactly once, also when the socket itself is full then', async () => {
    const { passed, open } = gate();
    const large = Buffer.alloc(4_000_000, 'x');
    let drained = 0;
    const port = await held(passed, (res) => {
      res.write(large);
      res.on('drain', () => {
        if (++drained === 1) setTimeout(() => res.end(), 50);
      });
      setTimeout(open, 5);
    });
    expect((await ask(port, '/')).body).toHaveLength(large.length);
    expect(drained).toBe(1);
  });

  it('calls back for every piece, in order', async () => {
    const { passed, open } = gate();
    const order: string[] = [];
    const port = await held(passed, (res) => {
      res.write('a', () => order.push('a'));
      res.write('b', 'utf8', () => order.push('b'));
      res.end('c', () => order.push('c'));
      open();
    });
    expect((await ask(port, '/')).text).toBe('abc');
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('that is not held after all passes everything through', async () => {
    const port = await held(undefined, (res) => {
      res.writeHead(201, 'Made', { 'X-A': '1' });
      res.write('a');
      res.end('b');
    });
    const answer = await ask(port, '/');
    expect(answer).toMatchObject({ status: 201, reason: 'Made', text: 'ab' });
    expect(answer.headers['x-a']).toBe('1');
  });

  it('that is held twice waits for both', async () => {
    const order: string[] = [];
    const later = (name: string, ms: number) => () =>
      new Promise((resolve) => setTimeout(() => resolve(order.push(name)), ms));
    const port = await listen((_req, res) => {
      holdResponse(res, later('outer', 5));
      holdResponse(res, later('inner', 10));
      res.writeHead(200, { 'Content-Length': '2' });
      res.write('a');
      res.end('b');
    });
    expect((await ask(port, '/')).text).toBe('ab');
    expect(order).toEqual(['inner', 'outer']);
  });

  it('survives a client that has left', async () => {
    const { passed, open } = gate();
    let response: ServerResponse | undefined;
    const port = await held(passed, (res) => {
      response = res;
      res.write('a');
      res.end('b');
    });
    const leaving = new AbortController();
    const answer = fetch(`http://127.0.0.1:${port}/`, { signal: leaving.signal }).catch((error: Error) => error.name);
    await until(() => response !== undefined);
    leaving.abort();
    expect(await answer).toBe('AbortError');
    await new Promise((resolve) => setTimeout(resolve, 20));
    open();
    await until(() => response?.destroyed === true);
  });
});
