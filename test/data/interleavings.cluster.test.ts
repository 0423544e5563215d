import { describe, expect, it } from '@jest/globals';
import { testCluster, uniquePrefix } from '../support/connections.ts';
import { killSome, seedOf } from '../register/interleavings.ts';
import { type DataReport, ITEMS, runDataInterleavings } from './interleavings.ts';

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
  it.each([
    ['never older than what was set, deleted or invalidated before the read began', 0],
    ['never older than what was so before the bound, nor than what the same process has changed', 30],
  ])(
    'is %s',
    async (_promise, maxStalenessMs) => {
      const seed = seedOf();
      const report = await run(seed, maxStalenessMs);
      expect({ seed, violations: report.violations }).toEqual({ seed, violations: [] });
      expect(Math.min(report.reads, report.loads, report.writes)).toBeGreaterThan(20);
      expect(report.mishaps).toBeGreaterThan(3);
    },
    30_000,
  );
});
