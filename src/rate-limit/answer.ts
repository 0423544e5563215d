import type { Request, Response } from 'express';
import type { LimitResult } from './limit-result.ts';
import { violatedOf } from './limiter.ts';

const PROBLEMS = 'https://iana.org/assignments/http-problem-types#';

/**
 * Answers a refused request with its problem: which policies were violated. What is sent instead when the application has a message of its own.
 *
 * @see RFC 9457, draft-ietf-httpapi-ratelimit-headers
 */
export async function answerRefused(
  req: Request,
  res: Response,
  result: LimitResult,
  { statusCode, message }: { readonly statusCode: number; readonly message: unknown },
): Promise<void> {
  if (message === undefined) {
    const problem = problemOf(result, statusCode);
    res.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
    return;
  }
  res.status(statusCode);
  const body: unknown = typeof message === 'function' ? await (message as MessageFunction)(req, res) : message;
  if (!res.writableEnded) res.send(body);
}

type MessageFunction = (req: Request, res: Response) => unknown;

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly 'violated-policies'?: readonly string[];
}

function problemOf(result: LimitResult, statusCode: number): Problem {
  if (result.reason === 'redis-error') {
    const title = 'Request cannot be satisfied due to temporary server capacity constraints';
    return { type: `${PROBLEMS}temporary-reduced-capacity`, title, status: 503 };
  }
  if (result.reason === 'deny-list') return { type: 'about:blank', title: 'Forbidden', status: 403 };
  if (result.reason === 'banned') {
    const title = 'Request not satisfied due to detection of abnormal request pattern';
    return { type: `${PROBLEMS}abnormal-usage-detected`, title, status: statusCode };
  }
  const title = 'Request cannot be satisfied as assigned quota has been exceeded';
  return { type: `${PROBLEMS}quota-exceeded`, title, status: statusCode, 'violated-policies': violatedOf(result) };
}
