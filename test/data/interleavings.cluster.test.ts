import { describe } from '@jest/globals';
import { testCluster, uniquePrefix } from '../support/connections.ts';
import { killSome } from '../support/random-order.ts';
import { type DataReport, ITEMS, itIsNeverOlder, runDataInterleavings } from './interleavings.ts';

const admin = testCluster();

function run(seed: number, maxStalenessMs: number): Promise<DataReport> {
  const prefix = uniquePrefix();
  const clients = Array.from({ length: 3 }, () =>
    testCluster({ redisOptions: { connectionName: prefix }, clusterRetryStrategy: () => 5 }),
  );
  const items = Array.from({ length: ITEMS }, (_, i) => `{d:ns:item${i}}`);
  const evicted = items.flatMap((item) => [`${prefix}:e:${item}`, `${prefix}:c:${item}:`]);
  const mishaps = [
    () => admin.unlink(`${prefix}:reg`),
    () => Promise.all(evicted.map((key) => admin.unlink(key))),
    () => Promise.all(admin.nodes('master').map((node) => killSome(node, prefix))),
    () => Promise.all(admin.nodes('master').map((node) => node.script('FLUSH'))),
  ];
  return runDataInterleavings({ seed, prefix, clients, mishaps, maxStalenessMs, durationMs: 1_500 });
}

describe('data in random interleavings, on a Cluster that loses data and connections', () => {
  itIsNeverOlder(run);
});
