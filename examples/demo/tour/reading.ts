import { formatCount, step } from '../print.ts';
import type { CityPage, CityRow, CountryPage, CountryRow, NearCityRow } from '../queries.ts';
import { show, type Tour } from './context.ts';

/** The routes that read. Returns the city the next steps are about. */
export async function showReading(tour: Tour): Promise<CityRow> {
  step(
    'A miss, then a hit',
    'Nobody has asked for this page yet: the handler runs its SQL and the answer is stored on its way out. The second time it comes from the cache, after one round trip to Redis: the entry, and along with it what was invalidated lately. (The very first request also runs a script: it creates the register in which invalidations are noted.)',
  );
  const { capital } = (await show(tour, '/countries/FR', countryLine)).body;
  await show(tour, '/countries/FR', countryLine);
  if (capital === null) throw new Error('France has lost its capital: the data set is not what it was.');

  step(
    'The more a page costs, the more a hit saves',
    'The search looks for a text anywhere in every name, and the other query measures distances on the globe. Only the parameters a route declares are part of its key, so a link with utm_source hits as well.',
  );
  await show(tour, '/countries', countLine);
  await show(tour, '/countries', countLine);
  await show(tour, '/cities/search?q=paris', namesLine);
  await show(tour, '/cities/search?q=paris', namesLine);
  await show(tour, '/cities/search?q=paris&utm_source=letter', namesLine);
  await show(tour, NEARBY, namesLine);
  await show(tour, NEARBY, namesLine);

  step(
    '304: the client has it already',
    'A browser that holds a copy sends the ETag it got. The cache compares and answers 304 without a body: neither the handler runs nor do bytes travel.',
  );
  const { answer } = await show(tour, `/cities/${capital.id}`, cityLine);
  const etag = String(answer.headers.etag);
  await show(
    tour,
    `/cities/${capital.id}`,
    (body) => `${body === undefined ? 'no body' : 'a body'}, asked with If-None-Match: ${etag}`,
    {
      headers: { 'If-None-Match': etag },
    },
  );

  step(
    'A mistake is told, and never stored',
    'Parameters are checked in the handler. Errors are not kept in the cache, or one bad moment would last.',
  );
  await show(tour, '/cities/nearby?lat=120&lng=2&radius=10', errorLine);
  await show(tour, '/cities/2000000', errorLine);
  await show(tour, '/cities/2000000', errorLine);
  return capital;
}

/** Around the capital of France. */
export const NEARBY = '/cities/nearby?lat=48.85&lng=2.35&radius=25';

export function cityLine({ name, countryName, population }: CityPage): string {
  return `${name}, ${countryName}, population ${population === null ? 'unknown' : formatCount(population)}`;
}

export function populationIn(rows: readonly (CityRow | NearCityRow)[], id: number): string {
  const population = rows.find((row) => row.id === id)?.population ?? null;
  return `population ${population === null ? 'unknown' : formatCount(population)}`;
}

function countryLine({ name, capital, cities }: CountryPage): string {
  return `${name}, capital ${capital?.name ?? 'none'}, ${formatCount(cities)} cities`;
}

function namesLine(rows: readonly CityRow[]): string {
  const [first, second] = rows.map(({ name, country }) => `${name} (${country})`);
  return `${rows.length} cities: ${first}, ${second} …`;
}

function countLine(rows: readonly CountryRow[]): string {
  return `${rows.length} countries`;
}

function errorLine({ error }: { error: string }): string {
  return error;
}
