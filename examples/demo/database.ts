/** The demo's origin: PostgreSQL running inside this process (PGlite), loaded with every country and city of the source data. */
import { PGlite } from '@electric-sql/pglite';
import { type NumberedCity, readSourceData, type SourceData } from './source-data.ts';

/** Many rows travel in one statement: one array per column, which `unnest` turns into rows. */
const ROWS_PER_INSERT = 2_500;

const SCHEMA = `
  CREATE TABLE country (
    code        text PRIMARY KEY,
    name        text NOT NULL,
    continent   text NOT NULL,
    capital     text,
    capital_id  int,
    area_km2    float8 NOT NULL,
    languages   text[] NOT NULL
  );
  CREATE TABLE border (
    country     text NOT NULL REFERENCES country,
    neighbour   text NOT NULL REFERENCES country,
    PRIMARY KEY (country, neighbour)
  );
  CREATE TABLE region (
    code        text PRIMARY KEY,
    name        text NOT NULL
  );
  CREATE TABLE city (
    id          int NOT NULL,
    name        text NOT NULL,
    country     text NOT NULL,
    region      text,
    lat         float8 NOT NULL,
    lng         float8 NOT NULL,
    population  int            -- the source has none: it is for you to PUT
  );

  -- Haversine: the distance of two points along the Earth's surface.
  CREATE FUNCTION distance_km(lat1 float8, lng1 float8, lat2 float8, lng2 float8) RETURNS float8 IMMUTABLE LANGUAGE sql AS
    'SELECT 2 * 6371 * asin(least(1, sqrt(
       sin(radians(lat2 - lat1) / 2) ^ 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(radians(lng2 - lng1) / 2) ^ 2)))';`;

/** After the load: checking 171,000 rows at once is ten times faster than one by one. */
const CONSTRAINTS = `
  ALTER TABLE city ADD PRIMARY KEY (id), ADD FOREIGN KEY (country) REFERENCES country, ADD FOREIGN KEY (region) REFERENCES region;
  CREATE INDEX ON city (country);
  CREATE INDEX ON city (lat, lng);
  UPDATE country SET capital_id = (SELECT min(id) FROM city WHERE city.country = code AND city.name = capital);
  ANALYZE;`;

/** Told how many cities are stored so far, and how many there will be. */
export type Progress = (done: number, total: number) => void;

/** Starts an empty PostgreSQL in memory and fills it. About 6 s for all 171,000 cities. */
export async function openDatabase(cityLimit: number, onProgress: Progress): Promise<PGlite> {
  const db = await PGlite.create();
  await db.exec(SCHEMA);
  const data = readSourceData(cityLimit);
  await insertCountries(db, data);
  await insertRegions(db, data);
  await insertCities(db, data, onProgress);
  await db.exec(CONSTRAINTS);
  return db;
}

async function insertCountries(db: PGlite, { countries }: SourceData): Promise<void> {
  const rows = countries.map(({ cca2, name, region, capital, area, languages }) => ({
    code: cca2,
    name: name.common,
    continent: region,
    capital: capital[0],
    area_km2: area,
    languages: Object.values(languages),
  }));
  await db.query('INSERT INTO country SELECT * FROM json_populate_recordset(NULL::country, $1)', [rows]);
  const codes = new Map(countries.map(({ cca3, cca2 }) => [cca3, cca2]));
  const borders = countries.flatMap(({ cca2, borders }) => borders.map((cca3) => [cca2, codes.get(cca3)] as const));
  await db.query('INSERT INTO border SELECT * FROM unnest($1::text[], $2::text[])', [
    borders.map(([country]) => country),
    borders.map(([, neighbour]) => neighbour),
  ]);
}

async function insertRegions(db: PGlite, { regions }: SourceData): Promise<void> {
  await db.query('INSERT INTO region SELECT * FROM unnest($1::text[], $2::text[])', [
    regions.map(({ code }) => code),
    regions.map(({ name }) => name),
  ]);
}

async function insertCities(db: PGlite, { cities, regions }: SourceData, onProgress: Progress): Promise<void> {
  const known = new Set(regions.map(({ code }) => code));
  const regionOf = ({ country, admin1 }: NumberedCity): string | null =>
    known.has(`${country}.${admin1}`) ? `${country}.${admin1}` : null;

  for (let start = 0; start < cities.length; start += ROWS_PER_INSERT) {
    const rows = cities.slice(start, start + ROWS_PER_INSERT);
    await db.query(
      `INSERT INTO city (id, name, country, region, lat, lng)
       SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::float8[])`,
      [
        rows.map(({ id }) => id),
        rows.map(({ name }) => name),
        rows.map(({ country }) => country),
        rows.map(regionOf),
        rows.map(({ lat }) => Number(lat)),
        rows.map(({ lng }) => Number(lng)),
      ],
    );
    onProgress(start + rows.length, cities.length);
  }
}
