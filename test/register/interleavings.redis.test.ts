import { describe, expect, it } from '@jest/globals';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { killSome, seedOf } from '../support/random-order.ts';
import { type Interleavings, type Report, runInterleavings, takesStampsLate } from './interleavings.ts';

const admin = testRedis();

function run(options: Pick<Interleavings, 'seed' | 'maxStalenessMs'> & Partial<Interleavings>): Promise<Report> {
  const prefix = uniquePrefix();
  const clients = Array.from({ length: 3 }, () => testRedis({ connectionName: prefix, retryStrategy: () => 5 }));
  const mishaps = [
    () => admin.unlink(`${prefix}:reg`),
    async () => admin.unlink(...(await admin.keys(`${prefix}:*`)), 'nothing'),
    () => killSome(admin, prefix),
    () => admin.script('FLUSH'),
  ];
  return runInterleavings({ prefix, clients, mishaps, durationMs: 3_000, maxRecords: 8, ...options });
}

describe('random interleavings on a server that loses data and connections', () => {
  it('serve nothing that was invalidated before the read began', async () => {
    const seed = seedOf();
    const report = await run({ seed, maxStalenessMs: 0 });
    expect({ seed, violations: report.violations }).toEqual({ seed, violations: [] });
    expect(Math.min(report.hits, report.misses, report.invalidations)).toBeGreaterThan(20);
    expect(report.mishaps).toBeGreaterThan(5);
  });

  it('serve nothing that was invalidated longer before than the bound', async () => {
    const seed = seedOf();
    const report = await run({ seed, maxStalenessMs: 30 });
    expect({ seed, violations: report.violations }).toEqual({ seed, violations: [] });
    expect(Math.min(report.hits, report.misses, report.invalidations)).toBeGreaterThan(20);
    expect(report.mishaps).toBeGreaterThan(5);
  });

  it('show a store that takes its stamps late', async () => {
    const seed = seedOf();
    const report = await run({ seed, maxStalenessMs: 0, durationMs: 20_000, mishaps: [], tamper: takesStampsLate });
    expect({ seed, shown: report.violations.length > 0 }).toEqual({ seed, shown: true });
  });
});
