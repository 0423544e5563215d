import type { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';

/** A logger that keeps its lines. */
export function collectingLogger(): {
  readonly infos: string[];
  readonly warnings: string[];
  info(message: string): void;
  warn(message: string): void;
} {
  const infos: string[] = [];
  const warnings: string[] = [];
  return {
    infos,
    warnings,
    info: (message) => void infos.push(message),
    warn: (message) => void warnings.push(message),
  };
}

/** Milliseconds until a write is answered again. Asks anew every 20 ms, as a busy application would; gives up after ten seconds. */
export async function backAfter(client: Redis | Cluster, key = 'back-after'): Promise<number> {
  const startedAt = performance.now();
  await answered(client, key);
  return performance.now() - startedAt;
}

/** Resolves once a write is answered. */
export async function answered(client: Redis | Cluster, key = 'answered'): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  let isAnswered = false;
  const note = (): void => {
    isAnswered = true;
  };
  while (performance.now() < giveUpAt) {
    client.set(key, '1').then(note, () => undefined);
    await sleep(20);
    if (isAnswered) return;
  }
  throw new Error('No answer within ten seconds');
}
