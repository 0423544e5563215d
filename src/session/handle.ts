import { hash } from 'node:crypto';
import type { SessionRef } from './records.ts';

/** The handle of a session: names it without giving access to it. SHA-256 of its id, 43 characters of base64url. */
export function handleOf(id: string): string {
  return hash('sha256', id, 'base64url');
}

export function refOf(id: string): SessionRef {
  return { id, handle: handleOf(id) };
}

export function isHandle(text: unknown): text is string {
  return typeof text === 'string' && /^[\w-]{43}$/.test(text);
}
