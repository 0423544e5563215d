import type { Socket } from 'node:net';
import { watch } from './watch.ts';

/** What a connection knows of who is at its other end. */
const NAMING = ['remoteAddress', 'authorized', 'getPeerCertificate', 'getPeerX509Certificate'] as const;
type Naming = (typeof NAMING)[number];

type Listeners = Set<() => void>;

const listeners = new WeakMap<Socket, Listeners>();

/** What tells of readings, on any connection. */
const telling = new WeakSet<NonNullable<PropertyDescriptor['get']>>();

/**
 * For what connections inherit: one of each for all of them. Properties that differ from connection to connection, or are deleted again, would have V8 keep each connection as a dictionary, and all its
 * later requests would be slow.
 */
const TELLING = new Map(NAMING.map((name) => [name, tellingOf(name)] as const));

/**
 * Has a connection tell who reads from where, or with which certificate, it comes; until the returned function is called. Requests of one connection share it, and what it takes
 * stays in place.
 */
export function watchSocket(socket: Socket, onRead: () => void): () => void {
  const told: Listeners = listeners.get(socket) ?? new Set();
  listeners.set(socket, told);
  for (const name of NAMING) if (name in socket) watchName(socket, name, told);
  told.add(onRead);
  return () => void told.delete(onRead);
}

function watchName(socket: Socket, name: Naming, told: Listeners): void {
  const own = Object.getOwnPropertyDescriptor(socket, name);
  if (own?.get !== undefined && telling.has(own.get)) return;
  if (own !== undefined) watch(socket, name, () => told.forEach((tell) => tell()));
  else Object.defineProperty(socket, name, TELLING.get(name) ?? {});
  const { get } = Object.getOwnPropertyDescriptor(socket, name) ?? {};
  if (get !== undefined) telling.add(get);
}

function tellingOf(name: Naming): PropertyDescriptor & ThisType<Socket> {
  return {
    configurable: true,
    enumerable: false,
    get() {
      listeners.get(this)?.forEach((tell) => tell());
      return Reflect.get(Object.getPrototypeOf(this) as object, name, this);
    },
    // Methods can be replaced, and are a property of the connection's own then.
    ...(name.startsWith('get') && {
      set(value: unknown) {
        Object.defineProperty(this, name, { configurable: true, enumerable: true, writable: true, value });
      },
    }),
  };
}
