/** Every SQL statement the API runs. Nothing here knows that a cache exists. */
import type { PGlite } from '@electric-sql/pglite';

export interface CityRow {
  readonly id: number;
  readonly name: string;
  readonly country: string;
  readonly population: number | null;
}

export interface NearCityRow extends CityRow {
  readonly km: number;
}

export interface CityPage extends CityRow {
  readonly countryName: string;
  readonly continent: string;
  readonly region: string | null;
  readonly lat: number;
  readonly lng: number;
}

export interface CountryRow {
  readonly code: string;
  readonly name: string;
  readonly continent: string;
  readonly areaKm2: number;
}

export interface CountryPage extends CountryRow {
  readonly languages: string[];
  readonly capital: CityRow | null;
  readonly cities: number;
  readonly borders: string[];
}

export interface CityChange {
  readonly name?: string;
  readonly population?: number;
}

export async function listCountries(db: PGlite): Promise<CountryRow[]> {
  const { rows } = await db.query<CountryRow>(
    'SELECT code, name, continent, area_km2 AS "areaKm2" FROM country ORDER BY name',
  );
  return rows;
}

export async function findCountry(db: PGlite, code: string): Promise<CountryPage | undefined> {
  const { rows } = await db.query<CountryPage>(
    `SELECT country.code, country.name, country.continent, country.area_km2 AS "areaKm2", country.languages,
            (SELECT json_build_object('id', id, 'name', name, 'country', country, 'population', population)
               FROM city WHERE city.id = country.capital_id) AS capital,
            (SELECT count(*)::int FROM city WHERE city.country = country.code) AS cities,
            (SELECT coalesce(json_agg(other.name ORDER BY other.name), '[]')
               FROM border JOIN country other ON other.code = border.neighbour WHERE border.country = country.code) AS borders
       FROM country WHERE country.code = $1`,
    [code],
  );
  return rows[0];
}

/** Cities whose name contains the text, those beginning with it first. No index serves a text in the middle of a name. */
export async function searchCities(db: PGlite, text: string): Promise<CityRow[]> {
  const literal = text.replaceAll(/[\\%_]/g, String.raw`\$&`);
  const { rows } = await db.query<CityRow>(
    `SELECT city.id, city.name, country.name AS country, city.population
       FROM city JOIN country ON country.code = city.country
      WHERE city.name ILIKE '%' || $1 || '%'
      ORDER BY city.name NOT ILIKE $1 || '%', length(city.name), city.id
      LIMIT 20`,
    [literal],
  );
  return rows;
}

export async function findCity(db: PGlite, id: number): Promise<CityPage | undefined> {
  const { rows } = await db.query<CityPage>(
    `SELECT city.id, city.name, city.country, city.population, country.name AS "countryName", country.continent,
            region.name AS region, city.lat, city.lng
       FROM city JOIN country ON country.code = city.country LEFT JOIN region ON region.code = city.region
      WHERE city.id = $1`,
    [id],
  );
  return rows[0];
}

/** The 20 nearest cities within a radius. The range of latitudes can use an index; the distance itself cannot. */
export async function nearbyCities(db: PGlite, lat: number, lng: number, radiusKm: number): Promise<NearCityRow[]> {
  const { rows } = await db.query<NearCityRow>(
    `SELECT id, name, country, population, round(km::numeric, 1)::float8 AS km
       FROM (SELECT *, distance_km($1, $2, lat, lng) AS km FROM city
              WHERE lat BETWEEN $1::float8 - $3::float8 / 111 AND $1::float8 + $3::float8 / 111) AS near
      WHERE km <= $3 ORDER BY near.km, id LIMIT 20`,
    [lat, lng, radiusKm],
  );
  return rows;
}

/** Changes what is given, leaves the rest. Resolves to the new row, or undefined when there is no such city. */
export async function updateCity(db: PGlite, id: number, change: CityChange): Promise<CityRow | undefined> {
  const { rows } = await db.query<CityRow>(
    `UPDATE city SET name = coalesce($2, name), population = coalesce($3, population)
      WHERE id = $1 RETURNING id, name, country, population`,
    [id, change.name ?? null, change.population ?? null],
  );
  return rows[0];
}

/** Ids of the country that has the most cities, and of the one that has the second most: something to fill a cache with. */
export async function largestCountries(
  db: PGlite,
  idsEach: number,
): Promise<{ code: string; name: string; ids: number[] }[]> {
  const { rows } = await db.query<{ code: string; name: string; ids: number[] }>(
    `SELECT country.code, country.name, (array_agg(city.id ORDER BY city.id))[1:$1] AS ids
       FROM city JOIN country ON country.code = city.country
      GROUP BY country.code, country.name ORDER BY count(*) DESC LIMIT 2`,
    [idsEach],
  );
  return rows;
}
