/** What every step of the tour works with. */
import type { PGlite } from '@electric-sql/pglite';
import type { Suite } from '../../../src/index.ts';
import type { Backend } from '../backend.ts';
import { type Answer, type Ask, cacheStatus, type Client } from '../http-client.ts';
import { exchange } from '../print.ts';
import { watchRedis } from '../redis-commands.ts';

export interface Tour {
  readonly backend: Backend;
  readonly db: PGlite;
  readonly http: Client;
  readonly suite: Suite;
}

/** Sends one request and prints it with its status, time, Cache-Status and the commands Redis ran for it. `says` puts the answer in words. */
export async function show<Body>(
  { http, backend }: Tour,
  path: string,
  says: (body: Body) => string,
  ask: Ask = {},
): Promise<{ answer: Answer; body: Body }> {
  const { result: answer, commands } = await watchRedis(backend.redis, () => http(path, ask));
  const body = (answer.body === '' ? undefined : JSON.parse(answer.body)) as Body;
  exchange({
    request: `${ask.method ?? 'GET'} ${path}`,
    says: says(body),
    status: answer.status,
    ms: answer.ms,
    cache: cacheStatus(answer) || 'not a cached route',
    redis: commands,
  });
  return { answer, body };
}
