import type { Backend } from '../cache/backend.ts';
import { ConfigError } from '../core/errors.ts';
import type { ValueCache } from './value-cache.ts';
import { createWriteBehind, type WriteBehind, type WriteBehindOptions } from './write-behind.ts';
import { createWriteThrough, type WriteThrough, type WriteThroughOptions } from './write-through.ts';

/** What writes values to where they belong, and keeps a data cache informed. */
export interface Writers {
  /**
   * Values that are written to where they belong, then cached.
   *
   * @throws {ConfigError} When an option is wrong.
   */
  writeThrough<T>(options: WriteThroughOptions<T>): WriteThrough<T>;
  /**
   * Changes that are recorded in Redis at once, and written a little later, many together: what was recorded survives the death of every process.
   *
   * @throws {ConfigError} When an option is wrong, the name is in use on the same connection and prefix, or the suite is closed.
   */
  writeBehind<T>(name: string, options: WriteBehindOptions<T>): WriteBehind<T>;
}

/** Creates the writers beside a data cache. `close` ends those that were made. */
export function createWriters(backend: Backend, cache: ValueCache): Writers & { close(): Promise<void> } {
  const opened: { close(): Promise<void> }[] = [];
  let isClosed = false;
  return {
    writeThrough: (options) =>
      createWriteThrough(cache, options, (error) => backend.events.report('writeThrough', error)),
    writeBehind(name, options) {
      if (isClosed) throw new ConfigError('writeBehind: the suite is closed, and nobody would close what is made now.');
      const writer = createWriteBehind(backend, cache, name, options);
      opened.push(writer);
      return writer;
    },
    async close() {
      isClosed = true;
      await Promise.all(opened.map((writer) => writer.close()));
    },
  };
}
