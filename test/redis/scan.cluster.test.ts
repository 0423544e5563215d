import { expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { RedisError } from '../../src/core/errors.ts';
import { createSuite } from '../../src/suite.ts';
import { closedLater, testClusterNodes, uniquePrefix } from '../support/connections.ts';

it('walks through the keys of all masters, also right after it was told of one node', async () => {
  const prefix = uniquePrefix();
  const keys = Array.from({ length: 12 }, (_, i) => `${i}`);
  const writer = createSuite({ redis: closedLater(new Cluster(testClusterNodes())), prefix, deadline: '5s' });
  await Promise.all(keys.map((key) => writer.data.set(`k:${key}`, 1)));
  const [node] = testClusterNodes();
  const fresh = createSuite({
    redis: closedLater(new Cluster(node === undefined ? [] : [node])),
    prefix,
    deadline: '5s',
  });
  const found: string[] = [];
  for await (const key of fresh.data.keys('k:*')) found.push(key.slice(2));
  expect(found.toSorted()).toEqual(keys.toSorted());
  await Promise.all([writer.close(), fresh.close()]);
});

it('rejects while no node can be reached: nothing found would mean nothing there', async () => {
  const redis = closedLater(
    new Cluster([{ host: '127.0.0.1', port: 1 }], {
      clusterRetryStrategy: () => 100,
      redisOptions: { disconnectTimeout: 50 },
    }),
  );
  const suite = createSuite({ redis, prefix: uniquePrefix() });
  await suite.data.get('k'); // The first attempt has failed.
  await expect(suite.data.keys()[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(RedisError);
  await expect(suite.sessionStore().clear()).rejects.toBeInstanceOf(RedisError);
  await expect(suite.sessionStore().length()).rejects.toBeInstanceOf(RedisError);
  await suite.close();
});
