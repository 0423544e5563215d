import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { digest } from '../core/digest.ts';
import { ConfigError } from '../core/errors.ts';

/** A secret from which an encryption key is made: text or bytes, 32 bytes at least. */
export type EncryptionKey = string | Uint8Array;

/** Encrypts what is stored and makes sure that it is found where it was put. */
export interface Seal {
  /** `place` is bound to the text: elsewhere it cannot be opened. */
  close(text: string, place: string): string;
  /** `undefined` when it is not ours, was put elsewhere, was changed, or none of the keys fits. */
  open(sealed: string, place: string): { readonly text: string; readonly isOld: boolean } | undefined;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Stores texts as they are. */
export const noSeal: Seal = { close: (text) => text, open: (text) => ({ text, isOld: false }) };

/**
 * AES-256-GCM with a ring of keys: the first encrypts, all decrypt. Plain text is never taken for sealed text.
 *
 * @throws {ConfigError} When there is no key, or one is too short.
 * @see NIST SP 800-38D
 */
export function createSeal(secrets: readonly EncryptionKey[]): Seal {
  const ring = secrets.map(toKey);
  const current = ring[0];
  if (current === undefined) throw new ConfigError('encryptionKeys: give at least one key.');

  return {
    close(text, place) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.key, iv).setAAD(Buffer.from(place));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `${current.name}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')}`;
    },
    open(sealed, place) {
      const dot = sealed.indexOf('.');
      const key = ring.find(({ name }) => name === sealed.slice(0, dot));
      const bytes = Buffer.from(sealed.slice(dot + 1), 'base64url');
      if (key === undefined || bytes.length < IV_BYTES + TAG_BYTES) return undefined;
      try {
        const options = { authTagLength: TAG_BYTES };
        const decipher = createDecipheriv('aes-256-gcm', key.key, bytes.subarray(0, IV_BYTES), options)
          .setAAD(Buffer.from(place))
          .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
        const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
        return { text, isOld: key !== current };
      } catch {
        return undefined;
      }
    },
  };
}

interface RingKey {
  /** Tells the keys of a ring apart, and says nothing about them. */
  readonly name: string;
  readonly key: Buffer;
}

function toKey(secret: EncryptionKey): RingKey {
  if ((typeof secret !== 'string' && !(secret instanceof Uint8Array)) || Buffer.byteLength(secret) < 32) {
    throw new ConfigError('encryptionKeys: a key has 32 random bytes or more. Make one with: openssl rand -base64 32');
  }
  const key = derive(secret, 'key');
  return { key, name: `1${digest(derive(secret, 'name')).slice(0, 8)}` };
}

function derive(secret: EncryptionKey, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `express-redis-suite session ${purpose}`, 32));
}
