import { types } from 'node:util';
import { type Bytes, toBytes } from '../core/bytes.ts';
import { checkOptions } from '../core/options.ts';
import { packBody, unpackBody } from './pack.ts';
import { isPlain, parsePlain } from './plain-json.ts';
import { ownBytes } from './rich-bytes.ts';
import { toRichJson } from './rich-json.ts';
import { fromRichJson } from './rich-read.ts';
import { type Serializer, toNamedSerializer } from './serializer.ts';

export type { Serializer } from './serializer.ts';

/** A value as it is stored. `flags`: how the body is to be read, in the low half of the byte (see {@link FORMAT}), and whether it is compressed, `0x10`. */
export interface Encoded {
  readonly flags: number;
  readonly body: Buffer;
}

/** What cannot be read: another format, garbled, of another serializer. */
export const UNREADABLE: unique symbol = Symbol('unreadable');

/** Makes bytes of values and values of bytes. Nothing here throws, and no promise is rejected. */
export interface Codec {
  /** The value at this moment; `undefined` when it cannot be stored: a function, a symbol, a cycle, deeper than 500 levels, a list of holes. `onRefusal` is told why. */
  encode(value: unknown, onRefusal?: (cause: unknown) => void): Encoded | undefined;
  /** Compresses a large body off the event loop. The same object when it is not large, is compressed already, or does not get smaller. */
  pack(encoded: Encoded): Encoded | Promise<Encoded>;
  /** A value that is the caller's own, or {@link UNREADABLE}; a promise of it only when it is compressed. `flags` may have other bits of the owner's above `0x10`. */
  decode(flags: number, body: Buffer): unknown;
}

export interface CodecOptions {
  /** Makes bytes of values in place of JSON. Values stored without it, or with another, are misses. Default: none. */
  readonly serializer?: Serializer | undefined;
  /**
   * Values that take more bytes are stored compressed. Default: `never`, for it pays only where memory or network of Redis are scarcer than time: it takes turns of a small pool of threads,
   * at every write and every read.
   */
  readonly compressAbove?: Bytes | 'never' | undefined;
}

const FORMAT = { json: 0, richJson: 1, buffer: 2, uint8Array: 3, serializer: 4 } as const;
const FORMAT_BITS = 0x0f;
const COMPRESSED = 0x10;

/** Whether the body is JSON that says everything: arrays, objects, and what is no object. */
export function isPlainJson(flags: number): boolean {
  return (flags & FORMAT_BITS) === FORMAT.json;
}

interface Format {
  encode(value: unknown): Encoded;
  decode(format: number, body: Buffer): unknown;
}

/**
 * Creates a codec.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function createCodec(options: CodecOptions = {}): Codec {
  checkOptions('createCodec', options, ['serializer', 'compressAbove']);
  const { serializer, compressAbove = 'never' } = options;
  const maxPlainBytes = compressAbove === 'never' ? Infinity : toBytes(compressAbove, 'compressAbove');
  const format = serializer === undefined ? BUILT_IN : formatOf(serializer);

  function read(flags: number, body: Buffer): unknown {
    try {
      return format.decode(flags & FORMAT_BITS, body);
    } catch {
      return UNREADABLE;
    }
  }

  return {
    encode(value, onRefusal) {
      try {
        return format.encode(value);
      } catch (error) {
        onRefusal?.(error);
        return undefined;
      }
    },
    pack: (encoded) =>
      encoded.body.length > maxPlainBytes && (encoded.flags & COMPRESSED) === 0 ? packed(encoded) : encoded,
    decode(flags, body) {
      if ((flags & COMPRESSED) === 0) return read(flags, body);
      return unpackBody(body).then(
        (unpacked) => read(flags, unpacked),
        () => UNREADABLE,
      );
    },
  };
}

async function packed(encoded: Encoded): Promise<Encoded> {
  const body = await packBody(encoded.body).catch(() => undefined);
  return body === undefined ? encoded : { flags: encoded.flags | COMPRESSED, body };
}

const BUILT_IN: Format = {
  encode(value) {
    if (Buffer.isBuffer(value)) return { flags: FORMAT.buffer, body: Buffer.from(value) };
    if (isPlain(value)) return { flags: FORMAT.json, body: Buffer.from(JSON.stringify(value)) };
    if (types.isUint8Array(value)) return { flags: FORMAT.uint8Array, body: Buffer.from(value) };
    return { flags: FORMAT.richJson, body: Buffer.from(toRichJson(value)) };
  },
  decode(format, body) {
    switch (format) {
      case FORMAT.json:
        return parsePlain(body.toString());
      case FORMAT.richJson:
        return fromRichJson(body.toString());
      case FORMAT.buffer:
        return Buffer.from(ownBytes(body));
      case FORMAT.uint8Array:
        return new Uint8Array(ownBytes(body));
      default:
        return UNREADABLE;
    }
  },
};

function formatOf(serializer: Serializer): Format {
  const { write, read } = toNamedSerializer(serializer);
  return {
    encode: (value) => ({ flags: FORMAT.serializer, body: write(value) }),
    decode: (format, body) => (format === FORMAT.serializer ? read(body) : UNREADABLE),
  };
}
