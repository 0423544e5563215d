/**
 * A process that records changes of its own keys, one after the other, and writes those of all, to a list in Redis. Tells on standard output what was acknowledged. SIGTERM has it
 * write what waits and end.
 *
 *   process <servers> <prefix> <process> <first number>
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { backendOf } from '../../src/cache/backend.ts';
import { createData } from '../../src/data/data.ts';
import { createWriteBehind } from '../../src/writing/write-behind.ts';

const KEYS = 3;
const [servers = '', prefix = '', self = '', first = '0'] = process.argv.slice(2);

function connect(): Redis | Cluster {
  const nodes = servers.split(',').map((server) => {
    const [host = '', port = ''] = server.split(':');
    return { host, port: Number(port) };
  });
  const [node] = nodes;
  return nodes.length > 1 || node === undefined ? new Cluster(nodes) : new Redis(node);
}

const redis = connect().on('error', () => undefined);
const sink = connect().on('error', () => undefined);
const backend = backendOf({ redis, prefix, deadline: '5s' });
const behind = createWriteBehind<number>(backend, createData(backend, 60_000), 'kill', {
  collapse: 'none',
  partitions: 2,
  batchSize: 20,
  flushInterval: '20ms',
  lease: '500ms',
  maxPending: 500,
  onFull: 'wait',
  closeTimeout: '20s',
  async write(batch, { fence }) {
    for (const { key, value } of batch) {
      await sink.rpush(`${prefix}:sink`, `${key} ${value} ${fence}`);
      await sleep(1); // Most of the time a batch is being written: that is when the process is killed.
    }
  },
});

const ending = new AbortController();

async function change(key: string): Promise<void> {
  for (let n = Number(first); !ending.signal.aborted; n++) {
    try {
      await sleep(6);
      await behind.set(key, n);
      process.stdout.write(`${key} ${n}\n`);
    } catch (error) {
      process.stderr.write(`${String(error)}\n`);
    }
  }
}

const changes = Array.from({ length: KEYS }, (_, i) => change(`${self}${i}`));
process.once('SIGTERM', () => {
  ending.abort();
  void Promise.all(changes)
    .then(() => behind.close())
    .then(() => {
      backend.close();
      redis.disconnect();
      sink.disconnect();
    });
});
