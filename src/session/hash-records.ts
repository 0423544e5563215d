import { createHash } from 'node:crypto';
import type { RedisError } from '../core/errors.ts';
import { mayReadReplicas } from '../redis/client.ts';
import type { Connection } from '../redis/connection.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import { scanKeys } from '../redis/scan.ts';
import { createServerClock } from '../register/clock.ts';
import { readSession } from './read-session.lua.ts';
import type { Fields, RecordSettings, SessionRecord, SessionRecords, SessionWrite, WriteOutcome } from './records.ts';
import { noSeal, type Seal } from './seal.ts';
import { takeSession } from './take-session.lua.ts';
import { touchSession } from './touch-session.lua.ts';
import { writeSession } from './write-session.lua.ts';

export interface HashRecordsOptions extends RecordSettings {
  readonly connection: Connection;
  readonly keys: Keys;
  readonly seal: Seal;
}

/**
 * One hash per session, one field per property: `.name`, its JSON text, sealed. Beside them `c` created at, `t` touched at, `x` indexed until. Named by the hash of the id, so that no
 * dump of Redis holds an id.
 */
export function createHashRecords(options: HashRecordsOptions): SessionRecords {
  const { connection, keys, seal, absoluteMs, onConflict } = options;
  const { client, guard } = connection;
  const clock = createServerClock();
  const absolute = Number.isFinite(absoluteMs) ? Math.ceil(absoluteMs) : Number.MAX_SAFE_INTEGER;

  /** Scripts tell the time with their reply. */
  async function timed<T extends readonly string[]>(run: () => Promise<unknown>, timeAt: number): Promise<T> {
    const sentAt = performance.now();
    const reply = (await run()) as T;
    const time = Number(reply[timeAt]);
    if (time > 0) clock.observe(time, sentAt);
    return reply;
  }

  function decode(key: string, reply: unknown): SessionRecord | 'corrupt' | undefined {
    const texts = toTexts(reply);
    const names = Object.keys(texts);
    if (names.length === 0) return undefined;
    const fields = new Map<string, string>();
    let mustRewrite = false;
    for (const name of names) {
      if (!name.startsWith('.')) continue;
      const text = texts[name] ?? '';
      const opened = seal === noSeal ? text : seal.open(text, `${key}${name}`);
      if (opened === undefined) return 'corrupt';
      fields.set(name.slice(1), typeof opened === 'string' ? opened : opened.text);
      mustRewrite ||= typeof opened !== 'string' && opened.isOld;
    }
    return {
      fields,
      createdAt: Number(texts['c'] ?? 0),
      touchedAt: Number(texts['t'] ?? 0),
      indexedUntil: Number(texts['x'] ?? 0),
      stored: onConflict === 'reject' || mustRewrite ? new Map(Object.entries(texts)) : NOTHING,
      mustRewrite,
    };
  }

  async function put(key: string, write: SessionWrite, plan: Plan): Promise<WriteOutcome> {
    const reply = await guard({ operation: 'save session', key, fallback: noFallback }, () =>
      timed<[string, string, string]>(
        () =>
          writeSession(
            client,
            { session: key },
            {
              mode: write.base === undefined ? 'create' : 'update',
              createdAt: (write.base ?? write).createdAt ?? 0,
              idleMs: Math.ceil(write.idleMs),
              absoluteMs: absolute,
              indexedUntil: Math.floor(write.indexedUntil),
              deletions: write.removed.length,
              checks: plan.checks.length / 2,
            },
            [...write.removed.map((name) => `.${name}`), ...plan.checks, ...plan.pairs.flat()],
          ),
        1,
      ),
    );
    if (reply[0] === 'gone') return 'gone';
    if (reply[0] === 'conflict') return { conflict: reply[1].slice(1) };
    return {
      fields: write.fields,
      createdAt: Number(reply[2]),
      touchedAt: Number(reply[1]),
      indexedUntil: write.indexedUntil,
      stored: onConflict === 'reject' ? storedAfter(write, plan.pairs) : NOTHING,
      mustRewrite: false,
    };
  }

  return {
    now: clock.now,
    async read({ handle }) {
      const key = keys.session(handle);
      const fallback = (error: RedisError): unknown => (isWrongType(error) ? FOREIGN : noFallback(error));
      const reply = await guard({ operation: 'read session', key, fallback }, () =>
        mayReadReplicas(client) ? readSession(client, { session: key }, {}) : client.hgetall(key),
      );
      return reply === FOREIGN ? 'corrupt' : decode(key, reply);
    },
    async write({ handle }, write) {
      const key = keys.session(handle);
      if (write.base?.mustRewrite === true) {
        const outcome = await put(key, write, planOf(write, key, { ...options, isWhole: true }));
        if (outcome === 'gone' || !('conflict' in outcome)) return outcome; // Otherwise others have changed it meanwhile.
      }
      return put(key, write, planOf(write, key, options));
    },
    async touch({ handle }, { idleMs, everyMs, indexedUntil }) {
      const key = keys.session(handle);
      const args = {
        idleMs: Math.ceil(idleMs),
        absoluteMs: absolute,
        everyMs,
        indexedUntil: Math.floor(indexedUntil),
      };
      const [outcome] = await guard({ operation: 'touch session', key, fallback: noFallback }, () =>
        timed<['touched' | 'recent' | 'gone', string]>(() => touchSession(client, { session: key }, args), 1),
      );
      return outcome;
    },
    async remove({ handle }) {
      const key = keys.session(handle);
      const reply = await guard({ operation: 'destroy session', key, fallback: noFallback }, () =>
        takeSession(client, { session: key }, {}),
      );
      return decode(key, reply);
    },
    async exists({ handle }) {
      const key = keys.session(handle);
      const count = await guard({ operation: 'look for session', key, fallback: noFallback }, () => client.exists(key));
      return count > 0;
    },
    async *scan() {
      const start = keys.session('');
      for await (const found of scanKeys(connection, start))
        yield found.map((key) => ({ handle: key.slice(start.length) }));
    },
  };
}

