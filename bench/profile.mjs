// node bench/profile.mjs [--only strong,embedded] [--sizes 300B,5KB] [--nodes 20] [--seconds 5] [--top 25]
// Where a contestant's time goes: a CPU profile of it under load, as microseconds per request by function and by place, beside those of its baseline.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildIfOlder } from './build-if-older.mjs';
import { SIZES } from './payload.mjs';
import { createPinning, nodeBinary, startProcess, startRedis } from './processes.mjs';

const BASELINES = { strong: 'raw-get', bounded: 'raw-get', embedded: 'express', apicache: 'express' };
const IDLE = new Set(['(idle)', '(root)']);

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const text = { type: 'string' };
const { values } = parseArgs({ options: { only: text, sizes: text, nodes: text, seconds: text, top: text } });
const listed = (value, fallback) => (value ?? fallback).split(',');
const seconds = Number(values.seconds ?? 5);
const top = Number(values.top ?? 25);
const pinning = createPinning(true);
const folder = mkdtempSync(join(tmpdir(), 'bench-profile-'));

buildIfOlder();
const redis = await startRedis();
const loader = await startProcess(process.execPath, 'load.mjs');
pinning.pin('redis', redis.pid);
pinning.pin('load', loader.pid);
for (const major of listed(values.nodes, process.versions.node.split('.')[0]))
  for (const size of listed(values.sizes, '300B,5KB'))
    for (const name of listed(values.only, 'strong,embedded')) await compare(nodeBinary(major), major, name, size);
loader.stop();
await redis.stop();
rmSync(folder, { recursive: true });

async function compare(binary, major, name, size) {
  const baseline = BASELINES[name];
  const ours = await profileOf(binary, name, SIZES[size]);
  const theirs = baseline === undefined ? undefined : await profileOf(binary, baseline, SIZES[size]);
  console.log(`\n# Node ${major}, ${size}: ${name} against ${baseline ?? 'nothing'}, microseconds of CPU per request`);
  print('by place', ours.byPlace, theirs?.byPlace);
  print('by function', ours.byFunction, theirs?.byFunction);
}

async function profileOf(binary, name, size) {
  const server = await startProcess(binary, 'server.mjs', [name, size, redis.port]);
  pinning.pin('server', server.pid);
  await loader.ask({ job: 'open', name, port: server.port, connections: 50, size });
  await loader.ask({ job: 'slice', name, ms: 3000 }); // Fills the cache and lets the compiler settle.
  await server.ask({ ask: 'startProfile' });
  const { done } = await loader.ask({ job: 'slice', name, ms: seconds * 1000 });
  const file = join(folder, `${name}-${size}.cpuprofile`);
  await server.ask({ ask: 'stopProfile', file });
  await loader.ask({ job: 'close' });
  server.stop();
  return summarise(JSON.parse(readFileSync(file, 'utf8')), done);
}

function summarise({ nodes, samples, timeDeltas }, requests) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map();
  const byPlace = new Map([['all', 0]]);
  samples.forEach((id, i) => {
    const frame = frames.get(id);
    if (IDLE.has(frame.functionName)) return;
    const us = timeDeltas[i] / requests;
    const place = placeOf(frame);
    add(byFunction, `${frame.functionName || '(anonymous)'} ${lineOf(frame, place)}`, us);
    add(byPlace, place, us);
    add(byPlace, 'all', us);
  });
  return { byFunction, byPlace };
}

function add(sums, key, value) {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

/** The package, node's own modules, or what the engine names in parentheses. */
function placeOf({ functionName, url }) {
  if (url.startsWith('node:')) return 'node';
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules)/.exec(url)?.[1];
  if (dependency !== undefined) return dependency;
  if (url.includes('/dist/')) return 'express-redis-suite';
  if (url.includes('/bench/')) return 'bench';
  return functionName.startsWith('(') ? functionName : 'native';
}

function lineOf({ url, lineNumber }, place) {
  if (url === '') return '';
  const file = url
    .replace(/^.*\/dist\/esm\//, '')
    .replace(/^.*node_modules\//, '')
    .replace(/^.*\/bench\//, '');
  return `[${place === 'node' ? url : file}:${lineNumber + 1}]`;
}

function print(title, ours, theirs = new Map()) {
  console.log(`\n## ${title} (ours, baseline, difference)`);
  const keys = [...new Set([...ours.keys(), ...theirs.keys()])];
  const rows = keys.map((key) => ({ key, a: ours.get(key) ?? 0, b: theirs.get(key) ?? 0 }));
  rows.sort((x, y) => Math.abs(y.a - y.b) - Math.abs(x.a - x.b));
  for (const { key, a, b } of rows.slice(0, top)) {
    const columns = [a, b, a - b].map((value) => value.toFixed(2).padStart(8));
    console.log(`${columns.join(' ')}  ${key}`);
  }
}
