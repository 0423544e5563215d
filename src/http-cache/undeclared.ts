import { createBounded } from '../core/bounded.ts';
import type { Exchange } from './exchange.ts';
import type { Tracker } from './track.ts';

const MAX_TOLD = 1_000;
const told = new Set<string>();
const routes = createBounded<string, object>(MAX_TOLD);

/** In development: says once for each route what its handler reads and the key does not hold. */
export function warnOfUndeclared(route: string, tracker: Tracker, varyNames: readonly string[]): void {
  const names = tracker
    .undeclared()
    .filter((name) => !varyNames.includes(name.replace('the header ', '')) && isNews(`${route} ${name}`));
  if (names.length === 0) return;
  warn(
    `The cached route ${route} reads ${names.join(', ')}, which the key does not hold. Declare it (vary, user, cookies) if the response depends on it.`,
  );
}

/** In development: says once for each route why its responses are not stored, although a `user` may tell them apart. */
export function warnOfSession(route: string): void {
  if (!isNews(`${route} stores nothing`)) return;
  warn(
    `The cached route ${route} stores nothing for requests whose session is used: req.session was asked for by a handler, by middleware or by a function of the route such as user, or its cookie was set. Keep what the response is made of in the data cache, by user.`,
  );
}

/** In development: says once for each route that another answers the same URL from the same entry, whoever chose between them. */
export function warnOfSharedKey({ req, config, key, route }: Exchange): void {
  const here = req.route as object | undefined;
  if (here === undefined || config.key !== undefined) return;
  const first = routes.get(key.address) ?? here;
  routes.set(key.address, first);
  if (first === here || !isNews(`${route} shares its key`)) return;
  warn(
    `Two cached routes ${route} answer one URL from one entry. If middleware chooses between them, by who is asking for example, give each a keyPrefix of its own.`,
  );
}

function isNews(what: string): boolean {
  if (told.has(what) || told.size >= MAX_TOLD) return false;
  told.add(what);
  return true;
}

function warn(text: string): void {
  process.emitWarning(text, 'ExpressRedisSuiteWarning');
}
