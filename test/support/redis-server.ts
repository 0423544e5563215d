/**
 * Real Redis (or Valkey) servers for tests and demos, without Docker.
 *
 * Every server runs under a small `sh` wrapper that holds the read end of a pipe whose write end belongs to this
 * process. Stopping a server means closing that pipe. When this process dies, for whatever reason (SIGKILL and
 * `process.exit` included), the kernel closes the pipe, and the wrapper kills the server and removes its directory.
 * (The wrapper gives up its own stdout and stderr: writing "Killed" to a closed pipe would end it before the clean-up.)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { accessSync, constants, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

const HOST = '127.0.0.1';
const BUS_OFFSET = 10_000;
const START_ATTEMPTS = 5;

const WRAPPER = `
dir=$1; shift
exec 3<&0
"$@" </dev/null 3<&- & pid=$!
echo "pid:$pid"
exec >/dev/null 2>&1
{ cat <&3; kill -9 "$pid"; } & watcher=$!
wait "$pid"; code=$?
kill "$watcher"
rm -rf -- "$dir"
exit "$code"`;

/** One server, running or killed. */
export interface RedisProcess {
  readonly host: string;
  readonly port: number;
  /** Process id of the server itself; another one after a restart. */
  readonly pid: number;
  /** Kills the server as a crash would: nothing is saved, connections are reset. The port stays reserved. */
  kill(): Promise<void>;
  /** Starts a killed server again: same port, same arguments, same configuration files (`nodes.conf`). */
  restart(): Promise<void>;
  /** Stops the server's time: connections stay open, new ones are accepted by the kernel, nothing is answered. */
  freeze(): void;
  /** Lets a frozen server go on. */
  thaw(): void;
  /** Kills the server for good and removes its directory. Safe to call twice. */
  stop(): Promise<void>;
}

interface RedisTopology {
  readonly processes: readonly RedisProcess[];
  stop(): Promise<void>;
}

export interface RedisCluster extends RedisTopology {
  readonly nodes: readonly { host: string; port: number }[];
}

export interface RedisSentinels extends RedisTopology {
  readonly name: string;
  readonly sentinels: readonly { host: string; port: number }[];
  readonly master: RedisProcess;
}

/** The first usable server binary: REDIS_SERVER_BIN, then redis-server and valkey-server on PATH. */
function findServerBinary(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const explicit = env['REDIS_SERVER_BIN'];
  if (explicit !== undefined && explicit !== '') return explicit;
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of folders) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not there: try the next folder.
      }
    }
  }
  return undefined;
}

function requireServerBinary(): string {
  const binary = findServerBinary();
  if (binary === undefined) {
    throw new Error(
      'No Redis server found. Install one (apt-get install redis-server, brew install redis), ' +
        'or set REDIS_SERVER_BIN to a binary, or set REDIS_URL to a running server.',
    );
  }
  return binary;
}

/** Ports whose cluster bus port (+10000) stays below the ephemeral range of Linux. REDIS_TEST_PORTS=from-to overrides. */
function portRange(): readonly [number, number] {
  const match = /^(\d+)-(\d+)$/.exec(process.env['REDIS_TEST_PORTS'] ?? '');
  return match === null ? [10_000, 21_999] : [Number(match[1]), Number(match[2])];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

const handedOut = new Set<number>();

async function freePort(): Promise<number> {
  const [from, to] = portRange();
  const size = to - from + 1;
  const first = randomInt(size);
  for (let i = 0; i < size; i++) {
    const port = from + ((first + i) % size);
    if (handedOut.has(port)) continue;
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error(`No free port between ${from} and ${to}`);
}

class StartError extends Error {
  override readonly name = 'StartError';
}

/** Connects, runs `use`, disconnects. Retries the connection every 10 ms, so it doubles as the wait for readiness. */
async function withAdmin<T>(port: number, use: (admin: Redis) => Promise<T>): Promise<T> {
  const admin = connectAdmin(port);
  try {
    return await use(admin);
  } finally {
    admin.disconnect();
  }
}

function connectAdmin(port: number): Redis {
  const admin = new Redis({
    host: HOST,
    port,
    retryStrategy: () => 10,
    maxRetriesPerRequest: null,
    connectTimeout: 1_000,
    maxLoadingRetryTime: 50, // Redis' own estimate is tens of seconds where loading is slowed down.
  });
  return admin.on('error', () => undefined);
}

async function until(what: string, timeoutMs: number, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`Timed out after ${timeoutMs} ms waiting for ${what}`);
    await sleep(20);
  }
}

/** One run of a server's program. */
interface Run {
  readonly pid: number;
  stop(): Promise<void>;
}

