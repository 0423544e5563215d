import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { build } from 'esbuild';
import type { Cluster, Redis } from 'ioredis';
import { testCluster, testClusterNodes, testRedis, testRedisUrl, uniquePrefix } from '../support/connections.ts';

jest.setTimeout(120_000); // Starting a process takes a second, several on a busy machine.

const folder = mkdtempSync(join(tmpdir(), 'write-behind-'));
/** Made once, into one file: processes start many times. */
const program = join(folder, 'process.cjs');
const children = new Set<ChildProcess>();

beforeAll(async () => {
  const entryPoints = [join(__dirname, 'write-behind-process.ts')];
  await build({ entryPoints, outfile: program, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' });
});
afterAll(() => {
  children.forEach((child) => child.kill('SIGKILL'));
  rmSync(folder, { recursive: true });
});

interface Writer {
  readonly child: ChildProcess;
  readonly acknowledged: () => readonly string[];
  /** Resolves when it has recorded some. */
  readonly busy: Promise<void>;
}

function startWriter(servers: string, prefix: string, name: string, first: number): Writer {
  const child = spawn(process.execPath, [program, servers, prefix, name, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  let output = '';
  const acknowledged = (): string[] => output.split('\n').slice(0, -1);
  const busy = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length < 10_000 && acknowledged().length > 30) resolve();
    });
  });
  return { child, acknowledged, busy };
}

async function end({ child }: Writer, signal: NodeJS.Signals): Promise<void> {
  const closed = once(child, 'close');
  child.kill(signal);
  await closed;
  children.delete(child);
}

/** Two processes under load, of which one after the other is killed and started again; then both are asked to end. Returns what was acknowledged. */
async function killAround(servers: string, prefix: string, kills: number): Promise<string[]> {
  const names = ['a', 'b'] as const;
  const all: Writer[] = [];
  const start = (name: string): Writer => {
    const writer = startWriter(servers, prefix, name, all.length * 1_000_000);
    all.push(writer);
    return writer;
  };
  const now = { a: start('a'), b: start('b') };
  await Promise.all([now.a.busy, now.b.busy]);
  for (let i = 0; i < kills; i++) {
    await sleep(20 + Math.random() * 150);
    const name = names[i % 2] ?? 'a';
    await end(now[name], 'SIGKILL');
    now[name] = start(name);
    await now[name].busy;
  }
  await Promise.all([end(now.a, 'SIGTERM'), end(now.b, 'SIGTERM')]);
  return all.flatMap((writer) => writer.acknowledged());
}

interface Written {
  readonly n: number;
  readonly fence: number;
}

function byKey(lines: readonly string[]): Map<string, Written[]> {
  const found = new Map<string, Written[]>();
  for (const line of lines) {
    const [key = '', n, fence] = line.split(' ');
    const numbers = found.get(key) ?? [];
    found.set(key, numbers);
    numbers.push({ n: Number(n), fence: Number(fence ?? 0) });
  }
  return found;
}

/** An owner never writes after the next one has begun: what does. */
function backwards(writes: readonly Written[]): Written[] {
  return writes.filter(({ fence }, i) => fence < (writes[i - 1]?.fence ?? 0));
}

/** What is written for the first time is newer than all that was written before, whatever was written again: what is not. */
function passedOver(writes: readonly Written[]): Written[] {
  const seen = new Set<number>();
  let newest = -1;
  return writes.filter(({ n }) => {
    const isLate = !seen.has(n) && n < newest;
    seen.add(n);
    newest = Math.max(newest, n);
    return isLate;
  });
}

async function left(client: Redis | Cluster, prefix: string): Promise<number> {
  const lengths = [0, 1].map((partition) => client.xlen(`${prefix}:wb:{kill:${partition}}:s`));
  return (await Promise.all(lengths)).reduce((sum, length) => sum + length, 0);
}

describe.each([
  ['Redis', 4, () => testRedis(), () => testRedisUrl().replace('redis://', '')],
  [
    'Cluster',
    1,
    () => testCluster(),
    () =>
      testClusterNodes()
        .map(({ host, port }) => `${host}:${port}`)
        .join(','),
  ],
] as const)('a write-behind on %s whose processes are killed while they write', (_name, kills, connect, servers) => {
  const client = connect();

  it('writes everything it has acknowledged, each key in order', async () => {
    const prefix = uniquePrefix();
    const acknowledged = byKey(await killAround(servers(), prefix, kills));
    const written = byKey(await client.lrange(`${prefix}:sink`, 0, -1));

    expect(await left(client, prefix)).toBe(0);
    expect(acknowledged.size).toBe(6);
    for (const [key, acks] of acknowledged) {
      const writes = written.get(key) ?? [];
      const numbers = new Set(writes.map(({ n }) => n));
      expect({ key, lost: acks.filter(({ n }) => !numbers.has(n)) }).toEqual({ key, lost: [] });
      // The last one written is the last one acknowledged, or one of which the process could not be told any more.
      expect(writes.at(-1)?.n).toBe(Math.max(...numbers));
      expect(writes.at(-1)?.n).toBeGreaterThanOrEqual(acks.at(-1)?.n ?? Infinity);
      expect({ key, backwards: backwards(writes), passedOver: passedOver(writes) }).toEqual({
        key,
        backwards: [],
        passedOver: [],
      });
    }
  });
});
