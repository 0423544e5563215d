import type { LimitCall, LimitStore } from './store.ts';

/** The leases of one admission. */
export interface HeldLeases {
  /** Gives them back. */
  release(): Promise<void>;
  /** They are given back otherwise. */
  stop(): void;
}

/** Keeps leases alive until they are given back. `undefined`: the admission has none. */
export function holdLeases(store: LimitStore, { id, names, policies }: LimitCall): HeldLeases | undefined {
  if (!policies.some(({ algorithm }) => algorithm === 'concurrency')) return undefined;
  const held = policies.flatMap((policy, i) => {
    const name = names[i];
    return policy.algorithm === 'concurrency' && name !== undefined ? [{ policy, name }] : [];
  });
  const shortestMs = Math.min(...held.map(({ policy }) => policy.windowUs)) / 1_000;
  const timer = setInterval(renew, Math.min(shortestMs / 3, 2 ** 31 - 1)).unref();
  let isReleased = false;

  function renew(): void {
    for (const { name, policy } of held) store.renew(name, id, policy.windowUs).catch(() => undefined);
  }
  function stop(): void {
    isReleased = true;
    clearInterval(timer);
  }

  return {
    stop,
    async release() {
      if (isReleased) return;
      stop();
      const given = { names: held.map(({ name }) => name), policies: held.map(({ policy }) => policy) };
      await store.refund(given, { atUs: 0, id }).catch(() => undefined); // Redis is away: they expire.
    },
  };
}
