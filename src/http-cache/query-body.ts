import type { Request } from 'express';
import { digest } from '../core/digest.ts';
import { hasBody } from './bypass.ts';

/** Longer ones are not cached. */
const MAX_QUERY_BYTES = 65_536;

/**
 * A digest of a request's body, which stays readable for the handler (RFC 10008 §2.7: the content is part of the key). `undefined`: it is too long, or was read by
 * somebody who left nothing of it.
 */
export async function bodyDigest(req: Request): Promise<string | undefined> {
  const type = req.headers['content-type'] ?? '';
  const encoding = req.headers['content-encoding'] ?? '';
  const parsed: unknown = req.body;
  if (req.readableEnded) {
    // Parsers keep the files of a form elsewhere.
    if (parsed === undefined || /^multipart\//i.test(type)) return undefined;
    return digest(JSON.stringify([type, Buffer.isBuffer(parsed) ? parsed.toString('latin1') : parsed]));
  }
  // Looking into an empty stream would have its end told before the handler listens.
  if (!hasBody(req)) return digest(JSON.stringify([type, encoding, '']));
  // Parsers may leave an empty object for what they do not know (body-parser 1), and the bytes.
  const bytes = await peekBody(req);
  return bytes && digest(JSON.stringify([type, encoding, bytes.toString('latin1')]));
}

/** Reads the body and puts it back, before the stream has told anybody of its end. */
function peekBody(req: Request): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (): void => {
      req.off('readable', take);
      req.off('close', finish);
      if (size > 0 && !req.destroyed) req.unshift(Buffer.concat(chunks));
      resolve(req.complete && size <= MAX_QUERY_BYTES ? Buffer.concat(chunks) : undefined);
    };
    const take = (): void => {
      for (let chunk = req.read() as Buffer | null; chunk !== null; chunk = req.read() as Buffer | null) {
        chunks.push(chunk);
        size += chunk.length;
      }
      if (req.complete || size > MAX_QUERY_BYTES) finish();
    };
    req.on('readable', take);
    req.once('close', finish);
  });
}
