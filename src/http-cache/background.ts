import type { IncomingMessage } from 'node:http';
import { type Exchange, type ExchangeBase, openExchange } from './exchange.ts';
import type { CacheConfig } from './options.ts';
import { beginFlight, claim, type Run, runHandler, type Sharing } from './run.ts';
import type { Outcome } from './shared.ts';
import { isWhole, type Stored } from './stale.ts';
import { readWhole } from './content.ts';
import { repeatRequest } from './synthetic.ts';
import type { Located } from './vary.ts';

/** A handler run that makes a stale response anew, while the stale one is served. */
interface Refresh {
  readonly config: CacheConfig;
  readonly address: string;
  readonly run: Run;
  readonly sharing: Sharing;
  hasArrived: boolean;
  hasSettled: boolean;
}

const refreshes = new WeakMap<object, Refresh>();

/** One that takes longer is given up, and so many at a time are made at most. */
const MAX_REFRESH_MS = 30_000;
const MAX_REFRESHES = 100;
let underWay = 0;

/** Whether a request was made by the cache to refresh a stale response, and nobody waits for its answer: limits and logs may leave it out. */
export function isRefresh(req: IncomingMessage): boolean {
  return refreshes.has(req);
}

/** Sees to it that a stale response which is about to be served is made anew. False: that cannot be done behind the client's back. */
export function refreshBehind(exchange: Exchange, lookup: Located, stored: Stored): boolean {
  const { state, flightKey, config } = exchange;
  if (state.flights.find(flightKey) !== undefined || state.refreshPaused.has(flightKey)) return true;
  if (state.unreachable.has(config)) return false;
  if (lookup.stamp === undefined || underWay >= MAX_REFRESHES) return true;
  const share = beginFlight(exchange, lookup.stamp);
  const run: Run = { lookup, stamp: lookup.stamp, forward: 'stale', basis: stored };
  underWay++;
  refresh(exchange, run, share)
    .catch((error: unknown) => state.backend.events.report('cache: refresh', error))
    .finally(() => {
      underWay--;
      share('refused');
    });
  return true;
}

async function refresh(exchange: Exchange, run: Run, share: (outcome: Outcome) => void): Promise<void> {
  const { req, state, config, key, flightKey } = exchange;
  const basis = run.basis && !isWhole(run.basis.entry) ? await readWhole(exchange, run.lookup.address) : run.basis;
  const claimed = config.coalesce === 'process' ? undefined : await claim(exchange, run.lookup);
  if (claimed === 'again' || claimed === 'refused') return share('again');
  const sharing: Sharing = {
    share,
    settle(outcome) {
      begun.hasSettled = true;
      if (outcome === 'refused') state.refreshPaused.set(flightKey, true);
      claimed?.settle(outcome);
    },
  };
  const begun: Refresh = {
    config,
    address: key.address,
    run: { ...run, basis },
    sharing,
    hasArrived: false,
    hasSettled: false,
  };
  await repeatRequest(req, MAX_REFRESH_MS, (request) => refreshes.set(request, begun));
  if (!begun.hasArrived) state.unreachable.add(config);
  if (!begun.hasSettled) sharing.settle('refused');
}

/** A request that is a refresh runs the handler of the cache that made it. Other caches on its way stay out of it. Returns whether it was one. */
export function continueRefresh(base: ExchangeBase): boolean {
  const refresh = refreshes.get(base.req);
  if (refresh === undefined) return false;
  const exchange = refresh.config === base.config && !refresh.hasArrived ? openExchange(base) : undefined;
  if (exchange?.key.address !== refresh.address) base.next();
  else {
    refresh.hasArrived = true;
    runHandler(exchange, refresh.run, refresh.sharing);
  }
  return true;
}
