import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createRedis, type CreateRedisOptions } from '../../src/redis/redis.ts';
import { createSubscriber } from '../../src/redis/subscriber.ts';
import { closedLater } from '../support/connections.ts';
import { backAfter, collectingLogger, eventually } from '../support/outages.ts';
import { type RedisProcess, type RedisSentinels, startSentinels } from '../support/redis-server.ts';

let deployment: RedisSentinels;

beforeAll(async () => {
  deployment = await startSentinels();
});
afterAll(() => deployment.stop());

function create(options: CreateRedisOptions = {}): Redis {
  const client = createRedis({ preset: 'production', logger: collectingLogger(), ...options });
  if (!(client instanceof Redis)) throw new Error('expected a connection through Sentinel');
  return closedLater(client);
}

async function portOf(redis: Redis): Promise<number> {
  return Number(/tcp_port:(\d+)/.exec(await redis.info('server'))?.[1]);
}

describe('createRedis with Sentinel', () => {
  it('asks any one sentinel for the master', async () => {
    const [, sentinel] = deployment.sentinels;
    const redis = create({ sentinels: sentinel === undefined ? [] : [sentinel], sentinelName: deployment.name, db: 1 });
    expect(await portOf(redis)).toBe(deployment.master.port);
  });

  it('reads sentinels from the environment', async () => {
    process.env['REDIS_SENTINELS'] = deployment.sentinels.map(({ host, port }) => `${host}:${port}`).join(',');
    process.env['REDIS_SENTINEL_NAME'] = deployment.name;
    try {
      expect(await portOf(create())).toBe(deployment.master.port);
    } finally {
      delete process.env['REDIS_SENTINELS'];
      delete process.env['REDIS_SENTINEL_NAME'];
    }
  });

  it('uses the new master within a second of the sentinels naming it when the old one froze', async () => {
    const redis = create({ sentinels: deployment.sentinels, sentinelName: deployment.name });
    await redis.set('a', '1');

    const first = deployment.master;
    first.freeze();
    const second = await promotedAfter(first);
    expect(await backAfter(redis)).toBeLessThan(1_000);
    expect(await portOf(redis)).toBe(second.port);
    first.thaw();
  });
});

it('goes on when it hears of a new master while it still asks who that is, and so does what listens to news', async () => {
  const [asked, other] = deployment.sentinels.map(({ port }) =>
    deployment.processes.find((each) => each.port === port),
  );
  if (asked === undefined || other === undefined) throw new Error('unreachable');
  const admin = closedLater(new Redis({ host: other.host, port: other.port }));
  const listeners = async (): Promise<number> =>
    ((await admin.call('CLIENT', 'LIST')) as string).split(' sub=1 ').length;
  const before = await listeners();
  // It asks one sentinel until that has failed to answer, and listens to the others meanwhile.
  const redis = create({
    sentinels: deployment.sentinels,
    sentinelName: deployment.name,
    redisOptions: { sentinelCommandTimeout: 9_000, connectTimeout: 9_000 },
  });
  const connections = [redis];
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (options) => {
    connections.push(closedLater(duplicate(options)));
    return connections[1] as Redis;
  };
  const news: string[] = [];
  createSubscriber(redis, 'news', (text) => news.push(text)).start();
  const heard = (text: string): Promise<true> =>
    eventually(text, async () => {
      await redis.publish('news', text).catch(() => undefined);
      return news.includes(text) ? true : undefined;
    });
  await heard('before');
  await eventually('listeners', async () => ((await listeners()) >= before + 2 ? true : undefined));
  const former = await portOf(redis);

  const listener = closedLater(new Redis({ host: other.host, port: other.port }));
  await listener.subscribe('+switch-master');
  const switched = once(listener, 'message');
  asked.freeze();
  for (const { stream } of connections) stream.destroy();
  await eventually(
    'a failover',
    () => admin.call('SENTINEL', 'FAILOVER', deployment.name).catch(() => undefined), // Another may be under way.
  );
  await switched;
  asked.thaw();
  await eventually('the new master', async () => {
    const port = await portOf(redis).catch(() => former);
    return port === former ? undefined : true;
  });
  expect(await heard('after')).toBe(true);
});

/** Resolves with the new master once every sentinel names it. Asks the sentinels, not the client under test. */
async function promotedAfter(gone: RedisProcess): Promise<RedisProcess> {
  const sentinels = deployment.sentinels.map((sentinel) => closedLater(new Redis(sentinel)));
  return eventually('a new master', async () => {
    const answers = await Promise.all(
      sentinels.map((sentinel) => sentinel.call('SENTINEL', 'get-master-addr-by-name', deployment.name)),
    );
    const ports = new Set(answers.map((answer) => Number((answer as string[])[1])));
    if (ports.size > 1) return undefined;
    return deployment.processes.find(({ port }) => port !== gone.port && ports.has(port));
  });
}
