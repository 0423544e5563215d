import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { uniquePrefix } from '../support/connections.ts';
import { programFile } from '../support/programs.ts';
import { type Answer, type Ask, ask as askOn } from './support.ts';
import { gate, until } from '../support/waiting.ts';
import type { Told, WorkerSettings } from './worker.ts';
import { runningTime } from '../support/running-time.ts';

const PROCESSES = 4;
/** What the workers have in common, so that their keys are the same. */
const HOST = 'shop.test';

interface Worker {
  readonly child: ChildProcess;
  readonly port: number;
}

type Script = (run: number, pid: number) => Told | Promise<Told>;

/** A route's handler as the workers run it: they ask here what to answer. */
interface Story {
  readonly path: string;
  /** Process ids, one for each run. */
  readonly runs: number[];
}

/** A leader's end, and which requests then run their own handlers. */
const ENDINGS: readonly { readonly name: string; readonly route?: string; readonly told: Told }[] = [
  { name: 'throws', told: { end: 'throw' } },
  { name: 'answers 404', told: { status: 404, body: 'no' } },
  { name: 'answers privately', told: { headers: { 'Cache-Control': 'private' }, body: 'mine' } },
  { name: 'sets a cookie', told: { headers: { 'Set-Cookie': 'a=1' }, body: 'mine' } },
  { name: 'is too large', route: 'small', told: { body: 'x'.repeat(200) } },
  { name: 'becomes too large', route: 'small', told: { body: 'x'.repeat(200), end: 'stream' } },
  { name: 'destroys its response', told: { end: 'destroy' } },
];

