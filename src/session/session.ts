import type { RequestHandler } from 'express';
import { checkOptions } from '../core/options.ts';
import { type Place, REGISTERED_PLACE_OPTIONS, placeOf, type RegisteredPlaceOptions } from '../register/place.ts';
import { createManager, type SessionManager } from './manager.ts';
import { createMiddleware } from './middleware.ts';
import { SESSION_OPTIONS, type SessionOptions, type SessionStoreOptions, STORE_OPTIONS } from './options.ts';
import { sessionsOf, type SessionState } from './state.ts';
import { RedisSessionStore } from './store.ts';

export type { RequestSession, SessionInfo, SessionManager } from './manager.ts';
export type { OnRedisError, SessionCookieOptions, SessionOptions, SessionStoreOptions } from './options.ts';
export type { EncryptionKey } from './seal.ts';
export type { SessionLogin } from './session-data.ts';
export { sessionStatisticsOf } from './state.ts';
export type { SessionCounters } from './statistics.ts';
export { RedisSessionStore } from './store.ts';

/** Options of {@link session}: its own, and where its sessions live. */
export interface SessionMiddlewareOptions extends SessionOptions, RegisteredPlaceOptions {}

/** Options of {@link createSessionStore} and {@link createSessionManager}. */
export interface SessionPlaceOptions extends SessionStoreOptions, RegisteredPlaceOptions {}

/**
 * express-session with our store, safe defaults, and everything saved before the headers of a response leave.
 *
 * @throws {ConfigError} When an option is wrong, or there is no secret.
 */
export function session(options: SessionMiddlewareOptions = {}): RequestHandler {
  checkOptions('session', options, [...SESSION_OPTIONS, ...REGISTERED_PLACE_OPTIONS]);
  return sessionOn(placeOf(options), toSessionOptions(options));
}

/**
 * A store for an express-session of your own, in place of connect-redis' RedisStore.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function createSessionStore(options: SessionPlaceOptions = {}): RedisSessionStore {
  checkOptions('createSessionStore', options, [...STORE_OPTIONS, ...REGISTERED_PLACE_OPTIONS]);
  return sessionStoreOn(placeOf(options), toSessionOptions(options));
}

/**
 * Sessions by user. Takes the options of {@link session} that its part of the application was given, or none of them where another part has given them.
 *
 * @throws {ConfigError} When an option is wrong.
 */
export function createSessionManager(options: SessionMiddlewareOptions = {}): SessionManager {
  checkOptions('createSessionManager', options, [...SESSION_OPTIONS, ...REGISTERED_PLACE_OPTIONS]);
  const place = placeOf(options);
  const own = toSessionOptions(options);
  if (Object.keys(own).length > 0) sessionsOf(place, own, 'createSessionManager');
  return sessionManagerOn(place);
}

/** {@link session} on a place that is already there. */
export function sessionOn(place: Place, options: SessionOptions): RequestHandler {
  const state = sessionsOf(place, options, 'session');
  return createMiddleware({
    engine: state.engine,
    cookie: state.cookie(),
    options: state.options,
    store: storeOn(state),
  });
}

/** {@link createSessionStore} on a place that is already there. */
export function sessionStoreOn(place: Place, options: SessionStoreOptions): RedisSessionStore {
  checkOptions('sessionStore', options, STORE_OPTIONS);
  return storeOn(sessionsOf(place, options, 'sessionStore'));
}

/** {@link createSessionManager} on a place that is already there. */
export function sessionManagerOn(place: Place): SessionManager {
  return createManager(() => sessionsOf(place, {}, 'sessions'));
}

/** Configures the sessions of a place for whoever uses them first. */
export function configureSessions(place: Place, options: SessionOptions): void {
  sessionsOf(place, options, 'createSuite');
}

function storeOn({ engine }: SessionState): RedisSessionStore {
  return new RedisSessionStore(engine, engine.config.connectRedisPrefix);
}

function toSessionOptions(options: SessionMiddlewareOptions): SessionOptions {
  const names: readonly string[] = SESSION_OPTIONS;
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => names.includes(name) && value !== undefined),
  );
}
