import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';

/** Larger bodies are not compressed, and nothing unpacks to more. */
const MAX_UNPACKED_BYTES = 256 * 1_048_576;
const HEAD_BYTES = 4;
/** Values are written often and read soon: a third of the time of level 6, for some percent of size. */
const LEVEL = 3;

/**
 * Compresses off the event loop: the length as u32, little endian, then zlib's format (RFC 1950). `undefined` when it does not get smaller.
 */
export async function packBody(body: Buffer): Promise<Buffer | undefined> {
  if (body.length > MAX_UNPACKED_BYTES) return undefined;
  const compressed = await promisify(deflate)(body, { level: LEVEL });
  if (compressed.length + HEAD_BYTES >= body.length) return undefined;
  const packed = Buffer.allocUnsafeSlow(HEAD_BYTES + compressed.length);
  packed.writeUInt32LE(body.length);
  packed.set(compressed, HEAD_BYTES);
  return packed;
}

/**
 * Undoes {@link packBody}. What it takes is bounded by the length that is told, by 256 MB, and by the format: 1032 times what is there.
 *
 * @throws {Error} When it is not what was packed.
 */
export async function unpackBody(packed: Buffer): Promise<Buffer> {
  const size = packed.readUInt32LE(0);
  if (size === 0 || size > MAX_UNPACKED_BYTES) throw new RangeError('Not packed');
  const body = await promisify(inflate)(packed.subarray(HEAD_BYTES), { maxOutputLength: size });
  if (body.length !== size) throw new RangeError('Not as long as it was');
  return body;
}
