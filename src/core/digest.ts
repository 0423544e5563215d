import { hash } from 'node:crypto';

/** A short name for bytes of any length: 22 characters of base64url, the first 132 bits of SHA-256. */
export function digest(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url').slice(0, 22);
}
