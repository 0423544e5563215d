// npm run bench:profile -- [--only strong,embedded] [--sizes 300B,5KB] [--nodes 20] [--seconds 5] [--top 25]: prints where the time goes.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildIfOlder } from './build-if-older.mjs';
import { SIZES } from './payload.mjs';
import { createPinning, nodeBinary, startProcess, startRedis } from './processes.mjs';
import { compareProfiles } from './profiling.mjs';

const BASELINES = { strong: 'raw-get', bounded: 'raw-get', 'raw-get': 'express' };

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const text = { type: 'string' };
const { values } = parseArgs({ options: { only: text, sizes: text, nodes: text, seconds: text, top: text } });
const listed = (value, fallback) => (value ?? fallback).split(',');
const seconds = Number(values.seconds ?? 5);
const top = Number(values.top ?? 25);

buildIfOlder();
const pinning = createPinning(true);
const redis = await startRedis();
const loader = await startProcess(process.execPath, 'load.mjs');
pinning.pin('redis', redis.pid);
pinning.pin('load', loader.pid);
for (const major of listed(values.nodes, process.versions.node.split('.')[0])) {
  const bench = { binary: nodeBinary(major), redisPort: redis.port, loader, pinning, connections: 50 };
  for (const size of listed(values.sizes, '300B,5KB')) {
    for (const of of listed(values.only, 'strong,embedded')) {
      const to = BASELINES[of] ?? 'express';
      const { places, functions } = await compareProfiles(bench, { of, to, size: SIZES[size], seconds });
      console.log(`\n# Node ${major}, ${size}: ${of} against ${to}, microseconds of CPU per request`);
      print('by place', places);
      print('by function', functions);
    }
  }
}
loader.stop();
await redis.stop();

function print(title, rows) {
  console.log(`\n## ${title} (ours, baseline, difference)`);
  for (const [name, ours, theirs] of rows.slice(0, top)) {
    const columns = [ours, theirs, ours - theirs].map((value) => value.toFixed(2).padStart(8));
    console.log(`${columns.join(' ')}  ${name}`);
  }
}