/** What four processes on one Redis promise about concurrent misses. */
export function describeProcesses(where: string, redis: () => Pick<WorkerSettings, 'redis' | 'cluster'>): void {
  const scripts = new Map<string, { script: Script; story: Story }>();
  const rejections: string[] = [];
  const workers: Worker[] = [];
  const prefix = uniquePrefix();
  const origin = http.createServer((req, res) => {
    const url = new URL(String(req.url), 'http://origin');
    const pid = Number(url.searchParams.get('pid'));
    const found = scripts.get(url.pathname);
    found?.story.runs.push(pid);
    const told = Promise.resolve(found?.script(found.story.runs.length, pid) ?? {});
    void told.then((answer) => res.end(JSON.stringify(answer)));
  });
  let stories = 0;

  async function startWorker(): Promise<Worker> {
    const child = fork(programFile('test/http-cache/worker.ts'));
    const port = new Promise<number>((resolve) => {
      child.on('message', (message: { port?: number; rejection?: string }) => {
        if (message.rejection !== undefined) rejections.push(message.rejection);
        if (message.port !== undefined) resolve(message.port);
      });
    });
    const { port: originPort } = origin.address() as AddressInfo;
    child.send({ origin: `http://127.0.0.1:${originPort}`, prefix, ...redis() } satisfies WorkerSettings);
    return { child, port: await port };
  }

  beforeAll(async () => {
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    workers.push(...(await Promise.all(Array.from({ length: PROCESSES }, startWorker))));
  });

  afterAll(() => {
    for (const { child } of workers) child.kill('SIGKILL');
    origin.closeAllConnections();
    origin.close();
    expect(rejections).toEqual([]);
  });

  function tell(name: string, script: Script, route = 'plain'): Story {
    const story: Story = { path: `/${route}/${name}-${++stories}`, runs: [] };
    scripts.set(story.path, { script, story });
    return story;
  }

  function ask(worker: Worker | undefined, { path }: Story, options: Ask = {}): Promise<Answer> {
    return askOn(worker?.port ?? 0, path, { ...options, headers: { host: HOST, ...options.headers } });
  }

  /** So many requests to each process, at once. */
  function burst(story: Story, each: number, optionsOf: (i: number) => Ask = () => ({})): Promise<Answer[]> {
    const all = Array.from({ length: each * workers.length }, (_, i) => i);
    return Promise.all(all.map((i) => ask(workers[i % workers.length], story, optionsOf(i))));
  }

  function textsOf(answers: readonly Answer[]): Set<string> {
    return new Set(answers.map(({ text }) => text));
  }

  describe(`four processes on ${where}`, () => {
    it('run a handler once for all requests that miss together', async () => {
      const story = tell('burst', async (run) => sleep(100, { body: `run ${run}` }));
      expect(textsOf(await burst(story, 10))).toEqual(new Set(['run 1']));
      expect(story.runs).toHaveLength(1);
    });

    it('run it once through two caches, one behind the other', async () => {
      const story = tell('both', async (run) => sleep(50, { body: `run ${run}` }), 'nested');
      expect(textsOf(await burst(story, 5))).toEqual(new Set(['run 1']));
      expect(story.runs).toHaveLength(1);
    });

    it('run it once for each variant', async () => {
      const story = tell('vary', async () => sleep(50, { body: 'for ' }));
      const languages = ['de', 'en', 'fr'];
      const languageOf = (i: number): string => languages[i % 3] ?? '';
      const answers = await burst(story, 6, (i) => ({ headers: { 'Accept-Language': languageOf(i) } }));
      expect(answers.map(({ text }) => text)).toEqual(answers.map((_, i) => `for ${languageOf(i)}`));
      expect(story.runs).toHaveLength(3);
    });

    it('refresh a stale response once', async () => {
      const door = gate();
      const story = tell('refresh', async (run) => (run > 1 && (await door.passed), { body: `run ${run}` }), 'soon');
      await ask(workers[0], story);
      await sleep(350);
      expect(textsOf(await burst(story, 3))).toEqual(new Set(['run 1']));
      await sleep(300); // All have asked who may, and again.
      expect(story.runs).toHaveLength(2);
      door.open();
      // What is new reaches everybody, after the moment that storing it takes.
      let texts = new Set(['run 1']);
      for (const giveUpAt = runningTime() + 4_000; texts.has('run 1') && runningTime() < giveUpAt;) {
        texts = textsOf(await burst(story, 1));
      }
      expect(texts.has('run 1')).toBe(false);
    });

    it.each(ENDINGS)('answer those who wait for a handler that $name', async ({ told, route }) => {
      const door = gate();
      const story = tell('ends', async (run) => (run > 1 ? { body: 'own' } : door.passed.then(() => told)), route);
      const leader = ask(workers[0], story).catch(() => undefined);
      await until(() => story.runs.length === 1);
      const waiting = workers.slice(1).flatMap((worker) => [ask(worker, story), ask(worker, story)]);
      await sleep(50);
      expect(story.runs).toHaveLength(1);
      door.open();
      const openedAt = runningTime();
      expect(textsOf(await Promise.all(waiting))).toEqual(new Set(['own']));
      expect(runningTime() - openedAt).toBeLessThan(3_000); // Nobody ran into the limit of waiting.
      await leader;
    });

    it('let one other take the place of a request whose client has left', async () => {
      const doors = [gate(), gate()];
      const story = tell('left', async (run) => (await doors[run - 1]?.passed, { body: `run ${run}` }));
      const { port } = workers[0] ?? { port: 0 };
      const leaving = http.get({ host: '127.0.0.1', port, path: story.path, headers: { host: HOST } });
      leaving.on('error', () => undefined);
      await until(() => story.runs.length === 1);
      const waiting = burst(story, 3);
      await sleep(50);
      leaving.destroy();
      await until(() => story.runs.length === 2);
      await sleep(150);
      expect(story.runs).toHaveLength(2); // All others wait for that one.
      doors[1]?.open();
      expect(textsOf(await waiting)).toEqual(new Set(['run 2']));
    });

    it('do not queue up behind responses that cannot be stored', async () => {
      const doors = [gate(), gate()];
      const mine: Told = { headers: { 'Cache-Control': 'private' }, body: 'mine' };
      const story = tell('private', async (run) => doors[run <= 4 ? 0 : 1]?.passed.then(() => mine) ?? mine);
      const first = burst(story, 1);
      await until(() => story.runs.length === 1);
      doors[0]?.open();
      await first;
      const ran = story.runs.length;
      const pending = burst(story, 3);
      await until(() => story.runs.length === ran + 12); // None has been answered yet.
      doors[1]?.open();
      expect(textsOf(await pending)).toEqual(new Set(['mine']));
    });

    it('keep those who say who they are apart from those who do not', async () => {
      const door = gate();
      const story = tell('who', async (run) => (await door.passed, { body: `run ${run}` }));
      const anonymous = ask(workers[0], story);
      await until(() => story.runs.length === 1);
      const known = ask(workers[1], story, { headers: { Authorization: 'me' } });
      await until(() => story.runs.length === 2); // It did not wait.
      door.open();
      expect([(await anonymous).text, (await known).text]).toEqual(['run 1', 'run 2']);
    });

    it('send a stream to its own client at once, and whole to those who wait', async () => {
      const door = gate();
      const story = tell('streams', async () => door.passed.then(() => ({ body: 'ended', end: 'stream' }) as const));
      const { port } = workers[0] ?? { port: 0 };
      const request = http.get({ host: '127.0.0.1', port, path: story.path, headers: { host: HOST } });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      const [first] = (await once(response, 'data')) as [Buffer];
      expect(first.toString()).toBe('begun ');
      response.resume();
      const waiting = burst(story, 2);
      await sleep(50);
      door.open();
      expect(textsOf(await waiting)).toEqual(new Set(['begun begun ended']));
      expect(story.runs).toHaveLength(1);
    });

    it('go on when the one that computes is killed, and when it never answers', async () => {
      const victim = await startWorker();
      const killed = tell('killed', async (run) =>
        run === 1 ? new Promise<never>(() => undefined) : { body: `run ${run}` },
      );
      const hung = tell('hung', (run) => (run === 1 ? { end: 'never' } : { body: 'own' }));
      void ask(victim, killed).catch(() => undefined);
      void ask(workers[0], hung).catch(() => undefined);
      await until(() => killed.runs.length === 1 && hung.runs.length === 1);
      const [afterKill, afterHang] = [burst(killed, 2), ask(workers[1], hung)];
      await sleep(50);
      const killedAt = runningTime();
      victim.child.kill('SIGKILL');
      expect(textsOf(await afterKill)).toEqual(new Set(['run 2']));
      expect(runningTime() - killedAt).toBeLessThan(4_500); // The lease's 3 s, and a poll.
      expect(killed.runs).toHaveLength(2);
      expect((await afterHang).text).toBe('own');
      expect(runningTime() - killedAt).toBeLessThan(7_000);
    });
  });
}
