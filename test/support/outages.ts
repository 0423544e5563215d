import type { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { runningTime } from './running-time.ts';

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
  const startedAt = runningTime();
  await answered(client, key);
  return runningTime() - startedAt;
}

/** Resolves once a write is answered. */
export async function answered(client: Redis | Cluster, key = 'answered'): Promise<void> {
  const answers: string[] = [];
  await eventually('an answer', () => {
    client.set(key, '1').then(
      (answer) => answers.push(answer),
      () => undefined,
    );
    return answers[0];
  });
}

/** Asks every 20 ms until there is something other than undefined. Gives up after ten seconds, so that a failed test ends. */
export async function eventually<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const giveUpAt = runningTime() + 10_000;
  while (runningTime() < giveUpAt) {
    const found = await ask();
    if (found !== undefined) return found;
    await sleep(20);
  }
  throw new Error(`Waited ten seconds for ${what}`);
}
