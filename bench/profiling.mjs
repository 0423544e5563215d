// Where a contestant's time goes beside its baseline: CPU profiles of both under load, as microseconds per request by place and by function.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from './processes.mjs';

const IDLE = new Set(['(idle)', '(root)']);
const WARM_UP_MS = 2_500;

/**
 * Profiles two contestants one after the other. `bench` holds `{ binary, redisPort, loader, pinning, connections }`.
 * Returns `{ places, functions }`, rows of `[name, ours, theirs]`, the largest difference first.
 */
export async function compareProfiles(bench, { of, to, size, seconds }) {
  const ours = await profileOf(bench, of, size, seconds);
  const theirs = await profileOf(bench, to, size, seconds);
  return { places: rowsOf(ours.places, theirs.places), functions: rowsOf(ours.functions, theirs.functions) };
}

async function profileOf({ binary, redisPort, loader, pinning, connections }, name, size, seconds) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-profile-'));
  const file = join(folder, 'taken.cpuprofile');
  const server = await startProcess(binary, 'server.mjs', [name, size, redisPort]);
  try {
    pinning.pin('server', server.pid);
    await loader.ask({ job: 'open', name, port: server.port, connections, size });
    await loader.ask({ job: 'slice', name, ms: WARM_UP_MS }); // Fills the cache and lets the compiler settle.
    await server.ask({ ask: 'startProfile' });
    const { done } = await loader.ask({ job: 'slice', name, ms: seconds * 1_000 });
    await server.ask({ ask: 'stopProfile', file });
    return summarise(JSON.parse(readFileSync(file, 'utf8')), done);
  } finally {
    await loader.ask({ job: 'close' });
    server.stop();
    rmSync(folder, { recursive: true });
  }
}

function summarise({ nodes, samples, timeDeltas }, requests) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map();
  const places = new Map([['all', 0]]);
  samples.forEach((id, i) => {
    const frame = frames.get(id);
    if (IDLE.has(frame.functionName)) return;
    const us = timeDeltas[i] / requests;
    const place = placeOf(frame);
    add(functions, `${frame.functionName || '(anonymous)'} ${locationOf(frame)}`.trim(), us);
    add(places, place, us);
    add(places, 'all', us);
  });
  return { functions, places };
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
  if (url.includes('/bench/')) return 'the benchmark itself';
  return functionName.startsWith('(') ? functionName : 'native';
}

function locationOf({ url, lineNumber }) {
  if (url === '') return '';
  const file = url.replace(/^.*\/(?:dist\/esm|node_modules|bench)\//, '');
  return `[${file}:${lineNumber + 1}]`;
}

function rowsOf(ours, theirs) {
  const rounded = (value = 0) => Number(value.toFixed(2));
  const names = [...new Set([...ours.keys(), ...theirs.keys()])];
  const rows = names.map((name) => [name, rounded(ours.get(name)), rounded(theirs.get(name))]);
  return rows.toSorted((a, b) => Math.abs(b[1] - b[2]) - Math.abs(a[1] - a[2]));
}
