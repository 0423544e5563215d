import type { IncomingHttpHeaders } from 'node:http';
import { inspect } from 'node:util';

/** Told of every reading of a property, with its value. */
export type OnRead = (value: unknown) => void;

/**
 * Has a property tell of its readings. It stays what it is otherwise: its place, whether it is listed, whether it can be set or deleted, and what `this` is to its own
 * accessors. False: it cannot be watched.
 */
export function watch(target: object, name: PropertyKey, onRead: OnRead): boolean {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const descriptor = own ?? inheritedDescriptor(target, name);
  if (descriptor === undefined) return true;
  let { value } = descriptor as { value: unknown };

  function read(this: object): unknown {
    const current: unknown = descriptor?.get === undefined ? value : descriptor.get.call(this);
    onRead(current);
    return current;
  }

  function write(this: object, assigned: unknown): void {
    if (descriptor?.set !== undefined) descriptor.set.call(this, assigned);
    else if (this === target) value = assigned;
    // An object that inherits from this one gets a property of its own, as it would have.
    else Object.defineProperty(this, name, { value: assigned, writable: true, enumerable: true, configurable: true });
  }

  const isWritable = descriptor.set !== undefined || descriptor.writable === true;
  return Reflect.defineProperty(target, name, {
    configurable: true,
    enumerable: own?.enumerable ?? false,
    get: read,
    ...(isWritable && { set: write }),
  });
}

function inheritedDescriptor(target: object, name: PropertyKey): PropertyDescriptor | undefined {
  let object = Object.getPrototypeOf(target) as object | null;
  for (; object !== null; object = Object.getPrototypeOf(object) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(object, name);
    if (descriptor !== undefined) return descriptor;
  }
  return undefined;
}

/** Told of readings of header fields. */
export interface HeaderReadings {
  one(name: string, value: unknown): void;
  /** They were listed, or read in another form. */
  all(headers: IncomingHttpHeaders): void;
}

/** Header fields that tell of their readings, also of fields that are not there. */
export function watchedHeaders(headers: IncomingHttpHeaders, readings: HeaderReadings): IncomingHttpHeaders {
  const tell = (name: PropertyKey): void => {
    // Names of header fields are in lower case; others are methods of objects, and `toJSON`.
    if (typeof name !== 'string' || (/[A-Z]/.test(name) && !Object.hasOwn(headers, name))) return;
    readings.one(name, headers[name]);
  };
  // `inspect` looks behind proxies. Not listed, so nobody else comes across it.
  const showAll = (): unknown => {
    readings.all(headers);
    return { ...headers };
  };
  Reflect.defineProperty(headers, inspect.custom, { configurable: true, enumerable: false, value: showAll });
  return new Proxy(headers, {
    get(target, name) {
      tell(name);
      return Reflect.get(target, name) as unknown;
    },
    has(target, name) {
      tell(name);
      return Reflect.has(target, name);
    },
    getOwnPropertyDescriptor(target, name) {
      tell(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    ownKeys(target) {
      readings.all(headers);
      const keys = Reflect.ownKeys(target);
      return Object.isExtensible(target) ? keys.filter((key) => key !== inspect.custom) : keys;
    },
  });
}
