import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll } from '@jest/globals';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';

/** ioredis types a client by its `replyMapping`; the tests take any and type none. */
type Untyped = Omit<RedisOptions, 'replyMapping'>;

const opened: (Redis | Cluster)[] = [];

afterAll(() => Promise.all(opened.splice(0).map(disconnected)));

/** Until a connection has ended ioredis holds the process for two seconds after `disconnect`; where there is none that could end, always. So one that is lost has its attempts taken away instead. */
async function disconnected(client: Redis | Cluster): Promise<void> {
  if (client.status === 'end') return;
  const end = once(client, 'end', { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  const isLost = client instanceof Redis && ['close', 'reconnecting'].includes(client.status);
  if (isLost) client.options.retryStrategy = () => null;
  else client.disconnect();
  await end;
  if (isLost && (client.status as string) !== 'end') client.disconnect();
}

/** A connection to the shared server, closed after the test file. */
export function testRedis(options: RedisOptions = {}): Redis {
  return closedLater(new Redis(testRedisUrl(), options as Untyped));
}

/** A connection to the shared Cluster, closed after the test file. */
export function testCluster(options: ClusterOptions = {}): Cluster {
  const redisOptions = { ...options.redisOptions } as Untyped;
  return closedLater(new Cluster(testClusterNodes(), { ...options, redisOptions }));
}

/** Address of the shared server. */
export function testRedisUrl(): string {
  return required('TEST_REDIS_URL');
}

/** Nodes of the shared Cluster. */
export function testClusterNodes(): { host: string; port: number }[] {
  return required('TEST_REDIS_CLUSTER')
    .split(',')
    .map((node) => {
      const colon = node.lastIndexOf(':');
      return { host: node.slice(0, colon), port: Number(node.slice(colon + 1)) };
    });
}

/** Has any client closed after the test file, whether it fails or not. */
export function closedLater<Client extends Redis | Cluster>(client: Client): Client {
  client.on('error', () => undefined);
  opened.push(client);
  return client;
}

/** A key prefix nobody else uses: the servers are shared and never flushed. */
export function uniquePrefix(): string {
  return `t${randomBytes(6).toString('hex')}`;
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: run the tests through jest, whose globalSetup sets it.`);
  return value;
}
