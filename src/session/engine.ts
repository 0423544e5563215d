import type { SessionData } from 'express-session';
import { SessionConflictError, SessionTooLargeError, SessionUnavailableError } from '../core/errors.ts';
import type { EventBus } from '../core/events.ts';
import { toRecordText } from '../register/records.ts';
import type { Register } from '../register/register.ts';
import { type SessionConfig, touchIntervalOf } from './options.ts';
import type { SessionRecord, SessionRecords, SessionRef } from './records.ts';
import { changeOf, fromFields, idleOf, isExempt, type SessionChange, type SessionLogin } from './session-data.ts';
import type { SessionCounters, SessionStatistics } from './statistics.ts';
import type { UserIndex } from './user-index.ts';

/** What the parts of one place's sessions work with. */
export interface EngineParts {
  readonly config: SessionConfig;
  readonly records: SessionRecords;
  readonly index: UserIndex;
  /** Of users whose sessions were all ended. */
  readonly register: Register;
  readonly events: EventBus;
  readonly statistics: SessionStatistics;
}

/** A session as somebody has read or written it. */
export interface LoadedSession {
  readonly ref: SessionRef;
  readonly record: SessionRecord;
  /** It was written here, and not only read. */
  readonly isWritten?: boolean;
}

/** A session and what is known of it. */
interface FoundSession extends LoadedSession {
  readonly data: SessionData;
}

/** Reads and writes sessions under the rules of the configuration. Everything throws a RedisError when Redis did not confirm it. */
export interface SessionEngine extends EngineParts {
  load(ref: SessionRef): Promise<FoundSession | undefined>;
  /**
   * Saves what changed since `base`, or a new session; `change` where that is known already. Resolves with what a later save has to compare with; `undefined` when the session has ended meanwhile.
   *
   * @throws {SessionConflictError} With `onConflict: 'reject'`.
   * @throws {SessionTooLargeError} When it exceeds `maxBytes`.
   */
  save(
    ref: SessionRef,
    session: object,
    base: LoadedSession | undefined,
    change?: SessionChange,
  ): Promise<LoadedSession | undefined>;
  /** Begins the idle timeout anew when it is time for that. */
  touch(base: LoadedSession, session: object): Promise<LoadedSession | undefined>;
  isTouchDue(base: LoadedSession, session: object): boolean;
  /** Ends a session. Resolves false when there was none. */
  end(ref: SessionRef): Promise<boolean>;
  /** Until when the index of its user is to hold a session that is used now. */
  indexUntil(session: object, createdAt: number): number;
  /** Calls back when a session was ended in this process. */
  onEnd(callback: (handle: string) => void): void;
}

/**
 * Redis ends sessions to the millisecond, and asks no other clock. Reading asks again, for what others have made last longer: connect-redis, or a configuration of longer timeouts. There it is the clock of a host that
 * is compared with that of another, and these may differ by so much.
 */
const CLOCK_SKEW_MS = 60_000;

