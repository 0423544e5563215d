/** One process of an application, for tests: it does with its data cache what it is told, and what its loaders make is told by the test, which counts and holds them. */
import { Cluster, Redis } from 'ioredis';
import { createDataCache, type DataCache } from '../../src/data/data.ts';
import { createInvalidation, type Invalidator } from '../../src/invalidation/invalidation.ts';

/** What a worker is made of. */
export interface DataWorkerSettings {
  readonly prefix: string;
  readonly redis?: string;
  readonly cluster?: readonly { host: string; port: number }[];
}

/** What a worker is told to do. */
export type Job =
  | { readonly do: 'getOrSet' | 'get' | 'set' | 'delete'; readonly key: string }
  | { readonly do: 'getOrSetMany'; readonly keys: readonly string[] }
  | { readonly do: 'invalidate'; readonly tag: string }
  /** Resolves how often leases have been asked for. */
  | { readonly do: 'countAsks' };

/** What a worker says: it is ready, it loads, a job has ended, or something was not heeded. */
export type FromWorker =
  | { readonly ready: true }
  | { readonly load: number; readonly keys: readonly string[] }
  | { readonly ended: number; readonly value?: unknown; readonly error?: string }
  | { readonly rejection: string };

/** What a worker is told: a job, or what a loader makes. */
export type ToWorker =
  | { readonly job: number; readonly what: Job }
  | { readonly loaded: number; readonly values: readonly string[]; readonly error?: string };

function start({ prefix, redis, cluster }: DataWorkerSettings): void {
  const named = { connectionName: prefix };
  const client =
    cluster === undefined ? new Redis(String(redis), named) : new Cluster([...cluster], { redisOptions: named });
  const place = { redis: client, prefix, deadline: '5s' } as const;
  const parts = { data: createDataCache(place), invalidate: createInvalidation(place).invalidate };
  const waiting = new Map<number, (told: Extract<ToWorker, { loaded: number }>) => void>();
  const asks = countAsks(client);

  async function load(keys: readonly string[]): Promise<string[]> {
    const id = waiting.size + Math.random();
    const told = new Promise<Extract<ToWorker, { loaded: number }>>((resolve) => void waiting.set(id, resolve));
    say({ load: id, keys });
    const { values, error } = await told;
    waiting.delete(id);
    if (error !== undefined) throw new Error(error);
    return [...values];
  }

  process.on('message', (message: ToWorker) => {
    if ('loaded' in message) return waiting.get(message.loaded)?.(message);
    const { job, what } = message;
    perform(parts, what, { load, asks }).then(
      (value) => say({ ended: job, value }),
      (error: unknown) => say({ ended: job, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  client.once('ready', () => say({ ready: true }));
}

function perform(
  { data, invalidate }: { readonly data: DataCache } & Pick<Invalidator, 'invalidate'>,
  job: Job,
  { load, asks }: { load(keys: readonly string[]): Promise<string[]>; asks(): number },
): Promise<unknown> {
  switch (job.do) {
    case 'getOrSet':
      return data.getOrSet(job.key, async () => (await load([job.key]))[0], { ttl: '1m', tags: [`of ${job.key}`] });
    case 'getOrSetMany':
      return data.getOrSetMany(job.keys, load, { ttl: '1m' });
    case 'set':
      return data.set(job.key, 'set');
    case 'invalidate':
      return invalidate([job.tag]);
    case 'get':
      return data.get(job.key);
    case 'delete':
      return data.delete(job.key);
    case 'countAsks':
    default:
      return Promise.resolve(asks());
  }
}

/** Asking for a lease is the one script of a lease that takes three keys. */
function countAsks(client: Redis | Cluster): () => number {
  const call = client.call.bind(client) as (...args: unknown[]) => Promise<unknown>;
  let asks = 0;
  const counting = (...args: unknown[]): Promise<unknown> => {
    if (args[0] === 'evalsha' && args[2] === 3 && String(args[3]).includes(':c:{')) asks++;
    return call(...args);
  };
  Object.assign(client, { call: counting });
  return () => asks;
}

function say(message: FromWorker): void {
  process.send?.(message);
}

process.on('unhandledRejection', (reason) => say({ rejection: String(reason) }));
process.on('disconnect', () => process.exit());
process.once('message', (settings) => start(settings as DataWorkerSettings));