async function launch(port: number, directory: string, args: readonly string[]): Promise<Run> {
  const child: ChildProcess = spawn('sh', ['-c', WRAPPER, 'redis-wrapper', directory, requireServerBinary(), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // Out of our process group: Ctrl-C must not kill the wrapper before it has cleaned up.
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('unreachable: stdio is piped');

  let log = '';
  let pid = 0;
  const gotPid = new Promise<void>((resolve) => {
    const keep = (chunk: Buffer): void => {
      log = (log + chunk.toString()).slice(-4_096);
      const match = pid === 0 ? /^pid:(\d+)$/m.exec(log) : null;
      if (match !== null) {
        pid = Number(match[1]);
        resolve();
      }
    };
    stdout.on('data', keep);
    stderr.on('data', keep);
  });
  stdin.on('error', () => undefined); // The wrapper may be gone already.
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', (code) => resolve(code));
  });

  const stop = async (): Promise<void> => {
    child.ref(); // Un-referenced below: without this the process could end here, silently and with code 0.
    stdin.end();
    await exited;
  };

  // Another program may have taken the port in between, and would answer in our place: compare process ids.
  const admin = connectAdmin(port);
  const outcome = await Promise.race([
    Promise.all([admin.info('server'), gotPid]).then(([info]) =>
      Number(/process_id:(\d+)/.exec(info)?.[1]) === pid ? ('ready' as const) : ('address in use' as const),
    ),
    exited.then((code) => `exited with ${code}` as const),
    sleep(10_000, 'timeout' as const, { ref: false }),
  ]).finally(() => admin.disconnect());
  if (outcome !== 'ready') {
    await stop();
    throw new StartError(`The Redis server on port ${port} did not start (${outcome}). Its log ends with:\n${log}`);
  }
  // Nothing here may keep the event loop alive: an un-stopped server must not hang a test run.
  child.unref();
  for (const pipe of [stdin, stdout, stderr]) (pipe as unknown as { unref(): void }).unref();
  return { pid, stop };
}

type Files = readonly (readonly [name: string, content: Buffer])[];

/** Reads a server's files while it cannot change them: the wrapper removes the directory once the server is gone. */
function filesOf(directory: string): Files {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => [entry.name, readFileSync(join(directory, entry.name))] as const);
}

type BuildArguments = (port: number, directory: string) => readonly string[];

async function startOn(port: number, build: BuildArguments, files: Files = []): Promise<RedisProcess> {
  let directory = '';
  let kept: Files = files;

  async function run(): Promise<Run> {
    requireServerBinary(); // Before there is anything to clean up.
    directory = mkdtempSync(join(tmpdir(), 'redis-test-'));
    const args = build(port, directory);
    for (const [name, content] of kept) writeFileSync(join(directory, name), content);
    return launch(port, directory, args);
  }

  let current = await run();
  return {
    host: HOST,
    port,
    get pid() {
      return current.pid;
    },
    async kill() {
      process.kill(current.pid, 'SIGSTOP');
      kept = filesOf(directory);
      process.kill(current.pid, 'SIGKILL');
      await current.stop();
    },
    async restart() {
      current = await run();
    },
    freeze: () => void process.kill(current.pid, 'SIGSTOP'),
    thaw: () => void process.kill(current.pid, 'SIGCONT'),
    async stop() {
      await current.stop();
      handedOut.delete(port);
    },
  };
}

/** Starts one server, on another port when somebody took ours in between. */
async function start(build: BuildArguments): Promise<RedisProcess> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return await startOn(port, build);
    } catch (error) {
      handedOut.delete(port);
      if (!(error instanceof StartError) || !error.message.includes('in use') || attempt === START_ATTEMPTS)
        throw error;
    }
  }
}

function serverArgs(port: number, directory: string, extra: readonly string[] = []): readonly string[] {
  // prettier-ignore
  return [
    '--port',
    String(port),
    '--bind',
    HOST,
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    'no',
    '--daemonize',
    'no',
    '--loglevel',
    'notice',
    '--repl-diskless-sync-delay',
    '0',
    ...extra,
  ];
}

async function stopAll(processes: readonly RedisProcess[]): Promise<void> {
  await Promise.all(processes.map((process) => process.stop()));
}

/** Starts several processes; stops those that did start when one does not. */
async function startAll(starts: readonly Promise<RedisProcess>[]): Promise<RedisProcess[]> {
  const results = await Promise.allSettled(starts);
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stopAll(started);
    throw failed.reason;
  }
  return started;
}

/** One standalone server: ready in about 20 ms. Without `port`, on a free one. */
export function startRedis(extra: readonly string[] = [], port?: number): Promise<RedisProcess> {
  const build: BuildArguments = (port, directory) => serverArgs(port, directory, extra);
  return port === undefined ? start(build) : startOn(port, build);
}

/** A port where nothing listens, kept free of other servers of this process: for a server that is to start later. */
export function reservePort(): Promise<number> {
  return freePort();
}

