// Starts and questions the processes of a run: Redis, contestants, load generator. Nothing here outlives the runner.
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { tsImport } from 'tsx/esm/api';

const fileOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Path of the node binary of a major version: this process' own, or one that npm fetches. */
export function nodeBinary(major) {
  if (process.versions.node.split('.')[0] === String(major)) return process.execPath;
  const args = ['-y', '-p', `node@${major}`, '--', 'node', '-p', 'process.execPath'];
  const { stdout, status, stderr } = spawnSync('npx', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`No Node ${major} to be had through npx:\n${stderr}`);
  return stdout.trim().split('\n').at(-1);
}

/** The version a node binary reports, without the leading v. */
export function versionOfBinary(binary) {
  return spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim().slice(1);
}

/** Starts a script with an IPC channel and waits until it says it is ready. */
export async function startProcess(binary, script, args = []) {
  const child = spawn(binary, [fileOf(script), ...args.map(String)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' },
  });
  const waiting = new Map();
  let nextId = 1;
  const ready = new Promise((resolve, reject) => {
    child.on('message', (message) => {
      if (message.ready !== undefined) resolve(message.ready);
      else waiting.get(message.id)?.resolve(message.answer);
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      const error = new Error(`${script} ${args.join(' ')} ended (${signal ?? code})`);
      reject(error);
      for (const { reject: fail } of waiting.values()) fail(error);
    });
  });
  const ask = (message) =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      const settle = (use) => (value) => {
        waiting.delete(id);
        use(value);
      };
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      child.send({ id, ...message });
    });
  return { ...(await ready), pid: child.pid, ask, stop: () => child.kill() };
}

/** One throw-away Redis server. */
export async function startRedis() {
  const { startRedis: start } = await tsImport('../test/support/redis-server.ts', import.meta.url);
  return start();
}

/**
 * Decides which process may use which cores, so that they do not push each other around: the server under test gets two (its collector's threads
 * run beside it), Redis and the load generator one each. Only with `taskset` and four cores; a no-op otherwise.
 */
export function createPinning(wanted) {
  const possible = wanted && availableParallelism() >= 4 && spawnSync('taskset', ['--version']).status === 0;
  const cores = { server: '0,1', redis: '2', load: '3' };
  return {
    active: possible,
    pin: (role, pid) => {
      if (possible) spawnSync('taskset', ['-acp', cores[role], String(pid)]);
    },
  };
}
