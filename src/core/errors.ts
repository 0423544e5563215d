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
