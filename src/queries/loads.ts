import type { LoadOptions } from '../data/data-cache.ts';

/** What of a data cache is used by what loads through it. */
export interface Loads {
  getOrSet<T>(key: string, load: () => T | Promise<T>, options?: LoadOptions<T>): Promise<T>;
}
