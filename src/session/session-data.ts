import { isDeepStrictEqual } from 'node:util';
import type { SessionData } from 'express-session';
import type { Fields } from './records.ts';

/** Who is logged in with a session, since when and from where. Written by `suite.sessions.login`. */
export interface SessionLogin {
  readonly userId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly ip?: string;
  /** As the client sent it, shortened. */
  readonly userAgent?: string;
  /** Where the user's index has it. */
  readonly entry: string;
  /** The revocation register's stamp when the login began. */
  readonly generation: number;
  readonly clock: number;
}

declare module 'express-session' {
  interface SessionData {
    /** Set by `suite.sessions.login`. */
    suiteLogin?: SessionLogin;
  }
}

/** A session's properties as they are to be, and which of them its writer has changed and removed. */
export interface SessionChange {
  readonly fields: Fields;
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

const NONE: readonly string[] = [];
const NO_FIELDS: Fields = new Map<string, string>();

/** What was changed since `before`. Properties without JSON form are left out, as in JSON.stringify; that a cookie expires later is no change. */
export function changeOf(session: object, before: Fields = NO_FIELDS): SessionChange {
  const fields = new Map<string, string>();
  let changed: string[] | undefined;
  let known = 0;
  for (const name of Object.keys(session)) {
    const text = JSON.stringify((session as Record<string, unknown>)[name]) as string | undefined;
    if (text === undefined) continue;
    fields.set(name, text);
    const former = before.get(name);
    if (former !== undefined) known++;
    if (former !== text && !(name === 'cookie' && former !== undefined && isSameCookie(former, text))) {
      (changed ??= []).push(name);
    }
  }
  const removed = known === before.size ? NONE : [...before.keys()].filter((name) => !fields.has(name));
  return { fields, changed: changed ?? NONE, removed };
}

/** A cookie that is no longer what it was: of a session that is only used, which express-session takes for unchanged. */
export function cookieChangeOf({ cookie }: { readonly cookie?: unknown }, before: Fields): SessionChange | undefined {
  const text = JSON.stringify(cookie) as string | undefined;
  const former = before.get('cookie');
  if (text === undefined || text === former || (former !== undefined && isSameCookie(former, text))) return undefined;
  return { fields: new Map(before).set('cookie', text), changed: ['cookie'], removed: NONE };
}

/** A session's properties; `undefined` when they cannot be read. A cookie's `expires` follows from when the session was last used. */
export function fromFields(fields: Fields, touchedAt: number): SessionData | undefined {
  const data: Record<string, unknown> = {};
  try {
    for (const [name, text] of fields) {
      const value: unknown = JSON.parse(text);
      if (name === '__proto__') Object.defineProperty(data, name, { value, enumerable: true });
      else data[name] = value;
    }
  } catch {
    return undefined;
  }
  const cookie = data['cookie'] as { originalMaxAge?: unknown; expires?: unknown } | null | undefined;
  if (typeof cookie?.originalMaxAge === 'number' && touchedAt > 0) {
    cookie.expires = new Date(touchedAt + cookie.originalMaxAge).toISOString();
  }
  return data as unknown as SessionData;
}

/** What differs in nearly every text of one cookie that has an end, as express-session writes it. */
const EXPIRES = /"expires":"[\dT:.Z-]+"/;

function isSameCookie(one: string, other: string): boolean {
  const isEnding = /^\{"originalMaxAge":\d/.test(other);
  if (isEnding && one.replace(EXPIRES, '') === other.replace(EXPIRES, '')) return true;
  return isDeepStrictEqual(withoutExpires(one), withoutExpires(other));
}

function withoutExpires(text: string): unknown {
  const cookie = JSON.parse(text) as { originalMaxAge?: unknown; expires?: unknown };
  return typeof cookie.originalMaxAge === 'number' ? { ...cookie, expires: undefined } : cookie;
}

/** How long a session lives unused: what its cookie says, else `defaultMs`. */
export function idleOf({ cookie }: { readonly cookie?: unknown }, defaultMs: number, now: number): number {
  const { originalMaxAge, maxAge, expires } = (cookie ?? {}) as Record<string, unknown>;
  if (typeof originalMaxAge === 'number' && Number.isFinite(originalMaxAge)) return originalMaxAge;
  const ms = expires instanceof Date || typeof expires === 'string' ? new Date(expires).getTime() - now : maxAge;
  return typeof ms === 'number' && Number.isFinite(ms) ? ms : defaultMs;
}

/** Begins the name of a property that holds until when (ms) a session survives what ends its user's. Each call that excepts a session has its own, so that none takes another's away. */
export const EXEMPTION = 'suiteExempt:';

/** Whether a call that ends all other sessions of its user is under way. */
export function isExempt(data: object, now: number): boolean {
  return Object.entries(data).some(([name, until]) => name.startsWith(EXEMPTION) && Number(until) > now);
}
