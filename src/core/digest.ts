import { createHmac, hash } from 'node:crypto';

/** A short name for bytes of any length: 22 characters of base64url, the first 132 bits of SHA-256. */
export function digest(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url').slice(0, 22);
}

/** A {@link digest} that only who has the secret can compute: the first 132 bits of HMAC-SHA-256. */
export function keyedDigest(data: string, secret: string): string {
  return createHmac('sha256', secret).update(data).digest('base64url').slice(0, 22);
}
