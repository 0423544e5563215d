import type { WriteBehindRecord } from './write-behind-options.ts';
import type { LogRecord } from './write-log.ts';

/** A record with what `write` is given of it. */
export interface DecodedRecord<T> {
  readonly record: LogRecord;
  readonly written: WriteBehindRecord<T>;
}

/** The records; or the first that holds no value any more, and why. */
export type DecodedRecords<T> =
  | { readonly decoded: readonly DecodedRecord<T>[]; readonly broken?: undefined }
  | { readonly decoded?: undefined; readonly broken: { readonly record: LogRecord; readonly error: Error } };

/** Makes values of bytes. `decode` throws when they hold none. */
export function decodeRecords<T>(records: readonly LogRecord[], decode: (bytes: Buffer) => T): DecodedRecords<T> {
  const decoded: DecodedRecord<T>[] = [];
  for (const record of records) {
    try {
      decoded.push({ record, written: toWritten(record, decode) });
    } catch (cause) {
      return { broken: { record, error: toError(cause) } };
    }
  }
  return { decoded };
}

/**
 * What `write` is given of one record.
 *
 * @throws {Error} When its value is lost or cannot be read.
 */
export function toWritten<T>(record: LogRecord, decode: (bytes: Buffer) => T): WriteBehindRecord<T> {
  const { key, id, bytes, isLost } = record;
  if (isLost) throw new Error('Redis has lost the value of this record');
  const at = new Date(Number(id.split('-')[0]));
  return bytes === undefined ? { key, at, deleted: true } : { key, at, value: decode(bytes) };
}

/** The last record of each key, in the order of those. */
export function collapseRecords<T>(records: readonly WriteBehindRecord<T>[]): WriteBehindRecord<T>[] {
  const last = new Map(records.map((record) => [record.key, record]));
  return records.filter((record) => last.get(record.key) === record);
}

/** Whatever was thrown, as an error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
