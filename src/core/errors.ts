/** Every error this package makes itself. Errors of your own functions (handlers, loaders) pass through unchanged. */
export class SuiteError extends Error {
  override readonly name: string = 'SuiteError';
  /** Stable identifier, safe to compare: `ERR_…`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A mistake in options or environment. Thrown by factories, never while a request is served. */
export class ConfigError extends SuiteError {
  override readonly name = 'ConfigError';

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_CONFIG', message, options);
  }
}

/** Redis did not do what was asked. The client's own error is the `cause`. */
export class RedisError extends SuiteError {
  override readonly name: string = 'RedisError';
  /** What was asked, in words: `read entry`, `invalidate`. */
  readonly operation: string;

  constructor(operation: string, message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? 'ERR_REDIS', message, options);
    this.operation = operation;
  }
}

/** Redis did not answer within the deadline. What was asked may still happen later. */
export class TimeoutError extends RedisError {
  override readonly name = 'TimeoutError';
  readonly timeoutMs: number;

  constructor(operation: string, timeoutMs: number) {
    super(operation, `Redis did not answer "${operation}" within ${timeoutMs} ms`, { code: 'ERR_TIMEOUT' });
    this.timeoutMs = timeoutMs;
  }
}

/** Not asked at all: the connection has failed lately and is being probed in the background. */
export class CircuitOpenError extends RedisError {
  override readonly name = 'CircuitOpenError';
  /** Milliseconds until the next background probe. */
  readonly retryAfterMs: number;

  constructor(operation: string, retryAfterMs: number) {
    super(operation, `Redis is away: "${operation}" was not sent`, { code: 'ERR_CIRCUIT_OPEN' });
    this.retryAfterMs = retryAfterMs;
  }
}

/** A session could not be read or kept. Express answers with `status`. */
export class SessionError extends SuiteError {
  override readonly name: string = 'SessionError';
  readonly status: number;

  constructor(code: string, message: string, options: ErrorOptions & { readonly status: number }) {
    super(code, message, options);
    this.status = options.status;
  }
}

/** Redis is away, so the session is not known or not kept. Nothing was promised to the client. */
export class SessionUnavailableError extends SessionError {
  override readonly name = 'SessionUnavailableError';
  /** Express sends them with the status. */
  readonly headers = { 'Retry-After': '1' };

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_SESSION_UNAVAILABLE', message, { ...options, status: 503 });
  }
}

/** With `onConflict: 'reject'`: another request has changed the same property since this one read it. Nothing was saved. */
export class SessionConflictError extends SessionError {
  override readonly name = 'SessionConflictError';
  readonly property: string;

  constructor(property: string) {
    super('ERR_SESSION_CONFLICT', `Another request has changed session.${property} since this one read it.`, {
      status: 409,
    });
    this.property = property;
  }
}

/** The session is larger than `maxBytes`, or than all the `memory` that the embedded backend has. Nothing was saved. */
export class SessionTooLargeError extends SessionError {
  override readonly name = 'SessionTooLargeError';

  constructor(bytes: number, maxBytes: number, option: 'maxBytes' | 'memory' = 'maxBytes') {
    const message = `The session has ${bytes} bytes, and ${option} is ${maxBytes}. Keep large values elsewhere and their key in the session.`;
    super('ERR_SESSION_TOO_LARGE', message, { status: 500 });
  }
}

/** With `onMaxSessions: 'reject'`: the user has as many sessions as allowed. Nobody was logged in. */
export class TooManySessionsError extends SessionError {
  override readonly name = 'TooManySessionsError';

  constructor(maxSessions: number) {
    super('ERR_TOO_MANY_SESSIONS', `This user has ${maxSessions} sessions, which is all that are allowed.`, {
      status: 403,
    });
  }
}

/** All sessions of the user were ended while this login was under way. Nobody was logged in. */
export class SessionRevokedError extends SessionError {
  override readonly name = 'SessionRevokedError';

  constructor() {
    super('ERR_SESSION_REVOKED', 'All sessions of this user were ended while this login was under way.', {
      status: 401,
    });
  }
}

/** A client has used up a limit. Express answers with its `status` and `headers`. */
export class RateLimitExceededError extends SuiteError {
  override readonly name = 'RateLimitExceededError';
  readonly status: number = 429;
  readonly headers: Readonly<Record<string, string>>;
  /** Names of the policies that refused. */
  readonly violatedPolicies: readonly string[];
  /** Milliseconds until it may succeed; Infinity when it never will. */
  readonly retryAfterMs: number;

  constructor(violatedPolicies: readonly string[], retryAfterMs: number) {
    super('ERR_RATE_LIMIT', `Rate limit exceeded: ${violatedPolicies.join(', ')}`);
    this.violatedPolicies = violatedPolicies;
    this.retryAfterMs = retryAfterMs;
    this.headers = Number.isFinite(retryAfterMs) ? { 'Retry-After': String(Math.ceil(retryAfterMs / 1_000)) } : {};
  }
}

/** What a limit's key was to be taken from is not text: a parameter given twice, a cookie that is an object. Express answers 400. */
export class LimitKeyError extends SuiteError {
  override readonly name = 'LimitKeyError';
  readonly status = 400;

  constructor(message: string) {
    super('ERR_LIMIT_KEY', message);
  }
}

/** A loader has taken longer than the `hardTimeout` of a call. It goes on, and what it makes is stored. */
export class LoadTimeoutError extends SuiteError {
  override readonly name = 'LoadTimeoutError';
  readonly key: string;
  readonly timeoutMs: number;

  constructor(key: string, timeoutMs: number) {
    super('ERR_LOAD_TIMEOUT', `Loading "${key}" took longer than ${timeoutMs} ms`);
    this.key = key;
    this.timeoutMs = timeoutMs;
  }
}

/** A partition of a write-behind holds as many records as it may. Nothing was recorded. */
export class WriteBehindFullError extends SuiteError {
  override readonly name = 'WriteBehindFullError';
  readonly status = 503;
  /** Express sends them with the status. */
  readonly headers = { 'Retry-After': '1' };

  constructor(name: string, maxPending: number) {
    const message = `Write-behind "${name}": ${maxPending} records of one partition wait to be written, which is all that may. Try again later.`;
    super('ERR_WRITE_BEHIND_FULL', message);
  }
}

/** A write-behind was closed: it takes no records any more. Nothing was recorded. */
export class WriteBehindClosedError extends SuiteError {
  override readonly name = 'WriteBehindClosedError';

  constructor(name: string) {
    super('ERR_WRITE_BEHIND_CLOSED', `Write-behind "${name}" is closed.`);
  }
}

/** A statement changes something, or its result depends on more than its tables, so that it is not cached. Nothing was run. */
export class QueryRefusedError extends SuiteError {
  override readonly name = 'QueryRefusedError';

  constructor(reason: string) {
    const remedy = 'Run it without the cache, or with force: true, if an old result will do.';
    super('ERR_QUERY_REFUSED', `This statement is not cached: ${reason}. ${remedy}`);
  }
}
