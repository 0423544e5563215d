import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { uniquePrefix } from '../support/connections.ts';
import type { DataWorkerSettings, FromWorker, Job, ToWorker } from './data-worker.ts';
import { gate, until } from '../support/waiting.ts';

interface Worker {
  readonly child: ChildProcess;
  /** Has it done; resolves what came of it. */
  do<T = unknown>(what: Job): Promise<T>;
}

/** What is made of the run-th load of a key; it may take its time, and throw. */
type Script = (run: number) => string | Promise<string>;

/** The loads of one key. */
interface Story {
  readonly key: string;
  readonly runs: Worker[];
  /** How many loads there were at a time at most. */
  most: number;
}

interface Processes {
  readonly prefix: string;
  readonly workers: Worker[];
  tell(name: string, script: Script): Story;
  /** So many calls in each process, at once. Resolves what each got: its value, or the message of its error. */
  burst(story: Story, each: number, from?: readonly Worker[]): Promise<string[]>;
}

/** Processes with a data cache, whose loads are told here. */
export function openProcesses(count: number, redis: () => Omit<DataWorkerSettings, 'prefix'>): Processes {
  const prefix = uniquePrefix();
  const stories = new Map<string, { readonly script: Script; readonly story: Story; running: number }>();
  const workers: Worker[] = [];
  const rejections: string[] = [];
  const children: ChildProcess[] = [];

  async function makeOne(key: string, worker: Worker): Promise<string> {
    const found = stories.get(key);
    if (found === undefined) throw new Error(`${key} is in no story`);
    const { story, script } = found;
    story.runs.push(worker);
    story.most = Math.max(story.most, ++found.running);
    try {
      return await script(story.runs.length);
    } finally {
      found.running--;
    }
  }

  async function start(): Promise<Worker> {
    const child = fork(join(__dirname, 'data-worker.ts'), { execArgv: ['--import', 'tsx'] });
    children.push(child);
    const jobs = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
    let job = 0;
    const tell = (message: ToWorker): void => void (child.connected && child.send(message));
    const worker: Worker = {
      child,
      do: <T>(what: Job) =>
        new Promise<T>((resolve, reject) => {
          jobs.set(++job, { resolve, reject });
          tell({ job, what });
        }),
    };
    return new Promise((resolve) => {
      child.on('message', (message: FromWorker) => {
        if ('ready' in message) resolve(worker);
        else if ('rejection' in message) rejections.push(message.rejection);
        else if ('load' in message) {
          const { load: loaded, keys } = message;
          Promise.all(keys.map((key) => makeOne(key, worker))).then(
            (values) => tell({ loaded, values }),
            (error: unknown) => tell({ loaded, values: [], error: (error as Error).message }),
          );
        } else if (message.error === undefined) jobs.get(message.ended)?.resolve(message.value);
        else jobs.get(message.ended)?.reject(new Error(message.error));
      });
      child.send({ prefix, ...redis() } satisfies DataWorkerSettings);
    });
  }

  beforeAll(async () => {
    workers.push(...(await Promise.all(Array.from({ length: count }, start))));
  });

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    expect(rejections).toEqual([]);
  });

  return {
    prefix,
    workers,
    tell(name, script) {
      const story: Story = { key: `${name}-${stories.size}`, runs: [], most: 0 };
      stories.set(story.key, { script, story, running: 0 });
      return story;
    },
    burst(story, each, from = workers) {
      const calls = from.flatMap((worker) => Array.from({ length: each }, () => worker));
      return Promise.all(
        calls.map((worker) =>
          worker.do<string>({ do: 'getOrSet', key: story.key }).catch((error: unknown) => (error as Error).message),
        ),
      );
    },
  };
}

/** What processes that share a Redis promise about values that many ask for at once. */
export function describeStampedes(where: string, { tell, burst, workers }: Processes): void {
  describe(`processes on ${where}`, () => {
    it('load a value once for all who ask for it at the same time', async () => {
      const story = tell('burst', async (run) => sleep(100, `run ${run}`));
      const values = await burst(story, 25);
      expect(values).toHaveLength(workers.length * 25);
      expect(new Set(values)).toEqual(new Set(['run 1']));
      expect(story.runs).toHaveLength(1);
    });

    it('load it one at a time while loading fails, and everybody gets an error or a value', async () => {
      const story = tell('fails', async (run) => {
        await sleep(30);
        if (run === 1) throw new Error('error 1');
        return `run ${run}`;
      });
      const values = await burst(story, 5);
      expect(new Set(values)).toEqual(new Set(['error 1', 'run 2']));
      expect(values.filter((value) => value === 'error 1')).toHaveLength(5); // Of the process whose load it was.
      expect([story.runs.length, story.most]).toEqual([2, 1]);
    });

    it('share an error within a process only', async () => {
      const story = tell('always fails', async (run) => {
        await sleep(20);
        throw new Error(`error ${run}`);
      });
      const values = await burst(story, 5);
      expect(new Set(values)).toEqual(new Set(workers.map((_, i) => `error ${i + 1}`)));
      expect([story.runs.length, story.most]).toEqual([workers.length, 1]);
    });

    const changes: readonly (readonly [string, (worker: Worker, key: string) => Promise<unknown>, string])[] = [
      ['deleted', (worker, key) => worker.do({ do: 'delete', key }), 'run 2'],
      ['invalidated', (worker, key) => worker.do({ do: 'invalidate', tag: `of ${key}` }), 'run 2'],
      ['set', (worker, key) => worker.do({ do: 'set', key }), 'set'],
    ];

    it.each(changes)('do not hand out what was being loaded when the value was %s', async (_what, change, expected) => {
      const [old, fresh] = [gate(), gate()];
      const story = tell('changed', async (run) => {
        await (run === 1 ? old : fresh).passed;
        return `run ${run}`;
      });
      const first = burst(story, 3, workers.slice(0, 1));
      await until(() => story.runs.length === 1);
      const waiting = burst(story, 1, workers.slice(1)); // They asked before: whatever they get is right.
      await sleep(20);
      await change(workers.at(-1) as Worker, story.key);
      const later = burst(story, 5);
      await (expected === 'set' ? later : until(() => story.runs.length > 1));
      await sleep(150); // All have asked again who loads it.
      old.open();
      await sleep(30); // What it made is refused meanwhile.
      fresh.open();
      expect(new Set(await later)).toEqual(new Set([expected]));
      const earlier = new Set([...(await first), ...(await waiting)]);
      expect(earlier).toContain('run 1');
      expect([...earlier].filter((value) => value !== 'run 1' && value !== expected)).toEqual([]);
      expect(await Promise.all(workers.map((worker) => worker.do({ do: 'get', key: story.key })))).toEqual(
        workers.map(() => expected),
      );
      expect(story.runs).toHaveLength(expected === 'set' ? 1 : 2);
    });

    it('load every key of overlapping batches once', async () => {
      const keys = Array.from({ length: 6 }, (_, i) => tell(`batch ${i}`, async (run) => sleep(60, `run ${run}`)));
      const batches = workers.map((worker, i) => {
        const asked = [...keys.slice(i), ...keys.slice(0, i)].slice(0, 5).map(({ key }) => key);
        return worker.do({ do: 'getOrSetMany', keys: asked });
      });
      for (const values of await Promise.all(batches)) expect(values).toEqual(Array.from({ length: 5 }, () => 'run 1'));
      const ran = keys.filter(({ runs }) => runs.length > 0);
      expect(ran.map(({ runs }) => runs.length)).toEqual(ran.map(() => 1));
    });
  });
}
