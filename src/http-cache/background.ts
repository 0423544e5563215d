import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Exchange, type ExchangeBase, openExchange } from './exchange.ts';
import type { CacheConfig } from './options.ts';
import { beginFlight, claim, type Run, runHandler, type Sharing } from './run.ts';
import type { Outcome } from './shared.ts';
import { isWhole, type Stored } from './stale.ts';
import { readWhole } from './content.ts';
import { attachHandle } from './handle.ts';
import { repetitionOf } from './synthetic.ts';
import type { Located } from './vary.ts';

/** A handler run that makes a stale response anew, while the stale one is served. */
interface Refresh {
  readonly config: CacheConfig;
  readonly address: string;
  /** Where the route stands. Another place of the same middleware would answer otherwise. */
  readonly baseUrl: string;
  readonly run: Run;
  readonly sharing: Sharing;
  hasArrived: boolean;
  hasSettled: boolean;
}

const refreshes = new WeakMap<object, Refresh>();

/** One that takes longer is given up, and so many at a time are made at most. */
const MAX_REFRESH_MS = 30_000;
const MAX_REFRESHES = 100;

/** Whether a request was made by the cache to refresh a stale response, and nobody waits for its answer: limits and logs may leave it out. */
export function isRefresh(req: IncomingMessage): boolean {
  return refreshes.has(req);
}

/** Sees to it that a stale response which is about to be served is made anew. False: that cannot be done behind the client's back. */
export function refreshBehind(exchange: Exchange, lookup: Located, stored: Stored): boolean {
  const { req, state, flightKey, config } = exchange;
  const { refreshing } = state;
  if (refreshing.has(flightKey) || state.refreshPaused.has(flightKey)) return true;
  if (state.flights.find(flightKey) !== undefined) return true;
  // The body of a QUERY has been read, and cannot be sent again.
  if (req.method === 'QUERY' || state.unreachable.has(config)) return false;
  // The application takes requests of HTTP/2, and the one that would be made is none.
  if (req.httpVersionMajor > 1) return false;
  if (lookup.stamp === undefined || refreshing.size >= MAX_REFRESHES) return true;
  const share = beginFlight(exchange, lookup.stamp);
  const run: Run = { lookup, stamp: lookup.stamp, forward: 'stale', basis: stored };
  refreshing.add(flightKey);
  refresh(exchange, run, share)
    .catch((error: unknown) => state.backend.events.report('cache: refresh', error))
    .finally(() => {
      refreshing.delete(flightKey);
      share('refused');
    });
  return true;
}

async function refresh(exchange: Exchange, run: Run, share: (outcome: Outcome) => void): Promise<void> {
  const { req, state, config, key, flightKey } = exchange;
  const { baseUrl } = req;
  const repetition = repetitionOf(req);
  await nextTurn(); // The stale response goes first.
  const lookup = { ...run.lookup, deadlineAt: Infinity }; // Nobody waits.
  const basis = run.basis && !isWhole(run.basis.entry) ? await readWhole(exchange, lookup) : run.basis;
  const claimed = config.coalesce === 'process' ? undefined : await claim(exchange, lookup);
  if (claimed === 'refused') state.refreshPaused.set(flightKey, true);
  if (claimed === 'again' || claimed === 'refused') return share('again');
  const sharing: Sharing = {
    share,
    settle(outcome) {
      begun.hasSettled = true;
      if (outcome !== 'stored') state.refreshPaused.set(flightKey, true);
      claimed?.settle(outcome);
    },
  };
  const begun: Refresh = {
    config,
    address: key.address,
    baseUrl,
    run: { ...run, basis },
    sharing,
    hasArrived: false,
    hasSettled: false,
  };
  refreshes.set(repetition.request, begun);
  await repetition.send(MAX_REFRESH_MS);
  if (!begun.hasArrived) {
    state.unreachable.set(config, true);
    claimed?.settle('left');
  } else if (!begun.hasSettled) sharing.settle('failed');
}

/** A request that is a refresh runs the handler of the cache that made it. Other caches on its way stay out of it. Returns whether it was one. */
export function continueRefresh(base: ExchangeBase): boolean {
  const refresh = refreshes.get(base.req);
  if (refresh === undefined) return false;
  const { req, res, config } = base;
  const isHere = refresh.config === config && refresh.baseUrl === req.baseUrl && !refresh.hasArrived;
  const exchange = isHere ? openExchange(base) : undefined;
  if (exchange?.key.address !== refresh.address) {
    attachHandle(res);
    base.next();
  } else {
    refresh.hasArrived = true;
    runHandler(exchange, refresh.run, refresh.sharing);
  }
  return true;
}
