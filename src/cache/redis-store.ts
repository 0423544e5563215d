import { randomUUID } from 'node:crypto';
import type { ChainableCommander } from 'ioredis';
import { mayReadReplicas } from '../redis/client.ts';
import type { Connection } from '../redis/connection.ts';
import { RedisError } from '../core/errors.ts';
import { noFallback } from '../redis/guard.ts';
import type { Keys } from '../redis/keys.ts';
import { scanKeys } from '../redis/scan.ts';
import { bySlot } from '../redis/slots.ts';
import type { Register } from '../register/register.ts';
import { acceptFill } from './accept-fill.lua.ts';
import {
  decodeEntry,
  dependenciesOf,
  type Entry,
  encodeEntry,
  encodeInstants,
  type EntryDraft,
  readHead,
  writingOf,
} from './entry.ts';
import { isWorthStoring, toFound } from './found.ts';
import { readVersion } from './read-version.lua.ts';
import { renewEntry } from './renew-entry.lua.ts';
import { replaceEntry } from './replace-entry.lua.ts';
import { type CacheStore, type Lifetime, type Lookup, type Part, TOMBSTONE_MS, UNAVAILABLE } from './store.ts';

const FAILED = Symbol('failed');
/** What is read of an entry when its body may not be needed: small entries are in it whole. */
const HEAD_BYTES = 4_096;

type Reply = Buffer | null | typeof FAILED;

/** A read of one entry that has been sent. */
class SentRead {
  readonly key: string;
  readonly part: Part;
  readonly reply: Promise<Reply>;
  constructor(key: string, part: Part, reply: Promise<Reply>) {
    this.key = key;
    this.part = part;
    this.reply = reply;
  }
}

/** Entries in Redis, and what a copy of them in this process needs to know. */
export interface RedisStore extends CacheStore {
  /** Whether what stands at an address is still the writing that this process has a copy of. `undefined`: the store is away. Never rejects. */
  isCurrent(address: string, bytes: Buffer): Promise<boolean | undefined>;
}

