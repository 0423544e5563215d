import { describe } from '@jest/globals';
import { testRedis, uniquePrefix } from '../support/connections.ts';
import { killSome } from '../support/random-order.ts';
import { type DataReport, ITEMS, itIsNeverOlder, runDataInterleavings } from './interleavings.ts';

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
  itIsNeverOlder(run);
});