export function createEngine(parts: EngineParts): SessionEngine {
  const { config, records, index, register, events, statistics } = parts;
  const enders: ((handle: string) => void)[] = [];

  const idle = (session: object): number => idleOf(session, config.idleMs, records.now());
  const interval = (session: object): number => touchIntervalOf(config, idle(session));

  function tell(what: keyof typeof COUNTED, ref: SessionRef, session: object): void {
    statistics.count(COUNTED[what]);
    events.tell(`session:${what}`, eventOf(ref, session));
  }

  function failed(error: unknown): never {
    statistics.count('errors');
    throw error;
  }

  async function load(ref: SessionRef, isAgain = false): Promise<FoundSession | undefined> {
    const reading = records.read(ref).catch(failed);
    // After the read was sent: an answer from before it proves nothing. It never rejects.
    const verified = config.revocation === 'strict' ? register.refresh() : true;
    const record = await reading;
    if (verified !== true && !(await verified))
      throw new SessionUnavailableError('It is not known who was logged out.');
    if (record === undefined) return undefined;
    const data = record === 'corrupt' ? undefined : fromFields(record.fields, record.touchedAt);
    if (record === 'corrupt' || data === undefined) {
      tell('corrupt', ref, {});
      return undefined;
    }
    if (isExpired(record, data)) {
      tell('expired', ref, data);
      return undefined;
    }
    // It may have been read before it was exempted, and judged after.
    if (isRevoked(data)) return isAgain ? undefined : load(ref, true);
    statistics.count('loaded');
    return { ref, record, data };
  }

  function isExpired({ createdAt, touchedAt }: SessionRecord, data: SessionData): boolean {
    const now = records.now() - CLOCK_SKEW_MS;
    return now > createdAt + config.absoluteMs || (touchedAt > 0 && now > touchedAt + idle(data));
  }

  function isRevoked(data: SessionData): boolean {
    if (config.revocation !== 'strict' || (data.suiteLogin ?? undefined) === undefined) return false;
    const login = loginOf(data);
    if (login === undefined) return true; // Of somebody of whom it cannot be asked.
    const user = toRecordText(login.userId);
    return register.judge(login, () => ({ key: '', tags: [], user })) === 'dead' && !isExempt(data, records.now());
  }

  async function save(
    ref: SessionRef,
    session: object,
    base: LoadedSession | undefined,
    { fields, changed, removed }: SessionChange = changeOf(session, base?.record.fields),
  ): Promise<LoadedSession | undefined> {
    if (base !== undefined && changed.length + removed.length === 0) return touch(base, session);
    const bytes = sizeOf(fields);
    if (bytes > config.maxBytes) throw new SessionTooLargeError(bytes, config.maxBytes);
    const entering = keepIndexed(session, base?.record);
    const indexedUntil = typeof entering === 'number' ? entering : await entering;
    const write = { base: base?.record, fields, changed, removed, idleMs: idle(session), indexedUntil };
    const outcome = await records.write(ref, write).catch(failed);
    if (outcome === 'gone') {
      tell('gone', ref, session);
      return undefined;
    }
    if ('conflict' in outcome) {
      statistics.count('conflicts');
      throw new SessionConflictError(outcome.conflict);
    }
    tell(base === undefined ? 'created' : 'updated', ref, session);
    return { ref, record: outcome, isWritten: true };
  }

  function isTouchDue({ record }: LoadedSession, session: object): boolean {
    return records.now() - record.touchedAt >= interval(session);
  }

  async function touch(base: LoadedSession, session: object): Promise<LoadedSession | undefined> {
    if (!isTouchDue(base, session)) return base;
    const { ref, record } = base;
    const indexedUntil = await keepIndexed(session, record);
    const everyMs = Math.floor(interval(session));
    const { createdAt } = record;
    const outcome = await records.touch(ref, { idleMs: idle(session), everyMs, createdAt, indexedUntil }).catch(failed);
    if (outcome === 'gone') {
      tell('gone', ref, session);
      return undefined;
    }
    if (outcome === 'touched') tell('touched', ref, session);
    return { ...base, record: { ...record, touchedAt: records.now(), indexedUntil } };
  }

  /** The index must hold a session for longer than it lives: its end there is moved in time, which takes a command of its own once in half an idle timeout. */
  function keepIndexed(session: object, record: SessionRecord | undefined): number | Promise<number> {
    const login = loginOf(session);
    if (login === undefined) return 0;
    const createdAt = record?.createdAt ?? records.now();
    const untilMs = indexUntil(session, createdAt);
    const known = record?.indexedUntil ?? untilMs; // A new one was entered just now.
    if (untilMs - known < idle(session) / 2) return known;
    return index.enter(login.userId, { entry: login.entry, session: '', untilMs }).then(() => untilMs);
  }

  function indexUntil(session: object, createdAt: number): number {
    return Math.min(records.now() + 2 * idle(session) + CLOCK_SKEW_MS, createdAt + config.absoluteMs + CLOCK_SKEW_MS);
  }

  return {
    ...parts,
    load: (ref) => load(ref),
    save,
    touch,
    isTouchDue,
    indexUntil,
    onEnd: (callback) => enders.push(callback),
    async end(ref) {
      const former = await records.remove(ref).catch(failed);
      if (former === undefined) return false;
      const data = former === 'corrupt' ? undefined : fromFields(former.fields, 0);
      const login = loginOf(data ?? {});
      if (login !== undefined) index.leave(login.userId, [login.entry]).catch(ignore); // It may hold what has ended.
      tell('destroyed', ref, data ?? {});
      for (const tell of enders) tell(ref.handle);
      return true;
    },
  };
}

/** How what is told of is counted. */
const COUNTED = {
  created: 'created',
  updated: 'saved',
  touched: 'touched',
  destroyed: 'destroyed',
  expired: 'expired',
  gone: 'gone',
  corrupt: 'corrupt',
} as const satisfies Record<string, keyof SessionCounters>;

/** Who is logged in, as far as it has the form that `login` gives it. */
export function loginOf(session: object): SessionLogin | undefined {
  const { suiteLogin } = session as Partial<SessionData>;
  return typeof suiteLogin?.userId === 'string' && typeof suiteLogin.entry === 'string' ? suiteLogin : undefined;
}

function eventOf({ handle }: SessionRef, session: object): { handle: string; userId?: string } {
  const userId = loginOf(session)?.userId;
  return userId === undefined ? { handle } : { handle, userId };
}

function sizeOf(fields: ReadonlyMap<string, string>): number {
  let bytes = 0;
  for (const [name, text] of fields) bytes += Buffer.byteLength(name) + Buffer.byteLength(text);
  return bytes;
}

function ignore(): void {
  // The guard has told of it.
}
