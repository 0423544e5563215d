import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { IncomingHttpHeaders } from 'node:http';
import { parseCacheControl } from './cache-control.ts';
import { choicesOf } from './normalize.ts';
import type { StorableHead } from './response-head.ts';

const TEXT =
  /^(?:text\/(?!event-stream)|application\/(?:[\w.+-]+\+)?(?:json|xml|javascript)|application\/(?:javascript|wasm)|image\/svg\+xml)/i;

/** Fields that would be wrong beside other bytes (RFC 9530 §2, §3; RFC 3230). */
const ABOUT_BYTES = ['content-encoding', 'content-md5', 'content-digest', 'repr-digest', 'digest'] as const;

/** A body as it is kept. */
export interface KeptBody {
  readonly body: Buffer;
  readonly coding: 'gzip' | undefined;
}

/** Compresses a body off the event loop, if it is text, large enough and not compressed yet, and nobody forbade it (RFC 9111 §5.2.2.6). */
export async function compressBody(head: StorableHead, body: Buffer, minBytes: number): Promise<KeptBody> {
  if (body.length < minBytes || head.status !== 200 || !isCompressible(head)) return { body, coding: undefined };
  const compressed = await promisify(gzip)(body);
  return compressed.length < body.length ? { body: compressed, coding: 'gzip' } : { body, coding: undefined };
}

/** Whether it is text that is not compressed yet, and nobody forbade it. */
export function isCompressible({ headers }: StorableHead): boolean {
  const field = (name: string): string | readonly string[] | undefined =>
    headers.find(([key]) => key.toLowerCase() === name)?.[1];
  if (ABOUT_BYTES.some((name) => field(name) !== undefined)) return false;
  if (parseCacheControl(field('cache-control')).has('no-transform')) return false;
  return TEXT.test(String(field('content-type') ?? ''));
}

/** @throws {Error} When it is not what was stored. */
export async function decompressBody(body: Buffer, maxBytes: number): Promise<Buffer> {
  return promisify(gunzip)(body, { maxOutputLength: Math.max(1, maxBytes) });
}

/** RFC 9110 §12.5.3: gzip, by name or by `*`, with a weight above 0 and not below that of `identity`. */
export function acceptsGzip(headers: IncomingHttpHeaders): boolean {
  const field = headers['accept-encoding'];
  if (field === undefined) return false;
  const weights = new Map(choicesOf(field).map(({ value, weight }) => [value, weight]));
  const weight = weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0;
  return weight > 0 && weight >= (weights.get('identity') ?? 0);
}
