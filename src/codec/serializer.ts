import { ConfigError } from '../core/errors.ts';

/** Makes bytes of values, and values of bytes, in place of JSON: msgpack, superjson and so on. Both functions are synchronous. */
export interface Serializer {
  /** Recorded with every value: values of another serializer are misses. Change it when you change the format. At most 255 bytes. */
  readonly name: string;
  /** Throws when the value cannot be stored. */
  serialize(value: unknown): Uint8Array | string;
  /** Throws when it cannot read the bytes: the value then counts as not there. The bytes are its own to keep. */
  deserialize(bytes: Buffer): unknown;
}

/** A serializer whose bytes begin with its name. */
export interface NamedSerializer {
  /** @throws What the serializer throws. */
  write(value: unknown): Buffer;
  /** @throws When it is another's, or what the serializer throws. */
  read(body: Buffer): unknown;
}

/** @throws {ConfigError} When it is not a serializer. */
export function toNamedSerializer(serializer: Partial<Serializer> | null): NamedSerializer {
  const { name, serialize, deserialize } = serializer ?? {};
  if (typeof serialize !== 'function' || typeof deserialize !== 'function' || !isName(name)) {
    throw new ConfigError(
      'serializer takes { name, serialize, deserialize }: a text of 1 to 255 bytes and two functions.',
    );
  }
  const head = Buffer.from(`\0${name}`);
  head.writeUInt8(head.length - 1);
  return {
    write: (value) => Buffer.concat([head, toBytes(serialize.call(serializer, value))]),
    read: (body) => {
      if (!body.subarray(0, head.length).equals(head)) throw new TypeError('Stored by another serializer');
      return asValue(deserialize.call(serializer, Buffer.from(body.subarray(head.length))));
    },
  };
}

function isName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && Buffer.byteLength(name) <= 255;
}

function toBytes(written: unknown): Uint8Array {
  if (typeof written === 'string') return Buffer.from(written);
  if (written instanceof Uint8Array) return written;
  throw new TypeError('A serializer gives bytes or a text.');
}

/** A promise would be a value that may fail later. */
function asValue(read: unknown): unknown {
  if (!(read instanceof Promise)) return read;
  read.catch(() => undefined);
  throw new TypeError('A deserializer is synchronous.');
}
