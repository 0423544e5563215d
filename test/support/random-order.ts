import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';

/** A whole number from 0, below the given one. */
export type Random = (below: number) => number;

/** The seed of a run: printed when it fails, and may be given again. */
export function seedOf(environment: NodeJS.ProcessEnv = process.env): number {
  return Number(environment['TEST_SEED'] ?? Date.now() % 1_000_000_007);
}

/** Numbers from 0 to below a bound, the same for the same seed (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** What goes wrong while others work. */
export interface Chaos {
  readonly mishaps: readonly (() => Promise<unknown>)[];
  readonly random: Random;
  goesOn(): boolean;
  pauseMs(): number;
  onMishap(): void;
}

/** Has one mishap after the other, at random. */
export async function chaos({ mishaps, random, goesOn, pauseMs, onMishap }: Chaos): Promise<void> {
  while (goesOn() && mishaps.length > 0) {
    await sleep(pauseMs());
    await mishaps[random(mishaps.length)]?.().then(onMishap, () => undefined); // It may have come upon the damage of an earlier one.
  }
}

/** Kills every other connection of that name. */
export async function killSome(server: Redis, name: string): Promise<void> {
  const list = (await server.client('LIST')) as string;
  const ids = list
    .split('\n')
    .filter((line) => line.includes(` name=${name} `))
    .map((line) => /id=(\d+)/.exec(line)?.[1] ?? '');
  await Promise.all(
    ids.filter((_, i) => i % 2 === 0).map((id) => server.client('KILL', 'ID', id).catch(() => undefined)),
  );
}
