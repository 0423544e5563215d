import express, { type Express, type RequestHandler } from 'express';
import request, { type Response } from 'supertest';
import { createSuite, type Suite, type SuiteOptions } from '../../src/index.ts';
import { uniquePrefix } from '../support/connections.ts';
import { collectingLogger } from '../support/outages.ts';

/** A suite of its own, on the embedded backend or the given connection. Its deadline is generous: machines that run tests are busy. */
export function suiteOf(options: SuiteOptions = {}): Suite {
  const place: SuiteOptions = options.redis === undefined ? { backend: 'memory' } : { deadline: '2s' };
  return createSuite({ prefix: uniquePrefix(), logger: collectingLogger(), ...place, ...options });
}

/** An application whose only route is limited, and answers `ok`. */
export function appOf(...handlers: readonly RequestHandler[]): Express {
  const app = express();
  app.get('/', ...handlers, (_req, res) => void res.send('ok'));
  app.use(((error: { status?: number; message: string }, _req, res, _next) => {
    res.status(error.status ?? 500).send(error.message);
  }) satisfies express.ErrorRequestHandler);
  return app;
}

/** Requests one after another. */
export async function visit(app: Express, count: number): Promise<Response[]> {
  const responses: Response[] = [];
  for (let i = 0; i < count; i++) responses.push(await request(app).get('/'));
  return responses;
}

export function statusesOf(responses: readonly Response[]): number[] {
  return responses.map(({ status }) => status);
}
