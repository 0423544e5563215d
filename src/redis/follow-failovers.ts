import type { Cluster, Redis } from 'ioredis';

const LOOK_AGAIN_MS = 200;

/**
 * Has the Cluster look for its masters while a node is in trouble. By itself ioredis learns of a failover from a MOVED reply, and a node that
 * hangs never sends one: whatever waits for it would go on waiting after another node has taken over.
 */
export function followFailovers(cluster: Cluster): void {
  let timer: NodeJS.Timeout | undefined;

  function lookSoon(): void {
    timer ??= setTimeout(look, LOOK_AGAIN_MS).unref();
  }
  function look(): void {
    timer = undefined;
    if (cluster.status !== 'ready') return;
    cluster.refreshSlotsCache(() => {
      if (cluster.nodes().some((node) => ['connecting', 'connect'].includes(node.status))) lookSoon();
    });
  }

  cluster.on('node error', lookSoon);
}

/** Has a Cluster that is closed while it looks for its masters look no more: ioredis would go on every `slotsRefreshInterval`, and hold the process for ever. */
export function stopLookingAtEnd(cluster: Cluster): void {
  let isOver = false; // Its status says so for a moment only: it is `close` again when the last of its nodes has ended.
  cluster.on('end', () => (isOver = true));
  cluster.on('connecting', () => (isOver = false));
  const look = cluster.refreshSlotsCache.bind(cluster);
  cluster.refreshSlotsCache = (callback) =>
    look((error) => {
      if (!isOver && cluster.status !== 'disconnecting') callback?.(error);
    });
}

/**
 * Has a connection through Sentinel outlive a failover that is announced while it asks the sentinels for the master: ioredis would end it for good then, as if its owner had closed it. Only
 * where he has not it tells of the error before the end.
 */
export function outliveFailovers(redis: Redis): void {
  if (!redis.options.failoverDetector) return;
  let wasCutOff = false;
  redis.on('error', (error: unknown) => {
    wasCutOff = error instanceof Error && error.message === 'Connection is closed.';
  });
  redis.on('close', () => (wasCutOff = false));
  redis.on('end', () => {
    if (wasCutOff) redis.connect().catch(() => undefined); // Told as an error.
    wasCutOff = false;
  });
}
