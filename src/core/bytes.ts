import { ConfigError } from './errors.ts';

const UNITS = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 } as const;

/** A size: bytes, or a number with its unit: `'512kb'`, `'64mb'`, `'1gb'` (powers of 1024). */
export type Bytes = number | `${number}${keyof typeof UNITS}`;

/**
 * Bytes of a size.
 *
 * @throws {ConfigError} When it is not a positive size.
 */
export function toBytes(value: Bytes, option: string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(b|kb|mb|gb)$/.exec(value) : null;
  const bytes = match === null ? value : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
  if (typeof bytes !== 'number' || !Number.isFinite(bytes) || bytes < 1) {
    throw new ConfigError(`${option}: ${JSON.stringify(value)} is not a size. Write bytes or '512kb', '64mb', '1gb'.`);
  }
  return Math.floor(bytes);
}
