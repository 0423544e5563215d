import { RedisError, SessionUnavailableError } from '../core/errors.ts';

/** What a client is told of an error: that Redis did not do something is 503, and no more than that. Other errors are passed through. */
export function toFailure(error: unknown, message: string): unknown {
  return error instanceof RedisError ? new SessionUnavailableError(message, { cause: error }) : error;
}
