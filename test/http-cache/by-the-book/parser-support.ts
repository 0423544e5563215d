import type { Request } from 'express';
import * as fc from 'fast-check';
import { normalizeRequest } from '../../../src/http-cache/normalize.ts';
import { toPolicy } from '../../../src/http-cache/policy.ts';

export const POLICY = toPolicy('rfc9111');

const NUMBERS = ['0', '1', '9'.repeat(20)];
const SIGNS = ['=', '-', ',', '"', '\\', ';', '.', '/', '*', ' ', '\t', '(', ')', ':', '\u0000', '\u00ff'];
const WORDS = [
  'bytes',
  'q=',
  'W/',
  'gzip',
  'de',
  'no-store',
  'private',
  'max-age',
  '?0',
  'GMT',
  'Mon',
  'Jan',
  '__proto__',
];
const PIECES = [...NUMBERS, ...SIGNS, ...WORDS];

/** Whatever a header field can hold, and more; pieces that parsers look for among it. */
export const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((pieces) => pieces.join('')),
);
export const lines = fc.oneof(anything, fc.array(anything, { maxLength: 3 }));

/** What a handler sees of a field, on a route that declares these values or none. */
export function normalized(
  name: 'accept-encoding' | 'accept-language',
  field: string | undefined,
  values?: readonly string[],
): string | undefined {
  const headers = { [name]: field };
  normalizeRequest({ headers } as unknown as Request, values && { [name]: values }, true);
  return headers[name];
}
