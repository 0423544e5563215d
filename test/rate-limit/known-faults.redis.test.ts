import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRedis } from '../../src/index.ts';
import { closedLater } from '../support/connections.ts';
import { collectingLogger } from '../support/outages.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { KNOWN_ATTACKS } from './known-attacks.ts';
import { FAULTS_OF_PEERS, type Servers } from './known-faults.ts';

let server: RedisProcess;
let servers: Servers;

beforeAll(async () => {
  server = await startRedis();
  const url = `redis://127.0.0.1:${server.port}`;
  servers = {
    processes: [server],
    connect() {
      const client = createRedis({ url, preset: 'production', logger: collectingLogger() });
      if (client === undefined) throw new Error('unreachable');
      return closedLater(client);
    },
  };
});
afterAll(() => server.stop());

describe('what other limiters do wrong, on one server', () => {
  it.each(FAULTS_OF_PEERS)('%s', async (_name, check) => {
    expect.hasAssertions();
    await check(servers);
  });
});

describe('attacks on limits, on one server', () => {
  it.each(KNOWN_ATTACKS)('%s', async (_name, check) => {
    expect.hasAssertions();
    await check(servers);
  });
});
