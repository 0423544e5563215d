import type { SessionData } from 'express-session';
import { inBatches } from '../core/in-batches.ts';
import type { SessionEngine } from './engine.ts';
import type { SessionRef } from './records.ts';
import { fromFields } from './session-data.ts';

export type NamedSession = SessionData & { id: string };

/** What a session is called where its id is not kept. */
export function nameOf({ id, handle }: SessionRef): string {
  return id ?? handle;
}

/** Ends every session there is. */
export async function endAll({ records, end }: SessionEngine): Promise<void> {
  for await (const refs of records.scan()) await inBatches(refs, end);
}

/** By handle: SCAN may name a key twice. */
export async function refsOfAll({ records }: SessionEngine): Promise<Map<string, SessionRef>> {
  const found = new Map<string, SessionRef>();
  for await (const refs of records.scan()) for (const ref of refs) found.set(ref.handle, ref);
  return found;
}

export async function readAll({ records }: SessionEngine): Promise<NamedSession[]> {
  const found = new Map<string, NamedSession>();
  for await (const refs of records.scan()) {
    await inBatches(refs, async (ref) => {
      const record = await records.read(ref);
      if (record === undefined || record === 'corrupt' || found.has(ref.handle)) return;
      const data = fromFields(record.fields, record.touchedAt);
      if (data !== undefined) found.set(ref.handle, { ...data, id: nameOf(ref) });
    });
  }
  return [...found.values()];
}
