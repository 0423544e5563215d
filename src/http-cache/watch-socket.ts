import type { Socket } from 'node:net';
import { watch } from './watch.ts';

/** What a connection knows of who is at its other end. */
const NAMING = ['remoteAddress', 'authorized', 'getPeerCertificate', 'getPeerX509Certificate'] as const;
type Naming = (typeof NAMING)[number];

type Listeners = Set<() => void>;

/** Whom a connection tells. A property of its own: what inherits from the connection, or is a proxy of it, comes to it as well. */
const LISTENERS = Symbol('listeners');

interface Watched {
  [LISTENERS]?: Listeners;
}

/** What tells of readings, on any connection. */
const telling = new WeakSet<NonNullable<PropertyDescriptor['get']>>();

/**
 * For what connections inherit from their class: one of each for all of them. Properties that differ from connection to connection, or are deleted again, would have V8 keep each connection as a
 * dictionary, and all its later requests would be slow.
 */
const TELLING = new Map(NAMING.map((name) => [name, tellingOf(name)] as const));

/**
 * Has a connection tell who reads from where, or with which certificate, it comes; until the returned function is called. Requests of one connection share it, and what it takes
 * stays in place.
 */
export function watchSocket(socket: Socket, onRead: () => void): () => void {
  const told = listenersOf(socket);
  for (const name of NAMING) if (name in socket) watchName(socket, name, told);
  told.add(onRead);
  return () => void told.delete(onRead);
}

function listenersOf(socket: Socket & Watched): Listeners {
  const existing = socket[LISTENERS];
  if (existing !== undefined) return existing;
  const added: Listeners = new Set();
  Reflect.defineProperty(socket, LISTENERS, { configurable: true, value: added });
  return added;
}

function watchName(socket: Socket, name: Naming, told: Listeners): void {
  const own = Object.getOwnPropertyDescriptor(socket, name);
  if (own?.get !== undefined && telling.has(own.get)) return;
  // What inherits from another connection gets one of its own: what it inherits may tell as well.
  const isOfClass = own === undefined && Object.getPrototypeOf(socket) === classOf(socket);
  const shared = isOfClass ? TELLING.get(name) : undefined;
  if (shared === undefined) watch(socket, name, () => told.forEach((tell) => tell()));
  else Reflect.defineProperty(socket, name, shared);
  const { get } = Object.getOwnPropertyDescriptor(socket, name) ?? {};
  if (get !== undefined) telling.add(get);
}

function tellingOf(name: Naming): PropertyDescriptor & ThisType<Socket & Watched> {
  return {
    configurable: true,
    enumerable: false,
    get() {
      this[LISTENERS]?.forEach((tell) => tell());
      return Reflect.get(classOf(this), name, this);
    },
    // Methods can be replaced, and are a property of the connection's own then.
    ...(name.startsWith('get') && {
      set(value: unknown) {
        Object.defineProperty(this, name, { configurable: true, enumerable: true, writable: true, value });
      },
    }),
  };
}

/** What a connection is an instance of; asked of what inherits from one as well. */
function classOf(heir: object): object {
  let object = heir;
  while (!Object.hasOwn(object, 'constructor')) object = Object.getPrototypeOf(object) as object;
  return object;
}
