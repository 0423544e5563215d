import { setTimeout as sleep } from 'node:timers/promises';
import type { OwnServer } from '../backend.ts';
import { cacheStatus } from '../http-client.ts';
import { formatMs, note, step } from '../print.ts';
import type { CityRow } from '../queries.ts';
import { show, type Tour } from './context.ts';
import { cityLine } from './reading.ts';

const PATIENCE_MS = 10_000;

/** Stops Redis and starts it again, if it is the demo's own. */
export async function showOutage(tour: Tour, { id }: CityRow): Promise<void> {
  const { ownServer, redis } = tour.backend;
  step(
    'Redis stops, and comes back',
    'A cache may slow nothing down, least of all by failing: while Redis is away the handlers answer, and when it is back the cache works again by itself.',
  );
  if (ownServer !== undefined) return stopAndStart(tour, `/cities/${id}`, ownServer);
  note(
    redis === undefined ? 'Left out: there is no Redis to stop.' : "Left out: this Redis is not the demo's to stop.",
  );
}

async function stopAndStart(tour: Tour, page: string, server: OwnServer): Promise<void> {
  await show(tour, page, cityLine);
  await server.kill();
  note('Redis is killed.');
  for (let request = 0; request < 3; request++) await show(tour, page, cityLine);

  await server.restart();
  const startedAt = performance.now();
  note('Redis is started again on the same port, empty: this server keeps nothing on disk.');
  const requests = await askUntilHit(tour, page);
  note(
    `The first hit came ${formatMs(performance.now() - startedAt)} ms later, at request ${requests}. Nobody restarted anything.`,
  );
  await show(tour, page, cityLine);
}

async function askUntilHit({ http }: Tour, path: string): Promise<number> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let requests = 1; performance.now() < deadline; requests++) {
    if (cacheStatus(await http(path)).startsWith('hit')) return requests;
    await sleep(25);
  }
  throw new Error(`No hit within ${PATIENCE_MS} ms after Redis was back`);
}
