import { afterAll } from '@jest/globals';
import type { RedisClient } from '../../src/redis/client.ts';
import { createSuite, type Suite, type SuiteOptions } from '../../src/suite.ts';
import { testCluster, testRedis, uniquePrefix } from '../support/connections.ts';

const suites: Suite[] = [];

afterAll(() => Promise.all(suites.splice(0).map((suite) => suite.close())));

/** Where a data cache may live. */
export const BACKENDS: readonly (readonly [
  name: string,
  connect: () => RedisClient | undefined,
  options: SuiteOptions,
])[] = [
  ['memory', () => undefined, {}],
  ['Redis', () => testRedis(), {}],
  ['Redis with copies in memory', () => testRedis(), { memory: '8mb' }],
  ['Cluster', () => testCluster(), {}],
];

/** Those that processes share. */
export const SHARED_BACKENDS: typeof BACKENDS = BACKENDS.slice(1);

/** A suite, closed after the test file. Its deadline is generous: machines that run tests are busy. */
export function openSuite(redis: RedisClient | undefined, options: SuiteOptions = {}): Suite {
  const place: SuiteOptions = redis === undefined ? { backend: 'memory' } : { redis, deadline: '5s' };
  const suite = createSuite({ prefix: uniquePrefix(), ...place, ...options });
  suites.push(suite);
  return suite;
}

/** A load that ends when it is told to. */
export function heldLoad<T>(): {
  load: () => Promise<T>;
  begun: Promise<void>;
  end(value: T): void;
  fail(error: Error): void;
  calls(): number;
} {
  let calls = 0;
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const { promise, resolve, reject } = withResolvers<T>();
  return {
    load() {
      calls++;
      begin();
      return promise;
    },
    begun,
    end: resolve,
    fail: reject,
    calls: () => calls,
  };
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}
