import type { Connection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisLogReads } from './redis-log-reads.ts';
import type { LogRecord, WriteLogLimits } from './write-log.ts';

/** The keys of one partition. */
export interface PartitionKeys {
  readonly stream: string;
  readonly pending: string;
  readonly lease: string;
  readonly fence: string;
  readonly dead: string;
  readonly replaceable: string;
  value(token: string): string;
}

/** Names what is kept of one partition. All of it is in one slot. */
export function createPartitionKeys(keys: Keys, name: string, partition: number): PartitionKeys {
  const part = (text: string): string => keys.writePartition(name, partition, text);
  return {
    stream: part('s'),
    pending: part('p'),
    lease: part('l'),
    fence: part('f'),
    dead: part('d'),
    replaceable: part('r'),
    value: (token) => part(`v:${token}`),
  };
}

/** A record before its value has been read. */
export type NamedRecord = Pick<LogRecord, 'id' | 'key' | 'token'>;

/** What the part for dead letters needs of the log. */
export interface RedisLogParts {
  readonly client: Connection['client'];
  readonly reads: RedisLogReads;
  readonly limits: WriteLogLimits;
  ask<Reply>(operation: string, key: string, send: () => Promise<Reply>): Promise<Reply>;
  keysOf(partition: number): PartitionKeys;
  withBytes(places: PartitionKeys, named: readonly NamedRecord[]): Promise<LogRecord[]>;
}
