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
