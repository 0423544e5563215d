/**
 * The API: five routes that read and are cached, one that writes, and a part for users (account.ts). A tag names what an answer shows (`city:56988`, `country:FR`), so the
 * route that changes a city need not know which pages, searches and neighbourhoods show it.
 */
import type { PGlite } from '@electric-sql/pglite';
import express, { type ErrorRequestHandler, type Express } from 'express';
import type { Suite } from '../../src/index.ts';
import { createAccount } from './account.ts';
import { findCity, findCountry, listCountries, nearbyCities, searchCities, updateCity } from './queries.ts';
import { cityChange, cityId, countryCode, HttpError, numberParameter, textParameter } from './validate.ts';

/** These pages are the same for everybody, whatever cookies a browser sends, and no parameter changes them. */
const PUBLIC = { cookies: 'ignore', query: [] } as const;

export function createApi(db: PGlite, suite: Suite): Express {
  const app = express();
  app.disable('x-powered-by');

  // Countries hardly change: kept for a day here. `clientTtl` lets browsers keep the list for a minute too.
  app.get('/countries', suite.cache({ ...PUBLIC, ttl: 'veryLong', clientTtl: '1m' }), async (_req, res) => {
    res.json(await listCountries(db));
  });

  app.get('/countries/:code', suite.cache({ ...PUBLIC, ttl: '1h' }), async (req, res) => {
    const code = countryCode(req);
    const country = await findCountry(db, code);
    if (country === undefined) throw new HttpError(404, `There is no country ${code}`);
    res.cache.tag(`country:${code}`);
    if (country.capital !== null) res.cache.tag(`city:${country.capital.id}`);
    res.json(country);
  });

  // Only `q` is part of the key: links with ?utm_source=… share one entry. A new name may match any search, hence the tag `search`.
  app.get('/cities/search', suite.cache({ ...PUBLIC, ttl: '5m', query: ['q'], tags: ['search'] }), async (req, res) => {
    const cities = await searchCities(db, textParameter(req, 'q', 2, 80));
    res.cache.tag(...cities.map(({ id }) => `city:${id}`));
    res.json(cities);
  });

  app.get(
    '/cities/nearby',
    suite.cache({ ...PUBLIC, ttl: '5m', query: ['lat', 'lng', 'radius'] }),
    async (req, res) => {
      const lat = numberParameter(req, 'lat', -90, 90);
      const lng = numberParameter(req, 'lng', -180, 180);
      const cities = await nearbyCities(db, lat, lng, numberParameter(req, 'radius', 1, 500));
      res.cache.tag(...cities.map(({ id }) => `city:${id}`));
      res.json(cities);
    },
  );

  app.get('/cities/:id', suite.cache({ ...PUBLIC, ttl: '5m' }), async (req, res) => {
    const city = await findCity(db, cityId(req));
    if (city === undefined) throw new HttpError(404, `There is no city ${cityId(req)}`);
    res.cache.tag(`city:${city.id}`, `country:${city.country}`);
    res.json(city);
  });

  // The handler answers after its UPDATE is committed; the answer leaves after the tags are invalidated.
  app.put('/cities/:id', express.json(), suite.invalidateAfter(tagsOfChange), async (req, res) => {
    const city = await updateCity(db, cityId(req), cityChange(req));
    if (city === undefined) throw new HttpError(404, `There is no city ${cityId(req)}`);
    res.json(city);
  });

  app.use('/account', createAccount(suite));

  app.use(() => {
    throw new HttpError(404, 'Try /countries, /countries/FR, /cities/search?q=paris or /cities/1');
  });
  app.use(answerErrors);
  return app;
}

function tagsOfChange(req: express.Request): string[] {
  const renamed = cityChange(req).name !== undefined;
  return [`city:${cityId(req)}`, ...(renamed ? ['search'] : [])];
}

const answerErrors: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (res.headersSent) return next(error);
  const { status, message } = error as { status?: number; message?: string };
  const isClients = status !== undefined && status >= 400 && status < 500;
  if (!isClients) console.error(error);
  res.status(isClients ? status : 500).json({ error: isClients ? message : 'Something went wrong here' });
};
