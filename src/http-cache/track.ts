import type { Request, Response } from 'express';
import type { CacheConfig } from './options.ts';
import { foreignParameters } from './from-url.ts';
import { isAddress, isCredential, isHarmless, tellsApart, USUAL_CREDENTIALS } from './request-fields.ts';
import { namesOn, shapeOf, valuesOn } from './request-shape.ts';
import { type HeaderReadings, type OnRead, watch } from './watch.ts';
import { quieten, watchHeaders } from './watch-request.ts';
import { watchSocket } from './watch-socket.ts';

/** Watches what the handlers behind the cache read of a request. */
export interface Tracker {
  /**
   * How far the response depends on who is asking. `none`: nothing of the kind was read. `absent`: it was looked for, so the response is for those who do not say. `given`:
   * it was there, so the response is for nobody else.
   */
  identity(): 'none' | 'absent' | 'given';
  /** Undeclared headers that were read and tell requests apart, in lower case: they belong into the key. */
  keyedHeaders(): readonly string[];
  /** Everything undeclared that was read, for people. */
  undeclared(): readonly string[];
  /** What earlier middleware had put on the request, on its response and on `res.locals`. */
  readonly shape: readonly string[];
  /** Runs what is not the handler's: its reads do not count. */
  pause<T>(call: () => T): T;
}

/** They come from cookies: without one they say nothing, unless they hold something all the same. */
const FROM_COOKIES = new Set<PropertyKey>(['cookies', 'signedCookies', 'session']);
const BESIDE_COOKIES = new Set<PropertyKey>([
  'secret',
  'sessionID',
  'sessionStore',
  'sessionCookies',
  'sessionOptions',
  'sessionKey',
  '_sessionManager',
  '_passport',
]);

/** Whether handlers of a route are watched. Where the route says by what requests are told apart, it has said what there is to know. */
export function isTracked({ cookies, user, vary }: CacheConfig): boolean {
  return cookies === 'track' && user === undefined && !vary.some(isCredential);
}

/** What has been read. */
interface Readings {
  identity: ReturnType<Tracker['identity']>;
  readonly headers: Set<string>;
  readonly others: Set<string>;
  hasAddress: boolean;
  hasAllHeaders: boolean;
}

type Note = (level: 'absent' | 'given', name?: string) => void;

/**
 * Puts a watch on a request, and on what others put on its response and on `res.locals`. The objects stay what they are; their properties become accessors. What middleware keeps in closures or in an
 * AsyncLocalStorage cannot be seen.
 */
export function track(req: Request, res: Response, config: CacheConfig): Tracker {
  const readings: Readings = {
    identity: 'none',
    headers: new Set(),
    others: new Set(),
    hasAddress: false,
    hasAllHeaders: false,
  };
  const shape = shapeOf(req, res);
  let isPaused = false;

  function pause<T>(call: () => T): T {
    const wasPaused = isPaused;
    isPaused = true;
    try {
      return call();
    } finally {
      isPaused = wasPaused;
    }
  }

  const note: Note = (level, name) => {
    if (isPaused) return;
    if (name !== undefined) readings.others.add(name);
    if (readings.identity !== 'given') readings.identity = level;
  };

  // Before there are properties of the watch's own.
  watchProperties(req, res, note);
  watchHeaders(
    req,
    headerReadings(readings, config, note, () => isPaused),
  );
  watchWhence(req, res, { note, pause });

  return {
    shape,
    pause,
    identity: () => (readings.hasAddress && !readings.hasAllHeaders ? 'given' : readings.identity),
    keyedHeaders: () => keyedIn(readings),
    undeclared: () => [...[...readings.headers].map((name) => `the header ${name}`), ...readings.others],
  };
}

/** They are identity, whose presence decides; others are told apart by their values. */
const SPOKEN_FOR = new Set(['cookie', 'authorization']);

function keyedIn({ headers, hasAllHeaders }: Readings): string[] {
  const read = hasAllHeaders ? [...new Set([...headers, ...USUAL_CREDENTIALS])] : [...headers];
  return read.filter((name) => !SPOKEN_FOR.has(name) && tellsApart(name, hasAllHeaders ? 'forwarded' : 'named'));
}

function headerReadings(
  readings: Readings,
  { vary }: CacheConfig,
  note: Note,
  isPaused: () => boolean,
): HeaderReadings {
  function one(name: string, value: unknown): void {
    if (isPaused() || isHarmless(name) || vary.includes(name)) return;
    readings.headers.add(name);
    if (SPOKEN_FOR.has(name)) note(value === undefined ? 'absent' : 'given');
    else if (isAddress(name) && value !== undefined) readings.hasAddress = true;
  }
  return {
    one,
    all(headers) {
      if (isPaused()) return;
      readings.hasAllHeaders = true;
      note('absent', 'all headers');
      for (const [name, value] of Object.entries(headers)) one(name, value);
    },
  };
}

function watchProperties(req: Request, res: Response, note: Note): void {
  const hasCredentials = Object.keys(req.headers).some(isCredential);
  const noteAs =
    (name: PropertyKey, label: string): OnRead =>
    (value) =>
      note(isSilent(name, value, hasCredentials) ? 'absent' : 'given', label);

  for (const name of namesOn(req)) {
    const onRead = noteAs(name, `req.${name}`);
    if (!watch(req, name, onRead)) onRead(req); // It cannot be watched, so it counts as read.
  }
  // A request without a body has nothing here but what middleware made of it.
  if (req.method === 'GET' || req.method === 'HEAD') {
    watch(req, 'body', (value) => {
      if (value !== undefined && !isEmptyObject(value)) note('given', 'req.body');
    });
  }
  for (const { target, name } of foreignParameters(req)) {
    const onRead = noteAs(hasCredentials ? '' : 'session', `the parameter ${name}`);
    if (!watch(target, name, onRead)) onRead(target);
  }
  for (const name of valuesOn(res)) {
    const onRead = noteAs('', `res.${name}`);
    if (!watch(res, name, onRead)) onRead(res);
  }
  const locals = res.locals as object | undefined;
  if (locals === undefined) return;
  for (const name of Reflect.ownKeys(locals)) {
    const onRead = noteAs('', `res.locals.${String(name)}`);
    if (!watch(locals, name, onRead)) onRead(locals);
  }
}

/** Whether what was read names nobody. A function reads what it needs when it is called, or knows it already: of a request without credentials there is nothing to know. */
function isSilent(name: PropertyKey, value: unknown, hasCredentials: boolean): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  if (hasCredentials) return false;
  if (FROM_COOKIES.has(name)) return holdsNothing(value);
  return typeof value === 'function' || BESIDE_COOKIES.has(name);
}

/** A session that is new has nothing in it but what its cookie will be. */
function holdsNothing(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).every((key) => key === 'cookie');
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

interface Watching {
  readonly note: Note;
  readonly pause: Tracker['pause'];
}

/** From where a request comes. */
function watchWhence(req: Request, res: Response, { note, pause }: Watching): void {
  quieten(req, pause, (name) => {
    const onRead = (): void => note('given', `req.${name}`);
    if (!watch(req, name, onRead)) onRead();
  });
  for (const name of ['ip', 'ips'] as const) watch(req, name, () => note('given', `req.${name}`));
  if (req.httpVersionMajor !== 1) {
    // Behind a proxy of Node's, where its own properties cannot be watched.
    for (const name of ['socket', 'connection', 'stream']) watch(req, name, () => note('given', `req.${name}`));
    return;
  }
  const release = watchSocket(req.socket, () => note('given', 'the address or certificate of the connection'));
  res.once('close', release);
}
