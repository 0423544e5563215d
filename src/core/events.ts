import { EventEmitter } from 'node:events';

/** What a cache did with one lookup. `route` is the Express route (`/api/products/:id`) or `data`. */
export interface CacheEvent {
  readonly route: string;
  readonly key: string;
}

/** What a limiter decided about one client. */
export interface LimitEvent {
  /** Name of the limiter. */
  readonly limiter: string;
  /** The client, as the key says. */
  readonly key: string;
  /** The policies that refused; none when the client is banned or on the deny list. */
  readonly policies: readonly string[];
  /** Milliseconds until it may succeed; Infinity when it never will. */
  readonly retryAfterMs: number;
}

/** One incident of one Redis connection. On Cluster each node is on its own. */
export interface RedisIncident {
  /** `host:port` of a Cluster node, or `redis` where there is one connection. */
  readonly node: string;
  /** The error that opened the circuit; absent when it closed. */
  readonly error?: Error;
}

/** What happened to a session. The handle names it without giving access to it. */
export interface SessionEvent {
  /** Hash of the session's id, as `suite.sessions.list` gives it. */
  readonly handle: string;
  /** Whose it is, where that is known. */
  readonly userId?: string;
}

/** What a write-behind did with a batch. */
interface WriteEvent {
  /** Name of the write-behind. */
  readonly name: string;
  readonly partition: number;
}

/** Something that failed, in words: `read entry`, `decide limit`. */
interface Failure {
  readonly operation: string;
  readonly error: Error;
}

/** Events of a suite and their arguments. */
export interface SuiteEvents {
  'cache:hit': [CacheEvent];
  'cache:miss': [CacheEvent];
  'cache:stale': [CacheEvent];
  'cache:bypass': [CacheEvent];
  'cache:store': [CacheEvent];
  /** All values of a data cache or namespace were dropped: those whose keys begin so. */
  'cache:cleared': [{ readonly prefix: string }];
  /** Redis failed underneath; the request was answered without it. Or a loader failed whose callers got something older, or had left: told once per load and key. */
  'cache:error': [Failure];
  'session:created': [SessionEvent];
  'session:updated': [SessionEvent];
  /** Its idle timeout began anew. */
  'session:touched': [SessionEvent];
  'session:destroyed': [SessionEvent];
  /** It was found to be past its idle or absolute timeout. Redis drops most by itself, without telling. */
  'session:expired': [SessionEvent];
  /** A request wanted to save a session that had ended meanwhile: nothing was saved. */
  'session:gone': [SessionEvent];
  /** What is stored cannot be read, or was not written by this package: counts as no session. */
  'session:corrupt': [SessionEvent];
  /** All sessions of a user were ended, but those excepted. */
  'session:revoked': [{ readonly userId: string; readonly count: number }];
  'limit:refused': [LimitEvent];
  /** In shadow mode: would have been refused. */
  'limit:shadowed': [LimitEvent];
  /** Was refused so often that it is banned now. */
  'limit:banned': [LimitEvent];
  /** Redis failed underneath: `onRedisError` has decided. Or a function of yours failed after its request was answered. */
  'limit:error': [Failure];
  /** An event was triggered for which there is no rule. */
  'rules:unmatched': [{ readonly name: string }];
  /** Entries that had been invalidated were taken out of Redis' memory. */
  'cache:reclaimed': [{ readonly scanned: number; readonly removed: number }];
  'redis:degraded': [RedisIncident];
  'redis:recovered': [RedisIncident];
  /** A write-behind has written so many records. */
  'write:flushed': [WriteEvent & { readonly records: number; readonly durationMs: number }];
  /** Its `write` has failed, for the n-th time: it is tried again. */
  'write:failed': [WriteEvent & { readonly records: number; readonly attempt: number; readonly error: Error }];
  /** It has given a record up, which is among the dead letters now. */
  'write:dead': [WriteEvent & { readonly key: string; readonly error: Error }];
}

/** The emitter behind `suite.events`. */
export class EventBus extends EventEmitter<SuiteEvents> {
  /** Emits to whoever listens. A listener that throws is reported as a process warning: it must not break the request that told it. */
  tell<Name extends keyof SuiteEvents>(name: Name, ...args: SuiteEvents[Name]): void {
    if (this.listenerCount(name) === 0) return;
    try {
      // The map's tuples are what `emit` takes; TypeScript cannot see that through the generic name.
      (this.emit as (event: string, ...rest: unknown[]) => boolean).call(this, name, ...args);
    } catch (error) {
      process.emitWarning(`A listener of "${name}" threw: ${String(error)}`, 'ExpressRedisSuiteWarning');
    }
  }

  /** Tells of a mistake in a function of the user's, asked when it is too late to throw: as an event, and as a process warning. */
  report(operation: string, error: unknown, event: 'cache:error' | 'limit:error' = 'cache:error'): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    this.tell(event, { operation, error: reason });
    process.emitWarning(`${operation}: ${reason.message}`, 'ExpressRedisSuiteWarning');
  }
}
