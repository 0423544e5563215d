import { formatCount, step } from '../print.ts';
import type { CityRow, CountryPage } from '../queries.ts';
import { show, type Tour } from './context.ts';
import { cityLine, NEARBY, populationIn } from './reading.ts';

const NEW_POPULATION = 2_102_650;

/** A route that writes, and what becomes of every page that showed the old value. */
export async function showChanging(tour: Tour, { id, name }: CityRow): Promise<void> {
  const page = `/cities/${id}`;
  step(
    'An update',
    `The PUT changes one row and invalidates the tag city:${id}. Redis notes "this tag, now": one record, however many pages show ${name}.`,
  );
  await show(tour, page, cityLine);
  await show(tour, page, savedLine, {
    method: 'PUT',
    json: { population: NEW_POPULATION },
  });

  step(
    'Fresh again, everywhere, at once',
    `Four pages showed ${name}: its own, its country's, a search and a neighbourhood. All are made anew at their next request, in every process that shares this Redis. Nothing had to be listed or deleted.`,
  );
  await show(tour, page, cityLine);
  await show(tour, page, cityLine);
  await show(tour, '/countries/FR', (country: CountryPage) =>
    populationIn(country.capital === null ? [] : [country.capital], id),
  );
  await show(tour, '/cities/search?q=paris', (rows: CityRow[]) => populationIn(rows, id));
  await show(tour, NEARBY, (rows: CityRow[]) => populationIn(rows, id));
  await show(tour, '/countries', () => 'does not show it: still cached');
}

function savedLine({ population }: CityRow): string {
  return `saved: population ${formatCount(population ?? 0)}`;
}
