import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Request, Response } from 'express';
import type { CacheConfig } from './options.ts';

/** Watches what the handlers behind the cache read of a request. */
export interface Tracker {
  /**
   * How far the response depends on who is asking. `none`: nothing of the kind was read. `absent`: it was looked for, so the response is for those who do not say. `given`:
   * it was there, so the response is for nobody else.
   */
  identity(): 'none' | 'absent' | 'given';
  /** Undeclared headers that were read and look like credentials, in lower case: they belong into the key. */
  credentialHeaders(): readonly string[];
  /** Everything undeclared that was read, for people. */
  undeclared(): readonly string[];
  /** Runs what is not the handler's: its reads do not count. */
  pause<T>(call: () => T): T;
}

/** Fields that are in the key, or are not about the response's content. */
const HARMLESS = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'cache-control',
  'pragma',
  'if-none-match',
  'if-modified-since',
  'if-range',
  'range',
  'expect',
  'date',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
  'x-correlation-id',
  'traceparent',
  'tracestate',
]);
const CREDENTIAL =
  /auth|cookie|token|api-?key|secret|session|jwt|credential|password|user|account|tenant|identity|client-?id/;

/** Properties of every request, and those that hold nothing of the request or only what is in the key. */
const OWN_TO_REQUESTS = new Set([
  ...Object.getOwnPropertyNames(new IncomingMessage(new Socket())),
  ...Object.getOwnPropertyNames(IncomingMessage.prototype),
  'ip',
  'ips',
  'originalUrl',
  'baseUrl',
  'params',
  'query',
  'body',
  'route',
  'app',
  'res',
  'next',
  'log',
  'id',
]);
/** They come from cookies: without one they say nothing. */
const FROM_COOKIES = new Set(['cookies', 'signedCookies', 'session', 'sessionID', 'sessionStore', 'secret']);

/** Whether handlers of a route are watched. Where the route says by what requests are told apart, it has said what there is to know. */
export function isTracked({ cookies, user, vary }: CacheConfig): boolean {
  return cookies === 'track' && user === undefined && !vary.some((name) => CREDENTIAL.test(name));
}

/**
 * Puts a watch on a request and on `res.locals`. The objects stay what they are; their properties become accessors. What middleware keeps in closures or in an
 * AsyncLocalStorage cannot be seen.
 */
export function track(req: Request, res: Response, config: CacheConfig): Tracker {
  const headersRead = new Set<string>();
  const others = new Set<string>();
  let identity: ReturnType<Tracker['identity']> = 'none';
  let isPaused = false;
  const hasCookie = req.headers.cookie !== undefined;

  function note(level: 'absent' | 'given', name: string): void {
    if (isPaused) return;
    others.add(name);
    if (identity !== 'given') identity = level;
  }

  function noteHeader(name: string, value: unknown): void {
    if (isPaused || HARMLESS.has(name) || config.vary.includes(name)) return;
    if (name === 'cookie' && typeof config.cookies !== 'string') return;
    headersRead.add(name);
    if (name === 'cookie' || name === 'authorization') note(value === undefined ? 'absent' : 'given', name);
  }

  // Before there are properties of the watch's own.
  watchProperties(
    req,
    (name) => !OWN_TO_REQUESTS.has(name) && !name.startsWith('_'),
    (name, value) => {
      const isSilent = FROM_COOKIES.has(name) ? !hasCookie : isEmpty(value);
      note(isSilent ? 'absent' : 'given', `req.${name}`);
    },
  );
  watchHeaders(req, noteHeader, () => note('absent', 'all headers'));
  for (const name of ['ip', 'ips'] as const) watchAddress(req, name, () => note('given', `req.${name}`));
  const locals = res.locals as object | undefined;
  if (locals !== undefined) {
    watchProperties(
      locals,
      () => true,
      (name, value) => note(isEmpty(value) ? 'absent' : 'given', `res.locals.${name}`),
    );
  }

  return {
    identity: () => identity,
    credentialHeaders: () => [...headersRead].filter((name) => !SPOKEN_FOR.has(name) && CREDENTIAL.test(name)),
    undeclared: () => [...new Set([...[...headersRead].map((name) => `header ${name}`), ...others])],
    pause(call) {
      const wasPaused = isPaused;
      isPaused = true;
      try {
        return call();
      } finally {
        isPaused = wasPaused;
      }
    },
  };
}

/** They are identity, whose presence decides; others are told apart by their values. */
const SPOKEN_FOR = new Set(['cookie', 'authorization']);

/** Nobody is named by nothing, nor by a function, which reads what it needs when it is called. */
function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === false || value === '' || typeof value === 'function';
}

function watchHeaders(req: Request, onRead: (name: string, value: unknown) => void, onAll: () => void): void {
  let headers = req.headers;
  const watched = (target: typeof headers): typeof headers =>
    new Proxy(target, {
      get(fields, name) {
        const value: unknown = Reflect.get(fields, name);
        if (typeof name === 'string') onRead(name, value);
        return value;
      },
      has(fields, name) {
        if (typeof name === 'string') onRead(name, Reflect.get(fields, name));
        return Reflect.has(fields, name);
      },
      ownKeys(fields) {
        onAll();
        return Reflect.ownKeys(fields);
      },
    });
  let proxy = watched(headers);
  Object.defineProperty(req, 'headers', {
    configurable: true,
    enumerable: true,
    get: () => proxy,
    set(replaced: typeof headers) {
      headers = replaced;
      proxy = watched(headers);
    },
  });
  for (const name of ['rawHeaders', 'headersDistinct'] as const) {
    const descriptor = descriptorOf(req, name);
    if (descriptor === undefined) continue;
    Object.defineProperty(req, name, {
      configurable: true,
      enumerable: descriptor.enumerable ?? false,
      get() {
        onAll();
        return descriptor.get === undefined ? (descriptor.value as unknown) : (descriptor.get.call(req) as unknown);
      },
    });
  }
}

/** Also of what it inherits. */
function descriptorOf(target: object, name: string): PropertyDescriptor | undefined {
  for (let object: object | null = target; object !== null; object = Object.getPrototypeOf(object) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(object, name);
    if (descriptor !== undefined) return descriptor;
  }
  return undefined;
}

function watchProperties(
  target: object,
  isWatched: (name: string) => boolean,
  onRead: (name: string, value: unknown) => void,
): void {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(target))) {
    if (!isWatched(name)) continue;
    if (descriptor.configurable !== true) {
      onRead(name, target); // It cannot be watched, so it counts as read.
      continue;
    }
    let { value } = descriptor as { value: unknown };
    Object.defineProperty(target, name, {
      configurable: true,
      enumerable: descriptor.enumerable ?? false,
      get(this: unknown) {
        const current: unknown = descriptor.get === undefined ? value : descriptor.get.call(this);
        onRead(name, current);
        return current;
      },
      set(this: unknown, assigned: unknown) {
        if (descriptor.set !== undefined) descriptor.set.call(this, assigned);
        else if (descriptor.writable === true) value = assigned;
      },
    });
  }
}

/** The client's address is a getter that requests inherit. */
function watchAddress(req: Request, name: 'ip' | 'ips', onRead: () => void): void {
  const descriptor = descriptorOf(req, name);
  if (descriptor?.get === undefined) return;
  const { get } = descriptor;
  Object.defineProperty(req, name, {
    configurable: true,
    enumerable: true,
    get() {
      onRead();
      return get.call(req) as unknown;
    },
  });
}
