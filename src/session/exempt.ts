import { randomBytes } from 'node:crypto';
import { SessionConflictError } from '../core/errors.ts';
import type { Stamp } from '../register/mirror.ts';
import { loginOf, type SessionEngine } from './engine.ts';
import { wasRevoked } from './login.ts';
import type { SessionRef } from './records.ts';
import { EXEMPTION, fromFields } from './session-data.ts';

/** A call takes less; one that died leaves nothing behind that lasts. */
const MARK_MS = 60_000;

/**
 * With strict revocation a session that is to survive its user's has to be younger than the record. It is marked while that is written; what is returned makes it as old as all that has been written then. `undefined` when it is
 * no session of this user.
 */
export async function exempt(
  engine: SessionEngine,
  ref: SessionRef,
  userId: string,
): Promise<((own: Stamp) => Promise<void>) | undefined> {
  const found = await engine.load(ref);
  if (found === undefined || loginOf(found.data)?.userId !== userId) return undefined;
  const mark = EXEMPTION + randomBytes(6).toString('base64url');
  const marked = await engine.save(ref, { ...found.data, [mark]: engine.records.now() + MARK_MS }, found);
  return marked && ((own) => settle(engine, { ref, mark }, own));
}

/** Another call may come to its end meanwhile: the mark stays until what was saved is as young as anything that was written, and a later call has a mark of its own. Who ended the session has deleted it. */
async function settle(
  engine: SessionEngine,
  exemption: { readonly ref: SessionRef; readonly mark: string },
  own: Stamp,
): Promise<void> {
  const { ref, mark } = exemption;
  const { register, records } = engine;
  const stamp = ((await register.refresh()) ? register.stamp() : undefined) ?? own;
  const record = await records.read(ref);
  if (record === undefined || record === 'corrupt') return;
  const data = fromFields(record.fields, record.touchedAt);
  const login = data && loginOf(data);
  if (login === undefined) return;
  const settled = { ...data, suiteLogin: { ...login, ...stamp } };
  const saved = await engine.save(ref, settled, { ref, record }).catch(ifNoConflict);
  if (saved === undefined) return;
  if (saved === 'conflict' || (await wasRevoked(engine, login.userId, stamp))) {
    await settle(engine, exemption, own);
    return;
  }
  await engine.save(ref, { ...settled, [mark]: undefined }, saved);
}

/** With `onConflict: 'reject'`, where another call has settled at the same time. */
function ifNoConflict(error: unknown): 'conflict' {
  if (error instanceof SessionConflictError) return 'conflict';
  throw error;
}
