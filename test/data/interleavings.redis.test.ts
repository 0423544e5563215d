import { describe, expect, it } from '@jest/globals';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { killSome, seedOf } from '../register/interleavings.ts';
import { type DataReport, ITEMS, runDataInterleavings } from './interleavings.ts';

const admin = testRedis();

function run(seed: number, maxStalenessMs: number): Promise<DataReport> {
  const prefix = uniquePrefix();
  const clients = Array.from({ length: 3 }, () => testRedis({ connectionName: prefix, retryStrategy: () => 5 }));
  const items = Array.from({ length: ITEMS }, (_, i) => `{d:ns:item${i}}`);
  const mishaps = [
    () => admin.unlink(`${prefix}:reg`),
    () => admin.unlink(...items.map((item) => `${prefix}:e:${item}`), ...items.map((item) => `${prefix}:c:${item}:`)),
    () => killSome(admin, prefix),
    () => admin.script('FLUSH'),
    () => admin.client('PAUSE', 25, 'ALL'),
  ];
  return runDataInterleavings({ seed, prefix, clients, mishaps, maxStalenessMs, durationMs: 2_000 });
}

describe('data in random interleavings, on a server that loses data and connections', () => {
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