/** A cluster: ready in about 2.1 s, of which 2.0 s are Redis' fixed CLUSTER_WRITABLE_DELAY. */
export async function startCluster({
  masters = 3,
  replicasPerMaster = 1,
  nodeTimeoutMs = 2_000,
} = {}): Promise<RedisCluster> {
  const total = masters * (1 + replicasPerMaster);
  // prettier-ignore
  const options = [
    '--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf',
    '--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-announce-ip', HOST,
  ];
  const processes = await startAll(Array.from({ length: total }, () => startRedis(options)));
  const stop = (): Promise<void> => stopAll(processes);
  try {
    const ports = processes.map(({ port }) => port);
    const ids = await Promise.all(ports.map((port) => withAdmin(port, (admin) => admin.cluster('MYID'))));
    await Promise.all(
      ports.map((port, i) =>
        withAdmin(port, async (admin) => {
          await admin.cluster('SET-CONFIG-EPOCH', i + 1);
          if (i < masters) {
            const slots: number[] = [];
            for (let slot = Math.floor((16_384 * i) / masters); slot < Math.floor((16_384 * (i + 1)) / masters); slot++)
              slots.push(slot);
            await admin.cluster('ADDSLOTS', ...slots);
          }
        }),
      ),
    );
    // Once all have their epochs: a node that knows another one takes none.
    await withAdmin(ports[0] as number, (admin) =>
      Promise.all(ports.slice(1).map((port) => admin.cluster('MEET', HOST, port))),
    );
    await Promise.all(
      ports.slice(masters).map((port, i) =>
        withAdmin(port, (admin) =>
          until(`node ${port} to know its master`, 15_000, () =>
            admin.cluster('REPLICATE', ids[i % masters] as string).then(
              () => true,
              () => false, // "Unknown node": the gossip has not reached it yet.
            ),
          ),
        ),
      ),
    );
    await Promise.all(
      ports.map((port, i) =>
        withAdmin(port, (admin) =>
          until(`cluster node ${port}`, 15_000, async () => {
            const info = await admin.cluster('INFO');
            if (!info.includes('cluster_state:ok') || !info.includes(`cluster_known_nodes:${total}`)) return false;
            const replication = await admin.info('replication');
            return i < masters
              ? replication.includes(`connected_slaves:${replicasPerMaster}`)
              : replication.includes('master_link_status:up');
          }),
        ),
      ),
    );
    return { processes, nodes: ports.map((port) => ({ host: HOST, port })), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** One master, its replicas and their sentinels: ready in 0.2 to 1.2 s, because the sentinels start knowing each other. */
export async function startSentinels({
  replicas = 2,
  sentinels = 3,
  name = 'mymaster',
  downAfterMs = 500,
} = {}): Promise<RedisSentinels> {
  const master = await startRedis(['--repl-ping-replica-period', '1']);
  const processes: RedisProcess[] = [master];
  const stop = (): Promise<void> => stopAll(processes);
  try {
    const followers = await startAll(
      Array.from({ length: replicas }, () =>
        startRedis(['--replicaof', `${HOST} ${master.port}`, '--repl-ping-replica-period', '1']),
      ),
    );
    processes.push(...followers);
    const members: { port: number; id: string }[] = [];
    for (let i = 0; i < sentinels; i++) members.push({ port: await freePort(), id: randomBytes(20).toString('hex') });
    const watchers = await startAll(
      members.map(({ port, id }) => {
        const build: BuildArguments = (_port, directory) => {
          const file = join(directory, 'sentinel.conf');
          writeFileSync(file, configuration(directory));
          return [file, '--sentinel'];
        };
        const configuration = (directory: string): string =>
          [
            `port ${port}`,
            `bind ${HOST}`,
            `dir ${directory}`,
            'protected-mode no',
            `sentinel myid ${id}`,
            `sentinel monitor ${name} ${HOST} ${master.port} ${Math.floor(sentinels / 2) + 1}`,
            `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
            `sentinel failover-timeout ${name} 2000`,
            ...followers.map((follower) => `sentinel known-replica ${name} ${HOST} ${follower.port}`),
            ...members
              .filter((other) => other.id !== id)
              .map((other) => `sentinel known-sentinel ${name} ${HOST} ${other.port} ${other.id}`),
            '',
          ].join('\n');
        return startOn(port, build);
      }),
    );
    processes.push(...watchers);
    const good = new RegExp(`status=ok,address=[^,]*,slaves=${replicas},sentinels=${sentinels}`);
    await Promise.all([
      ...followers.map(({ port }) =>
        withAdmin(port, (admin) =>
          until(`replica ${port}`, 15_000, async () =>
            (await admin.info('replication')).includes('master_link_status:up'),
          ),
        ),
      ),
      ...watchers.map(({ port }) =>
        withAdmin(port, (admin) =>
          until(`sentinel ${port}`, 15_000, async () => good.test(await admin.info('sentinel'))),
        ),
      ),
    ]);
    return { processes, name, master, sentinels: watchers.map(({ port }) => ({ host: HOST, port })), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
