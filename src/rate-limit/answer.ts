import type { Request, Response } from 'express';
import { type HeaderConfig, limitFields, setLimitHeaders } from './headers.ts';
import type { LimitResult } from './limit-result.ts';
import { violatedOf } from './limiter.ts';

const PROBLEMS = 'https://iana.org/assignments/http-problem-types#';

/** Statuses whose answers have no body. */
const BODILESS = new Set([204, 205, 304]);

interface AnswerConfig extends HeaderConfig {
  readonly statusCode: number;
  readonly message: unknown;
}

/**
 * Answers a refused request with its problem: which policies were violated. What is sent instead when the application has a message of its own.
 *
 * @see RFC 9457, draft-ietf-httpapi-ratelimit-headers
 */
export async function answerRefused(
  req: Request,
  res: Response,
  result: LimitResult,
  config: AnswerConfig,
): Promise<void> {
  const { message, statusCode } = config;
  if (res.headersSent) return;
  if (message === undefined) return sendProblem(req, res, result, config);
  setLimitHeaders(res, result, config);
  res.status(problemOf(result, statusCode).status);
  const body: unknown = typeof message === 'function' ? await (message as MessageFunction)(req, res) : message;
  if (!res.writableEnded) res.send(body);
}

type MessageFunction = (req: Request, res: Response) => unknown;

/** Past `res.send`, which would hash every body for its ETag: in a flood these are most of what a server does. */
function sendProblem(req: Request, res: Response, result: LimitResult, config: AnswerConfig): void {
  const problem = problemOf(result, config.statusCode);
  const fields = limitFields(res, result, config);
  const body = BODILESS.has(problem.status) ? '' : JSON.stringify(problem);
  if (body !== '') {
    fields['Content-Type'] = 'application/problem+json; charset=utf-8';
    fields['Content-Length'] = String(Buffer.byteLength(body));
  }
  res.writeHead(problem.status, fields);
  res.end(req.method === 'HEAD' ? '' : body);
}

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
