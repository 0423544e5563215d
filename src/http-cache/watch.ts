import type { IncomingHttpHeaders } from 'node:http';
import { inspect } from 'node:util';
import { createBounded } from '../core/bounded.ts';

/** Told of every reading of a property, with its value. */
export type OnRead = (value: unknown) => void;

/** A property that tells of its readings. */
interface Watched {
  readonly listeners: OnRead[];
  /** What it was before. */
  readonly former: PropertyDescriptor;
}

const WATCHED = Symbol('watched');

type Target = object & { readonly [WATCHED]?: Map<PropertyKey, Watched> };

interface Accessor {
  get(this: Target): unknown;
  set(this: Target, assigned: unknown): void;
}

/**
 * The same functions for all objects: V8 makes accessors among the long-lived, and what they can reach, a request for example, would stay until the next full collection. Names may come from
 * data, so only so many are remembered.
 */
const accessors = createBounded<PropertyKey, Accessor>(1_000);
const getters = new WeakSet<object>();

/**
 * Has a property tell of its readings. It stays what it is otherwise: its place, whether it is listed, whether it can be set or deleted, and what `this` is to its own
 * accessors. False: it cannot be watched.
 */
export function watch(target: Target, name: PropertyKey, onRead: OnRead): boolean {
  const own = Object.getOwnPropertyDescriptor(target, name);
  if (isWatching(own)) return target[WATCHED]?.get(name)?.listeners.push(onRead) !== undefined;
  const former = own ?? inheritedDescriptor(target, name);
  if (former === undefined) return true;
  if (!Object.hasOwn(target, WATCHED) && !attach(target, WATCHED, new Map())) return false;
  const watched: Watched = { listeners: [onRead], former };
  // It was watched before, and somebody has put something around that: what is there calls the accessor that is for all.
  const isAround = target[WATCHED]?.has(name) === true;
  const { get, set } = isAround ? createAccessor(name, () => watched) : accessorOf(name);
  if (!isAround) target[WATCHED]?.set(name, watched);
  const isWritable = former.set !== undefined || former.writable === true;
  const enumerable = own?.enumerable ?? false;
  return Reflect.defineProperty(target, name, { configurable: true, enumerable, get, ...(isWritable && { set }) });
}

/** Puts something on an object where nobody comes across it. False where the object takes no more properties. */
export function attach(target: object, name: symbol, value: unknown): boolean {
  return Reflect.defineProperty(target, name, { configurable: true, enumerable: false, writable: true, value });
}

function isWatching(descriptor: PropertyDescriptor | undefined): boolean {
  return descriptor?.get !== undefined && getters.has(descriptor.get);
}

function inheritedDescriptor(target: object, name: PropertyKey): PropertyDescriptor | undefined {
  for (let object = parentOf(target); object !== null; object = parentOf(object)) {
    const descriptor = Object.getOwnPropertyDescriptor(object, name);
    const holder = object;
    // The functions would look for what is watched here, not there.
    if (isWatching(descriptor))
      return { get: () => Reflect.get(holder, name), set: (value) => Reflect.set(holder, name, value) };
    if (descriptor !== undefined) return descriptor;
  }
  return undefined;
}

function parentOf(object: object): object | null {
  return Object.getPrototypeOf(object) as object | null;
}

function accessorOf(name: PropertyKey): Accessor {
  const known = accessors.get(name);
  if (known !== undefined) return known;
  const created = createAccessor(name, (heir) => watchedOf(heir, name));
  accessors.set(name, created);
  getters.add(created.get);
  return created;
}

/** `this` is the object that is watched, or one that inherits from it. */
function createAccessor(name: PropertyKey, find: (heir: Target) => Watched): Accessor {
  const accessor: Accessor = {
    get() {
      const { listeners, former } = find(this);
      const current: unknown = former.get === undefined ? former.value : former.get.call(this);
      for (const tell of listeners) tell(current);
      return current;
    },
    set(assigned) {
      const { former } = find(this);
      if (former.set !== undefined) former.set.call(this, assigned);
      else if (Object.getOwnPropertyDescriptor(this, name)?.get === accessor.get) former.value = assigned;
      // An object that inherits from this one gets a property of its own, as it would have.
      else Object.defineProperty(this, name, { value: assigned, writable: true, enumerable: true, configurable: true });
    },
  };
  return accessor;
}

function watchedOf(heir: Target, name: PropertyKey): Watched {
  for (let object: Target | null = heir; object !== null; object = parentOf(object)) {
    const watched = Object.hasOwn(object, WATCHED) ? object[WATCHED]?.get(name) : undefined;
    if (watched !== undefined) return watched;
  }
  return { listeners: [], former: {} };
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
