import { randomUUID } from 'node:crypto';
import type { Connection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import type { Stamp } from '../register/mirror.ts';
import { createSubscriber } from '../redis/subscriber.ts';
import { askForLease } from './ask-for-lease.lua.ts';
import { writingOf } from './entry.ts';
import { renewLease } from './renew-lease.lua.ts';
import { settleLease } from './settle-lease.lua.ts';
import { TOMBSTONE_MS } from './store.ts';

/**
 * How a computation ended: `stored`, look again; `refused`, it cannot be shared, nor can the next, probably; `failed`, this one cannot be shared; `left`, nobody needs
 * it any more who began it, and another may take its place.
 */
export type LeaseOutcome = 'stored' | 'refused' | 'failed' | 'left';

/** Answer to a process that wants to compute an entry. */
export type Lease =
  | {
      readonly state: 'mine';
      /** Names the latest `put` or `remove` at the address. */
      readonly version: string;
      /** Lets those who wait go on. To be called however the computation ended; until then the lease is renewed. */
      settle(outcome: LeaseOutcome): void;
    }
  | {
      readonly state: 'theirs';
      /** Resolves how it ended, or after a moment without an answer: then ask again. */
      readonly ended: Promise<LeaseOutcome | undefined>;
    }
  /** The entry is not what the asker has seen: look again. */
  | { readonly state: 'changed' }
  /** Redis is away: compute without one. */
  | { readonly state: 'unavailable' };

/** What a lease is asked for with. */
interface LeaseRequest {
  /** Groups of one address compute beside each other. Default: one. */
  readonly group?: string;
  /** What the asker's lookup found at the address. */
  readonly seen: Buffer | undefined;
  /** When its computation begins. */
  readonly stamp?: Stamp | undefined;
  /** Whether what another began to compute at a stamp is of use: else the lease is taken over. Default: it is. */
  isOfUse?(stamp: Stamp): boolean;
  /** Makes sure that `version` is a name. Default: it may be empty. */
  readonly mark?: boolean;
  /** A computation that takes longer is not waited for any more. Default: 5 s. */
  readonly maxHeldMs?: number;
}

/**
 * One computation at a time over all processes. Leases save work and nothing rests on them: one that is lost costs a second computation, one whose owner died delays
 * others until it has run out.
 */
export interface Leases {
  /** Asks for the lease of an address. */
  ask(address: string, request: LeaseRequest): Promise<Lease>;
  /** Someone uses it from now on: it may open what helps it. */
  open(): void;
  /** Closes the connection that listens. Leases go on without it, slower. */
  close(): void;
}

const TTL_MS = 3_000;
const MAX_HELD_MS = 5_000;
/** Messages may be lost: so often whoever waits asks again. */
const POLL_MS = 100;

/** Creates the leases of one prefix in Redis. */
export function createLeases({ client, guard, turn }: Connection, keys: Keys): Leases {
  const inbox = keys.inbox(randomUUID());
  const waiting = new Map<string, Set<(outcome: LeaseOutcome | undefined) => void>>();
  const subscriber = createSubscriber(client, inbox, (message) => {
    const at = message.indexOf(' ');
    tell(message.slice(at + 1), message.slice(0, at) as LeaseOutcome);
  });
  let asked = 0;
  let isOpen = true;

  function tell(lease: string, outcome: LeaseOutcome): void {
    for (const resolve of waiting.get(lease) ?? []) resolve(outcome);
  }

  /** Listens for how a lease ends, from before it is asked for: what is told while the answer is on its way is not missed. */
  function listen(lease: string): {
    readonly ended: () => Promise<LeaseOutcome | undefined>;
    readonly stop: () => void;
  } {
    const waiters = waiting.get(lease) ?? new Set();
    waiting.set(lease, waiters);
    let finish: (outcome: LeaseOutcome | undefined) => void = () => undefined;
    const told = new Promise<LeaseOutcome | undefined>((resolve) => {
      finish = resolve;
    });
    waiters.add(finish);
    const stop = (): void => {
      waiters.delete(finish);
      if (waiters.size === 0 && waiting.get(lease) === waiters) waiting.delete(lease);
    };
    return {
      stop,
      async ended() {
        if (isOpen) subscriber.start();
        const timer = setTimeout(finish, POLL_MS, undefined);
        const outcome = await told;
        clearTimeout(timer);
        stop();
        return outcome;
      },
    };
  }

  /** Renews the lease until it is settled. */
  function hold(
    places: { readonly lease: string; readonly tombstone: string },
    owner: string,
    { version, maxHeldMs }: { readonly version: string; readonly maxHeldMs: number },
  ): Lease {
    const { lease } = places;
    const giveUpAt = performance.now() + maxHeldMs;
    const renewal = setInterval(() => {
      if (performance.now() > giveUpAt) return giveBack('failed', 0);
      void guard({ operation: 'renew lease', key: lease, fallback: () => 0 }, () =>
        renewLease(client, { lease }, { owner, ttlMs: TTL_MS }),
      );
    }, TTL_MS / 3).unref();
    /** The name stays for what is on its way to the store: that takes it away. */
    function settle(outcome: LeaseOutcome): void {
      giveBack(outcome, outcome === 'stored' ? 0 : 1);
    }
    function giveBack(outcome: LeaseOutcome, isOver: 0 | 1): void {
      clearInterval(renewal);
      void guard({ operation: 'settle lease', key: lease, fallback: () => 0 }, () =>
        settleLease(client, places, { owner, message: `${outcome} ${lease}`, isOver }),
      );
      turn.hurry(); // And what was stored, before it: those who have waited here keep the rest of the turn busy.
    }
    return { state: 'mine', version, settle };
  }

  function send(
    address: string,
    { lease, ...who }: { readonly lease: string; readonly owner: string; readonly over: string },
    { seen, stamp, mark = false }: LeaseRequest,
  ): Promise<string[]> {
    const places = { lease, entry: keys.entry(address), tombstone: keys.tombstone(address) };
    const args = {
      ...who,
      inbox,
      ttlMs: TTL_MS,
      seen: writingOf(seen),
      stamp: toText(stamp),
      markMs: mark ? TOMBSTONE_MS : 0,
    };
    const call = { operation: 'ask for lease', key: lease, fallback: () => ['unavailable'] };
    const answer = guard(call, async () => (await askForLease(client, places, args)) as string[]);
    turn.hurry(); // Many may be about to wait for the same, which keeps the rest of the turn busy.
    return answer;
  }

  return {
    async ask(address, request) {
      const lease = keys.lease(address, request.group ?? '');
      const owner = `${inbox}:${++asked}`;
      const listening = listen(lease);
      const [state, holderOrVersion = '', stamp = ''] = await send(address, { lease, owner, over: '' }, request);
      const [taken, version = ''] =
        state === 'theirs' && request.isOfUse?.(fromText(stamp)) === false
          ? await send(address, { lease, owner, over: holderOrVersion }, request)
          : [state, holderOrVersion];
      if (taken === 'theirs') return { state: taken, ended: listening.ended() };
      listening.stop();
      if (taken === 'mine')
        return hold({ lease, tombstone: keys.tombstone(address) }, owner, {
          version,
          maxHeldMs: request.maxHeldMs ?? MAX_HELD_MS,
        });
      return { state: taken === 'changed' ? 'changed' : 'unavailable' };
    },
    open() {
      isOpen = true;
    },
    close() {
      isOpen = false; // Requests that still wait ask again and again instead.
      subscriber.close();
    },
  };
}

function toText(stamp: Stamp | undefined): string {
  return stamp === undefined ? '' : `${stamp.generation} ${stamp.clock}`;
}

/** What is no stamp is of no use: its numbers are not. */
function fromText(text: string): Stamp {
  const [generation = NaN, clock = NaN] = text.split(' ').map(Number);
  return { generation, clock };
}
