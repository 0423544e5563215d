import { afterAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { browser } from '../session/support.ts';
import { originOf, type Program, run } from './program.ts';

const running: Program[] = [];

function start(file: string, env: Record<string, string> = {}): Program {
  const prefix = `examples-sessions-${process.pid}:`;
  const program = run(file, {
    env: { REDIS_URL: process.env['TEST_REDIS_URL'] ?? '', REDIS_KEY_PREFIX: prefix, ...env },
  });
  running.push(program);
  return program;
}

async function portOf(program: Program): Promise<number> {
  return Number(new URL(await originOf(program)).port);
}

afterAll(() => Promise.all(running.map((program) => program.end('SIGKILL'))));

const POST = { method: 'POST' };

describe('examples/sessions.ts', () => {
  it('lists devices, ends one of them, and all of them', async () => {
    const program = start('sessions.ts');
    const port = await portOf(program);
    const [phone, laptop, other] = [browser(port), browser(port), browser(port)];
    expect((await phone.ask('/devices')).status).toBe(401);
    for (const [device, user] of [
      [phone, 'anna'],
      [laptop, 'anna'],
      [other, 'ben'],
    ] as const) {
      await device.ask(`/login/${user}`, POST);
    }
    const list = JSON.parse((await laptop.ask('/devices')).text) as { handle: string; current: boolean }[];
    expect(list.map(({ current }) => current)).toEqual([false, true]);
    const path = `/devices/${list[0]?.handle}`;
    expect((await other.ask(path, { method: 'DELETE' })).text).toBe('{"ended":false}');
    expect((await laptop.ask(path, { method: 'DELETE' })).text).toBe('{"ended":true}');
    expect((await phone.ask('/devices')).status).toBe(401);
    expect((await laptop.ask('/logout-everywhere', POST)).text).toBe('{"ended":1}');
    expect((await laptop.ask('/devices')).status).toBe(401);
    expect((await other.ask('/devices')).status).toBe(200);
    expect(await program.end()).toBe(0);
  });
});

describe('examples/sessions-encrypted.ts', () => {
  it('shows nothing of a session in Redis, and reads it with the key after the next as well', async () => {
    const env = { SESSION_SECRET: 's'.repeat(32), SESSION_KEYS: 'a'.repeat(32) };
    const program = start('sessions-encrypted.ts', env);
    const first = browser(await portOf(program));
    await first.ask('/note/unmistakable', { method: 'PUT' });
    const stored = (await first.ask('/stored')).text;
    expect(stored).toContain('.note');
    expect(stored).not.toContain('unmistakable');
    expect(await program.end()).toBe(0);

    const next = start('sessions-encrypted.ts', { ...env, SESSION_KEYS: `${'b'.repeat(32)},${env.SESSION_KEYS}` });
    expect((await browser(await portOf(next), first.cookies).ask('/note')).text).toBe('{"note":"unmistakable"}');
    expect(await next.end()).toBe(0);
  });
});

describe('examples/sessions-migration.ts', () => {
  it('counts on through all phases', async () => {
    const phases = ['old', 'one', 'two', 'done'].map((PHASE) => start('sessions-migration.ts', { PHASE }));
    const user = browser(0);
    const counted: unknown[] = [];
    for (const phase of phases) {
      const answer = await browserAt(await portOf(phase), user.cookies).ask('/visits');
      counted.push(JSON.parse(answer.text));
    }
    expect(counted).toEqual([{ visits: 1 }, { visits: 2 }, { visits: 3 }, { visits: 4 }]);
    expect(await Promise.all(phases.map((phase) => phase.end()))).toEqual([0, 0, 0, 0]);
  });
});

/** A browser with the cookies of another one, which it goes on with. */
function browserAt(port: number, cookies: Map<string, string>): ReturnType<typeof browser> {
  const one = browser(port, cookies);
  return {
    cookies,
    async ask(path, options) {
      const answer = await one.ask(path, options);
      for (const [name, value] of one.cookies) cookies.set(name, value);
      return answer;
    },
  };
}

describe('examples/sessions-sockets.ts', () => {
  it('greets who is logged in, refuses who is not, and closes the socket at logout', async () => {
    const program = start('sessions-sockets.ts');
    const port = await portOf(program);
    const user = browser(port);
    expect((await connectTo(port, '')).status).toBe(401);
    await user.ask('/login/anna', POST);
    const { status, received, socket } = await connectTo(port, `sid=${user.cookies.get('sid')}`);
    expect(status).toBe(101);
    await until(() => received().includes('Hello anna'));
    await user.ask('/logout', POST);
    await until(() => received().endsWith('\u0088\u0002\u000f\u00a1'));
    socket?.destroy();
    expect(await program.end()).toBe(0);
  });
});

interface Connected {
  readonly status: number | undefined;
  readonly socket?: Duplex;
  received(): string;
}

/** Asks for a WebSocket. `received` is what came over it so far, a character per byte. */
function connectTo(port: number, cookie: string): Promise<Connected> {
  const headers = { cookie, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'a2V5' };
  return new Promise((resolve, reject) => {
    const asking = request({ port, headers: { ...headers, 'sec-websocket-version': '13' } });
    asking.once('error', reject);
    asking.once('response', ({ statusCode: status }) => resolve({ status, received: () => '' }));
    asking.once('upgrade', ({ statusCode: status }, socket, head) => {
      let text = head.toString('latin1');
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      resolve({ status, socket, received: () => text });
    });
    asking.end();
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!isTrue()) {
    if (performance.now() > giveUpAt) throw new Error('It did not happen.');
    await sleep(20);
  }
}
