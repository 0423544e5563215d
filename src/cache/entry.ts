import type { Dependencies } from '../register/ledger.ts';
import type { Stamp } from '../register/mirror.ts';
import type { Beside } from './beside.ts';

/**
 * One stored value, as one string in Redis: a fixed header of 72 bytes (little endian), tags, key, metadata, body.
 *
 * ```
 *  0 u16 magic    2 u8 version   3 u8 flags      4 u16 tag count   6 u16 -        8 u32 bytes of tags   12 u32 of key
 * 16 u32 of metadata            20 u32 of body  24 f64 clock      32 f64 generation                     40 f64 stored at, ms
 * 48 f64 fresh for, ms          56 f64 stale for, ms              64 f64 computed in, ms
 * ```
 * Fixed places let the header be read without the body. An unknown magic or version is a miss, so that versions can be mixed during a deployment.
 */
export interface Entry extends Stamp {
  /** Meaning is the owner's. One byte. */
  readonly flags: number;
  readonly storedAt: number;
  readonly freshMs: number;
  readonly staleMs: number;
  readonly computeMs: number;
  /** Owner's description of the body, raw. */
  readonly metadata: Buffer;
  /** Length of the body. */
  readonly bodyBytes: number;
  /** The body, or as much of it as was read. */
  readonly body: Buffer;
  /** The whole, of which the above are views. */
  readonly bytes: Buffer;
  /** Only where it is kept in the memory of this process. */
  readonly beside: Beside | undefined;
}

/** What an entry is made of. */
export interface EntryDraft extends Dependencies {
  readonly stamp: Stamp;
  readonly flags: number;
  readonly freshMs: number;
  readonly staleMs: number;
  readonly computeMs: number;
  readonly metadata: string;
  readonly body: Uint8Array;
}

const MAGIC = 0x5245;
const VERSION = 1;
const HEADER_BYTES = 72;

/** Lays out an entry that is stored at `storedAt` (the register's time). */
export function encodeEntry(draft: EntryDraft, storedAt: number): Buffer {
  const tags = draft.tags.map((tag) => Buffer.from(tag));
  const key = Buffer.from(draft.key);
  const metadata = Buffer.from(draft.metadata);
  const tagBytes = tags.reduce((sum, tag) => sum + 2 + tag.length, 0);
  // Not from the shared pool: a small entry that is kept would keep a whole slab of it.
  const bytes = Buffer.allocUnsafeSlow(HEADER_BYTES + tagBytes + key.length + metadata.length + draft.body.length);

  bytes.writeUInt16LE(MAGIC, 0);
  bytes.writeUInt8(VERSION, 2);
  bytes.writeUInt8(draft.flags, 3);
  bytes.writeUInt16LE(tags.length, 4);
  bytes.writeUInt16LE(0, 6);
  bytes.writeUInt32LE(tagBytes, 8);
  bytes.writeUInt32LE(key.length, 12);
  bytes.writeUInt32LE(metadata.length, 16);
  bytes.writeUInt32LE(draft.body.length, 20);
  const numbers = [draft.stamp.clock, draft.stamp.generation, storedAt, draft.freshMs, draft.staleMs, draft.computeMs];
  numbers.forEach((number, i) => bytes.writeDoubleLE(number, 24 + 8 * i));

  let at = HEADER_BYTES;
  for (const tag of tags) {
    bytes.writeUInt16LE(tag.length, at);
    at += 2 + tag.copy(bytes, at + 2);
  }
  at += key.copy(bytes, at);
  at += metadata.copy(bytes, at);
  bytes.set(draft.body, at);
  return bytes;
}

/**
 * Reads an entry; `undefined` when it is not one of this version, or is truncated. Of a `head` the body may be truncated, nothing else. Nothing is copied.
 */
export function decodeEntry(bytes: Buffer, part: 'whole' | 'head' = 'whole'): Entry | undefined {
  const bodyAt = headBytesOf(bytes);
  if (bodyAt === 0) return undefined;
  const metadataAt = bodyAt - bytes.readUInt32LE(16);
  const bodyBytes = bytes.readUInt32LE(20);
  const isWhole = bodyAt + bodyBytes === bytes.length;
  const isHead = part === 'head' && bodyAt <= bytes.length && bytes.length < bodyAt + bodyBytes;
  if (!isWhole && !isHead) return undefined;
  return {
    flags: bytes.readUInt8(3),
    clock: bytes.readDoubleLE(24),
    generation: bytes.readDoubleLE(32),
    storedAt: bytes.readDoubleLE(40),
    freshMs: bytes.readDoubleLE(48),
    staleMs: bytes.readDoubleLE(56),
    computeMs: bytes.readDoubleLE(64),
    metadata: bytes.subarray(metadataAt, bodyAt),
    bodyBytes,
    body: bytes.subarray(bodyAt),
    bytes,
    beside: undefined,
  };
}

/** Reads what comes before the body of an entry, and some of that: first as much as is enough for most. `read` reads so many bytes from its beginning. */
export async function readHead(
  read: (bytes: number) => Promise<Buffer | undefined>,
  firstBytes: number,
): Promise<Buffer | undefined> {
  const first = await read(firstBytes);
  const headBytes = first === undefined ? 0 : headBytesOf(first);
  return headBytes > firstBytes ? read(headBytes) : first;
}

/** How long that is, as the header says; 0 when it is none of this version. */
function headBytesOf(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES || bytes.readUInt16LE(0) !== MAGIC || bytes[2] !== VERSION) return 0;
  return HEADER_BYTES + bytes.readUInt32LE(8) + bytes.readUInt32LE(12) + bytes.readUInt32LE(16);
}

/** The instants of an entry that begins another lifetime at `storedAt`, as they stand in its header from byte 40 on. */
export function encodeInstants(storedAt: number, { freshMs, staleMs }: Pick<Entry, 'freshMs' | 'staleMs'>): Buffer {
  const bytes = Buffer.alloc(24);
  [storedAt, freshMs, staleMs].forEach((number, i) => bytes.writeDoubleLE(number, 8 * i));
  return bytes;
}

/** Names one writing of an entry, from the bytes that were read of it: what a script sees at the same place. */
export function writingOf(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : bytes.toString('hex', 24, 48);
}

/**
 * Reads the key and the tags of an entry, which are needed only when something was invalidated after it was computed.
 *
 * @throws {RangeError} When they are garbled.
 */
export function dependenciesOf({ bytes }: Entry): Dependencies {
  const tags: string[] = [];
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt16LE(4); left > 0; left--) {
    const end = at + 2 + bytes.readUInt16LE(at);
    tags.push(bytes.toString('utf8', at + 2, end));
    at = end;
  }
  if (at !== HEADER_BYTES + bytes.readUInt32LE(8))
    throw new RangeError('The tags of the entry do not fill their place');
  return { tags, key: bytes.toString('utf8', at, at + bytes.readUInt32LE(12)) };
}
