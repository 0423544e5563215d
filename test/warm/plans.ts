import type { ValueItem, WarmProgress } from '../../src/warm/warm.ts';

/** All that is told of a run. */
export async function all(progress: AsyncIterable<WarmProgress>): Promise<WarmProgress[]> {
  const told: WarmProgress[] = [];
  for await (const each of progress) told.push(each);
  return told;
}

/** How a run has ended. */
export async function last(progress: AsyncIterable<WarmProgress>): Promise<WarmProgress> {
  return (await all(progress)).at(-1) as WarmProgress;
}

/** Items that note when they are loaded. */
export function items(count: number, loaded: string[] = []): ValueItem[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `k${i}`,
    load: async () => {
      loaded.push(`k${i}`);
      return i;
    },
  }));
}
