/** Runs the programs in `examples/` as a reader would: a process of its own, spoken to over HTTP, ended by a signal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { programFile } from '../support/programs.ts';

const PATIENCE_MS = 110_000;
const CACHE_PATIENCE_MS = 10_000;

export interface Program {
  /** Everything it has written so far, errors included. */
  output(): string;
  /** Resolves to the first match in what it has written or will write. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves to its exit code, or to the signal that ended it. */
  ended(): Promise<number | string>;
  /** Sends a signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<number | string>;
}

export interface RunOptions {
  /** For Node itself. `--import tsx` runs the source, as a reader would, instead of the bundle. */
  readonly node?: readonly string[];
  readonly args?: readonly string[];
  /** Added to an environment that names no Redis. */
  readonly env?: Record<string, string>;
}

export function run(file: string, { node = [], args = [], env = {} }: RunOptions = {}): Program {
  const source = `examples/${file}`;
  const program = node.includes('tsx') ? source : programFile(source);
  const child = spawn(process.execPath, [...node, program, ...args], {
    env: { ...environmentWithoutRedis(), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = collect(child);
  const exit = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => code ?? signal ?? 'unknown');

  const ended = async (): Promise<number | string> => {
    const outcome = await Promise.race([exit, sleep(PATIENCE_MS, undefined, { ref: false })]);
    if (outcome !== undefined) return outcome;
    child.kill('SIGKILL');
    throw new Error(`${file} did not end. It wrote:\n${written()}`);
  };

  return {
    output: written,
    ended,
    async wrote(pattern) {
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        const match = pattern.exec(written());
        if (match !== null) return match;
        if (child.exitCode !== null || performance.now() > deadline) {
          child.kill('SIGKILL');
          throw new Error(`${file} did not write ${pattern}. It wrote:\n${written()}`);
        }
        await sleep(20);
      }
    },
    end(signal = 'SIGTERM') {
      child.kill(signal);
      return ended();
    },
  };
}

/** The address a program prints, without the path. */
export async function originOf(program: Program): Promise<string> {
  const [origin] = await program.wrote(/http:\/\/localhost:\d+/);
  return origin;
}

export interface Asked {
  readonly status: number;
  /** What the cache said about it. */
  readonly cache: string;
  readonly body: unknown;
}

export async function ask(url: string, init?: RequestInit): Promise<Asked> {
  const response = await fetch(url, init);
  return {
    status: response.status,
    cache: response.headers.get('cache-status') ?? '',
    body: await response.json(),
  };
}

/**
 * Asks until the cache took part. Where Redis is not connected yet, or a busy machine lets it miss its deadline, the cache stays out of it
 * (`fwd=bypass`) and stores nothing, so asking again changes nothing else.
 */
export async function askCache(url: string, init?: RequestInit): Promise<Asked> {
  const deadline = performance.now() + CACHE_PATIENCE_MS;
  for (;;) {
    const asked = await ask(url, init);
    if (!asked.cache.includes('fwd=bypass') || performance.now() > deadline) return asked;
    await sleep(50);
  }
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  }
  return () => text;
}

/** The tests' own variables, and any the developer has set, must not reach a program that is to start without Redis. */
function environmentWithoutRedis(): Record<string, string | undefined> {
  const kept = new Set(['REDIS_SERVER_BIN', 'REDIS_TEST_PORTS']);
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('REDIS_') || kept.has(name)),
  );
}