const NOTHING: Fields = new Map();

/** Something else than a hash is under the key. */
const FOREIGN = Symbol('foreign');

type Pairs = readonly (readonly [name: string, text: string])[];

interface Plan {
  readonly checks: readonly string[];
  readonly pairs: Pairs;
}

/** What the write script is given of the properties. `isWhole`: those that nobody has changed too, if they are still as they were read. */
function planOf(
  { base, fields, changed, removed }: SessionWrite,
  key: string,
  { seal, onConflict, isWhole = false }: HashRecordsOptions & { readonly isWhole?: boolean },
): Plan {
  const written = base === undefined || isWhole ? [...fields.keys()] : changed;
  const pairs = written.map((name) => [`.${name}`, seal.close(fields.get(name) ?? '', `${key}.${name}`)] as const);
  const stored = base?.stored as Fields | undefined;
  const checked = (onConflict === 'reject' || isWhole) && stored !== undefined ? [...written, ...removed] : [];
  return { pairs, checks: checked.flatMap((name) => [`.${name}`, sha1(stored?.get(`.${name}`))]) };
}

function storedAfter({ base, removed }: SessionWrite, pairs: Pairs): Fields {
  const stored = new Map(base === undefined ? [] : (base.stored as Fields));
  for (const name of removed) stored.delete(`.${name}`);
  for (const [name, text] of pairs) stored.set(name, text);
  return stored;
}

function sha1(text: string | undefined): string {
  return text === undefined ? '' : createHash('sha1').update(text).digest('hex');
}

/** HGETALL's reply: flat from a script, otherwise as the client maps it. No name is one that objects know: all begin with a dot, or are one letter. */
function toTexts(reply: unknown): Readonly<Record<string, string>> {
  if (reply instanceof Map) return Object.fromEntries(reply as Map<string, string>);
  if (!Array.isArray(reply)) return reply as Record<string, string>;
  const flat = (reply as (string | string[])[]).flat();
  const texts: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) texts[String(flat[i])] = String(flat[i + 1]);
  return texts;
}

function isWrongType({ cause }: RedisError): boolean {
  return cause instanceof Error && cause.message.startsWith('WRONGTYPE');
}
