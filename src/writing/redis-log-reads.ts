import { mayReadReplicas, type RedisClient } from '../redis/client.ts';
import { readMaster, readMasterBytes } from './read-master.lua.ts';

/** Reads of what a partition holds. */
export interface RedisLogReads {
  /** Strings, in the order of their places. */
  values(places: readonly string[]): Promise<readonly (Buffer | null)[]>;
  /** Fields of a hash, in their order. */
  fields(hash: string, names: readonly string[]): Promise<readonly (string | null)[]>;
  length(stream: string): Promise<number>;
  /** So many entries of a stream after the one that is named. */
  entries(stream: string, after: string | undefined, count: number): Promise<readonly (readonly [string, string[]])[]>;
}

/** Reads by the master: a replica may lack what was acknowledged a moment ago, and a record whose value is not there would be given up. */
export function createRedisLogReads(client: RedisClient): RedisLogReads {
  const mayLag = mayReadReplicas(client);
  const read = (command: string, place: string, ...more: (string | number)[]): Promise<unknown> =>
    mayLag ? readMaster(client, { places: [place] }, { command }, more) : client.call(command, place, ...more);

  return {
    async values(places) {
      if (!mayLag) return client.mgetBuffer([...places]);
      return (await readMasterBytes(client, { places }, { command: 'MGET' })) as (Buffer | null)[];
    },
    fields: async (hash, names) => (await read('HMGET', hash, ...names)) as (string | null)[],
    length: async (stream) => Number(await read('XLEN', stream)),
    entries: async (stream, after, count) =>
      (await read('XRANGE', stream, after === undefined ? '-' : `(${after}`, '+', 'COUNT', count)) as [
        string,
        string[],
      ][],
  };
}
