import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from 'express';
import { KEYED_GETTERS } from './request-shape.ts';
import { attach, type HeaderReadings, watch, watchedHeaders } from './watch.ts';

const HEADERS = Symbol('headers');
const QUIET = Symbol('quiet');

type KeyedGetter = (typeof KEYED_GETTERS)[number];
type Pause = <T>(call: () => T) => T;

/** What the accessors below know of a request. They are the same for all: see `watch`. */
interface Marked {
  [HEADERS]?: { headers: IncomingHttpHeaders; proxy: IncomingHttpHeaders; readonly readings: HeaderReadings };
  [QUIET]?: { readonly req: Request; readonly pauses: readonly Pause[] };
}

/** Has the header fields of a request tell of their readings, in all forms. */
export function watchHeaders(req: Request & Marked, readings: HeaderReadings): void {
  const { headers } = req;
  const watched = { headers, proxy: watchedHeaders(headers, readings), readings };
  const enumerable = Object.prototype.propertyIsEnumerable.call(req, 'headers');
  const isWatched =
    attach(req, HEADERS, watched) && Reflect.defineProperty(req, 'headers', { ...WATCHED_HEADERS, enumerable });
  const isAllWatched = ['rawHeaders', 'headersDistinct'].every((name) =>
    watch(req, name, () => readings.all(watched.headers)),
  );
  if (!isWatched || !isAllWatched) readings.all(headers);
}

const WATCHED_HEADERS: PropertyDescriptor & ThisType<Marked> = {
  configurable: true,
  get() {
    return this[HEADERS]?.proxy;
  },
  set(replaced: IncomingHttpHeaders) {
    const watched = this[HEADERS];
    if (watched === undefined) return;
    watched.headers = replaced;
    watched.proxy = watchedHeaders(replaced, watched.readings);
  },
};

/** What getters of Express' read does not count, while `pause` runs them. Those in whose place somebody has put something that says otherwise are left to `onReplaced`. */
export function quieten(req: Request & Marked, pause: Pause, onReplaced: (name: KeyedGetter) => void): void {
  const pauses = [...(req[QUIET]?.pauses ?? []), pause];
  if (!attach(req, QUIET, { req, pauses })) return;
  for (const name of KEYED_GETTERS) {
    if (Object.hasOwn(req, name) && pause(() => String(req[name]) !== String(readOfExpress(req, name))))
      onReplaced(name);
    else Reflect.defineProperty(req, name, QUIET_GETTERS[name]);
  }
}

function readOfExpress(req: Request, name: KeyedGetter): unknown {
  let object: object = req;
  // A request may inherit from another that is watched.
  do object = Object.getPrototypeOf(object) as object;
  while (Object.hasOwn(object, QUIET));
  return Reflect.get(object, name, req);
}

const QUIET_GETTERS = Object.fromEntries(KEYED_GETTERS.map((name) => [name, quietGetter(name)])) as Record<
  KeyedGetter,
  PropertyDescriptor
>;

function quietGetter(name: KeyedGetter): PropertyDescriptor & ThisType<Marked> {
  return {
    configurable: true,
    enumerable: false,
    get() {
      const quiet = this[QUIET];
      if (quiet === undefined) return undefined;
      const read = (): unknown => readOfExpress(quiet.req, name);
      return quiet.pauses.reduce<() => unknown>((call, pause) => () => pause(call), read)();
    },
  };
}
