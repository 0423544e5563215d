import type { Socket } from 'node:net';
import { watch } from './watch.ts';

/** What a connection knows of who is at its other end. */
const NAMING = ['remoteAddress', 'authorized', 'getPeerCertificate', 'getPeerX509Certificate'] as const;

const listeners = new WeakMap<Socket, Set<() => void>>();

/** Has a connection tell who reads from where, or with which certificate, it comes; until the returned function is called. Requests of one connection share it. */
export function watchSocket(socket: Socket, onRead: () => void): () => void {
  const told = listeners.get(socket) ?? new Set();
  listeners.set(socket, told);
  const names = NAMING.filter((name) => name in socket);
  const before = names.map((name) => [name, Object.getOwnPropertyDescriptor(socket, name)] as const);
  if (told.size === 0) {
    for (const name of names) watch(socket, name, () => told.forEach((tell) => tell()));
  }
  told.add(onRead);
  return () => {
    if (!told.delete(onRead) || told.size > 0) return;
    for (const [name, own] of before) {
      if (own === undefined) Reflect.deleteProperty(socket, name);
      else Object.defineProperty(socket, name, own);
    }
  };
}
