import { ConfigError } from '../core/errors.ts';
import { digest, keyedDigest } from '../core/digest.ts';

const MAX_KEY_BYTES = 512;
const MAX_CLIENT_BYTES = 64;

/** Every Redis key and channel of one prefix. */
export interface Keys {
  /** One cache entry: `P:e:{key}`. The braces put everything about one key into one Cluster slot. */
  entry(key: string): string;
  /** What the names of all entries begin with: `P:e:`. */
  readonly entries: string;
  /** What the names of entries begin with whose keys begin so: those that are spelled out, and hashes, which do not tell. */
  entriesFrom(start: string): readonly string[];
  /** Names the latest `put` or `remove` of a key, for computations that began before: `P:l:{key}`. */
  tombstone(key: string): string;
  /** Where a computed entry waits to be accepted: `P:f:{key}:<id>`. */
  filled(key: string, id: string): string;
  /** Who computes an entry now, and who waits for it: `P:c:{key}:<group>`. */
  lease(key: string, group: string): string;
  /** A number that is counted up and down, beside the entry of the same key: `P:n:{key}`. */
  counter(key: string): string;
  /** Channel on which one process is told of leases it waits for: `P:w:<process>`. */
  inbox(process: string): string;
  /** The invalidation register: `P:reg`. */
  readonly register: string;
  /** What a limiter keeps of one client, named by {@link clientName}: `P:rl:{limiter:client}:<part>`, all of it in one slot. */
  limit(limiter: string, client: string, part: string): string;
  /** What is kept of a limiter itself: `P:rl:{limiter}:<part>`. */
  limiter(limiter: string, part: string): string;
  /** What rate-limit-redis keeps of one client: `P:rlf:{limiter:client}`. */
  fixedWindow(limiter: string, client: string): string;
  /** Channel on which new register clocks are told: `P:news`. */
  readonly news: string;
  /** One session, by the hash of its id: `P:sess:<handle>`. */
  session(handle: string): string;
  /** The sessions of a user: `P:su:{user}`. */
  userSessions(user: string): string;
  /** The register of users whose sessions were all ended: `P:sr`. Not that of the caches: clearing those must log nobody out. */
  readonly sessionRegister: string;
  /** Channel on which that register's clocks are told: `P:sr:news`. */
  readonly sessionRegisterNews: string;
  /** Channel on which ended sessions are told: `P:snews`. */
  readonly sessionNews: string;
  /** One partition of a write-behind: `P:wb:{name:partition}:<part>`, all of it in one slot. */
  writePartition(name: string, partition: number, part: string): string;
  /** Who holds a lock: `P:lk:{name}`. */
  lock(name: string): string;
  /** The latest fence of a lock: `P:lf:{name}`. */
  fence(name: string): string;
  /** How far a warming that did not end has come: `P:wm:{name}`. */
  warming(name: string): string;
}

/**
 * Names the keys of one prefix. `keyPrefix` is the client's own, which ioredis adds to keys but not to channels.
 *
 * @throws {ConfigError} When the prefix is empty or has white space or one of `{ } % * ? [ ] \`.
 */
export function createKeys(prefix: string, keyPrefix = ''): Keys {
  if (typeof prefix !== 'string' || !/^[^\s{}%*?[\]\\]+$/.test(prefix)) {
    throw new ConfigError(`prefix: ${JSON.stringify(prefix)} cannot be used. Write a name like 'shop' or 'shop:v2'.`);
  }
  return {
    entry: (key) => `${prefix}:e:{${escapeKey(key)}}`,
    entries: `${prefix}:e:`,
    entriesFrom: (start) => (start === '' ? [`${prefix}:e:`] : [`${prefix}:e:{${escapeKey(start)}`, `${prefix}:e:{%`]),
    tombstone: (key) => `${prefix}:l:{${escapeKey(key)}}`,
    filled: (key, id) => `${prefix}:f:{${escapeKey(key)}}:${id}`,
    lease: (key, group) => `${prefix}:c:{${escapeKey(key)}}:${group}`,
    counter: (key) => `${prefix}:n:{${escapeKey(key)}}`,
    inbox: (process) => `${keyPrefix}${prefix}:w:${process}`,
    register: `${prefix}:reg`,
    limit: (limiter, client, part) => `${prefix}:rl:{${limiter}:${client}}:${part}`,
    limiter: (limiter, part) => `${prefix}:rl:{${limiter}}:${part}`,
    fixedWindow: (limiter, client) => `${prefix}:rlf:{${limiter}:${clientName(client, limiter)}}`,
    news: `${keyPrefix}${prefix}:news`,
    session: (handle) => `${prefix}:sess:${handle}`,
    userSessions: (user) => `${prefix}:su:{${escapeKey(user)}}`,
    sessionRegister: `${prefix}:sr`,
    sessionRegisterNews: `${keyPrefix}${prefix}:sr:news`,
    sessionNews: `${keyPrefix}${prefix}:snews`,
    writePartition: (name, partition, part) => `${prefix}:wb:{${escapeKey(name)}:${partition}}:${part}`,
    lock: (name) => `${prefix}:lk:{${escapeKey(name)}}`,
    fence: (name) => `${prefix}:lf:{${escapeKey(name)}}`,
    warming: (name) => `${prefix}:wm:{${escapeKey(name)}}`,
  };
}

/**
 * Text of a user as part of a key: `%`, `{` and `}` are percent-encoded, because clients and servers disagree on hash tags such as `foo{}{bar}`;
 * above 512 bytes it becomes a hash; the empty text, which would be no hash tag, becomes `%`.
 */
function escapeKey(text: string): string {
  if (text === '') return '%';
  if (text.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(text) > MAX_KEY_BYTES) return `%${digest(text)}`;
  return /[%{}]/.test(text) ? text.replace(/[%{}]/g, encodeURIComponent) : text;
}

/** A client as part of a key. Above 64 bytes, or with a `secret`, it becomes a hash. Hashes begin with `%-`, as no escaped text does. */
export function clientName(client: string, limiter: string, secret?: string): string {
  const isLong = client.length * 3 > MAX_CLIENT_BYTES && Buffer.byteLength(client) > MAX_CLIENT_BYTES;
  return isLong || secret !== undefined ? `%-${keyedDigest(client, secret ?? limiter)}` : escapeKey(client);
}
