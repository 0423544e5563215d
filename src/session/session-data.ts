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

/** JSON texts of a session's properties. Those without JSON form are left out, as in JSON.stringify. */
export function toFields(session: object): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(session)) {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) fields.set(name, text);
  }
  return fields;
}

/** A session's properties; `undefined` when they cannot be read. A cookie's `expires` follows from when the session was last used. */
export function fromFields(fields: Fields, touchedAt: number): SessionData | undefined {
  try {
    const data = Object.fromEntries([...fields].map(([name, text]) => [name, JSON.parse(text) as unknown] as const));
    const cookie = data['cookie'] as { originalMaxAge?: unknown; expires?: unknown } | null | undefined;
    if (typeof cookie?.originalMaxAge === 'number' && touchedAt > 0) {
      cookie.expires = new Date(touchedAt + cookie.originalMaxAge).toISOString();
    }
    return data as unknown as SessionData;
  } catch {
    return undefined;
  }
}

/** What a writer has changed and removed. That a cookie expires later is no change. */
export function compare(before: Fields, now: Fields): { readonly changed: string[]; readonly removed: string[] } {
  const changed = [...now.keys()].filter((name) => {
    const former = before.get(name);
    const current = now.get(name);
    if (former === current) return false;
    return name !== 'cookie' || former === undefined || !isSameCookie(former, current ?? '');
  });
  return { changed, removed: [...before.keys()].filter((name) => !now.has(name)) };
}

function isSameCookie(one: string, other: string): boolean {
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