/** Entries in Redis. A read is one GET, with the register's question beside it in the same round trip. `storing` is told of every entry that is sent, and what it returns once that has found its place. */
export function createRedisStore(
  connection: Connection,
  keys: Keys,
  register: Register,
  storing: (address: string) => (bytes: Buffer) => void = () => () => undefined,
): RedisStore {
  const { client, guard, turn } = connection;

  /** One command for all who want the same of an entry, one right after the other, before it leaves: each of them has asked before Redis reads it. */
  function send(key: string, part: Part): Promise<Reply> {
    const { latest } = turn;
    if (latest instanceof SentRead && latest.key === key && latest.part === part) return latest.reply;
    const reply = guard<Reply, typeof FAILED>({ operation: 'read entry', key, fallback: () => FAILED }, () =>
      part === 'whole' ? client.getBuffer(key) : client.getrangeBuffer(key, 0, HEAD_BYTES - 1),
    );
    turn.note(new SentRead(key, part, reply));
    return reply;
  }

  async function readOne(address: string, part: Part): Promise<Lookup> {
    // First the read, then the question: an answer from before the read proves nothing about what is read.
    const reply = send(keys.entry(address), part);
    const verified = register.refresh();
    const read = await reply;
    if (verified !== true && !(await verified)) return UNAVAILABLE;
    return toLookup(address, read, part);
  }

  function toLookup(address: string, read: Reply, part: Part): Lookup | Promise<Lookup> {
    if (typeof read === 'symbol') return UNAVAILABLE;
    const bytes = read === null || read.length === 0 ? undefined : read;
    const entry = bytes && decodeEntry(bytes, part);
    // So long a description is rare: then all of it is read after all.
    if (entry === undefined && part === 'head' && bytes?.length === HEAD_BYTES) return readOne(address, 'whole');
    return { found: entry && toFound(entry, register), stamp: register.stamp(), bytes };
  }

  /** One MGET to each slot, sent together; heads are read one by one. */
  async function fetchMany(addresses: readonly string[], part: Part): Promise<Reply[]> {
    const names = addresses.map(keys.entry);
    const call = { operation: 'read entries', fallback: (): typeof FAILED => FAILED };
    const replies = new Map<string, Reply>();
    const groups = part === 'whole' ? bySlot(client, names) : names.map((name) => [name]);
    await Promise.all(
      groups.map(async (group) => {
        const [key = ''] = group;
        const read = await guard<(Buffer | null)[], typeof FAILED>({ ...call, key }, async () =>
          part === 'whole' ? client.mgetBuffer(...group) : [await client.getrangeBuffer(key, 0, HEAD_BYTES - 1)],
        );
        group.forEach((name, i) => replies.set(name, typeof read === 'symbol' ? read : (read[i] ?? null)));
      }),
    );
    return names.map((name) => replies.get(name) ?? null);
  }

  async function setEntry(key: string, bytes: Buffer, { freshMs, staleMs }: Lifetime): Promise<void> {
    await client.set(key, bytes, 'PX', Math.ceil(freshMs + staleMs));
  }

  /** What is sent to a place of its own, moved by a script that comes with it: two commands in one trip. On Cluster all keys of an address are in one slot. */
  async function move(
    address: string,
    bytes: Buffer,
    draft: EntryDraft,
    script: (places: Record<'entry' | 'filled' | 'tombstone' | 'lease', string>) => Promise<unknown>,
  ): Promise<boolean> {
    const filled = keys.filled(address, randomUUID());
    const places = {
      filled,
      entry: keys.entry(address),
      tombstone: keys.tombstone(address),
      lease: keys.lease(address, ''),
    };
    const [, isMoved] = await Promise.all([setEntry(filled, bytes, draft), script(places)]);
    return isMoved === 1;
  }

  /** Lays the entry out, has it stored, and tells what was. */
  async function store(
    address: string,
    draft: EntryDraft,
    send: (bytes: Buffer) => Promise<boolean>,
  ): Promise<boolean> {
    const bytes = encodeEntry(draft, register.now());
    const onStored = storing(address);
    const isStored = await send(bytes);
    if (isStored) onStored(bytes);
    return isStored;
  }

  return {
    register,
    deadlineMs: connection.deadlineMs,
    read: (address, part = 'whole') => readOne(address, part),
    async readMany(addresses, part = 'whole') {
      const reads = fetchMany(addresses, part);
      const verified = register.refresh();
      const replies = await reads;
      if (verified !== true && !(await verified)) return addresses.map(() => UNAVAILABLE);
      return Promise.all(addresses.map(async (address, i) => toLookup(address, replies[i] ?? null, part)));
    },
    async write(address, draft, version) {
      if (!isWorthStoring(draft, register, version)) return false;
      const key = keys.entry(address);
      return guard({ operation: 'store entry', key, fallback: () => false }, () =>
        store(address, draft, async (bytes) => {
          if (version !== undefined)
            return move(address, bytes, draft, (places) => acceptFill(client, places, { version }));
          await setEntry(key, bytes, draft);
          return true;
        }),
      );
    },
    version(address, mark) {
      const key = keys.tombstone(address);
      return guard({ operation: 'read version', key, fallback: () => undefined }, async () => {
        if (mark === undefined && !mayReadReplicas(client)) return (await client.get(key)) ?? '';
        const args = { mark: mark === undefined ? '' : randomUUID(), markMs: TOMBSTONE_MS };
        return (await readVersion(client, { tombstone: key }, args)) as string;
      });
    },
    async put(address, draft) {
      if (!isWorthStoring(draft, register)) return false;
      const key = keys.entry(address);
      return guard({ operation: 'store entry', key, fallback: () => false }, () =>
        store(address, draft, async (bytes) => {
          const writes = client.multi().set(keys.tombstone(address), randomUUID(), 'PX', TOMBSTONE_MS);
          await all(
            writes.set(key, bytes, 'PX', Math.ceil(draft.freshMs + draft.staleMs)).unlink(keys.lease(address, '')),
          );
          return true;
        }),
      );
    },
    async putIfSeen(address, draft, seen) {
      const args = { seen: writingOf(seen), version: randomUUID(), tombstoneMs: TOMBSTONE_MS };
      return guard({ operation: 'replace entry', key: keys.entry(address), fallback: noFallback }, () =>
        store(address, draft, (bytes) => move(address, bytes, draft, (places) => replaceEntry(client, places, args))),
      );
    },
    async renew(address, seen, lifetime) {
      const key = keys.entry(address);
      const instants = encodeInstants(register.now(), lifetime).toString('hex');
      const keptMs = Math.ceil(lifetime.freshMs + lifetime.staleMs);
      const renewed = await guard({ operation: 'renew entry', key, fallback: noFallback }, () =>
        renewEntry(client, { entry: key }, { seen: writingOf(seen), instants, keptMs }),
      );
      return renewed === 1;
    },
    async remove(address) {
      const key = keys.entry(address);
      await guard({ operation: 'remove entry', key, fallback: noFallback }, () =>
        all(
          client
            .multi()
            .set(keys.tombstone(address), randomUUID(), 'PX', TOMBSTONE_MS)
            .unlink(key, keys.lease(address, '')),
        ),
      );
    },
    async *list(start) {
      for (const beginning of keys.entriesFrom(start)) {
        for await (const page of scanKeys(connection, beginning)) {
          const found = await headsOf(page);
          yield found.filter((address) => address.startsWith(start));
        }
      }
    },
    isCurrent(address, bytes) {
      const key = keys.entry(address);
      return guard<boolean, undefined>({ operation: 'compare entry', key, fallback: () => undefined }, async () =>
        (await client.getrangeBuffer(key, 24, 47)).equals(bytes.subarray(24, 48)),
      );
    },
  };

  /** The addresses of those entries that may be served, by what is written in them: keys of Redis may be hashes. */
  async function headsOf(names: readonly string[]): Promise<string[]> {
    const call = { operation: 'read entries', fallback: noFallback };
    const readAt = (key: string, bytes: number): Promise<Buffer> =>
      guard({ ...call, key }, () => client.getrangeBuffer(key, 0, bytes - 1));
    const heads = await Promise.all(names.map((key) => readHead((bytes) => readAt(key, bytes), HEAD_BYTES)));
    if (!(await register.refresh())) {
      throw new RedisError('list entries', 'Redis did not say what has been invalidated.');
    }
    return heads.flatMap((bytes) => {
      const entry = bytes && decodeEntry(bytes, 'head');
      return entry === undefined || toFound(entry, register) === undefined ? [] : keyOf(entry);
    });
  }
}

function keyOf(entry: Entry): string[] {
  try {
    return [dependenciesOf(entry).key];
  } catch {
    return []; // Its frame is right but not what is in it.
  }
}

/** A transaction answers with an error per command, or as a whole. */
async function all(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) if (error !== null) throw error;
}
