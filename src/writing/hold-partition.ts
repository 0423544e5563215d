import type { WriteLog } from './write-log.ts';

/** A partition that this process works on. */
export interface Hold {
  readonly fence: string;
  /** Aborted once the partition is lost, or may be. */
  readonly signal: AbortSignal;
  /** Whether the lease cannot have run out yet, by the clock of this process. */
  isValid(): boolean;
  /** Ends the renewals. */
  end(): void;
}

/**
 * Keeps a claimed partition for as long as it is worked on. `askedAt` is when its claim was sent: the lease began then at the earliest. When renewals fail for so long that it may have run
 * out, it counts as lost, whether Redis says so or not.
 */
export function holdPartition(
  log: WriteLog,
  lease: { readonly partition: number; readonly fence: string; readonly leaseMs: number; readonly askedAt: number },
): Hold {
  const { partition, fence, leaseMs } = lease;
  const lost = new AbortController();
  let validUntil = lease.askedAt + leaseMs;

  const isValid = (): boolean => !lost.signal.aborted && performance.now() < validUntil;

  async function renew(): Promise<void> {
    const sentAt = performance.now();
    try {
      if (await log.renew(partition, fence)) validUntil = sentAt + leaseMs;
      else lost.abort();
    } catch {
      // Redis is away: the next renewal may come in time.
    }
    if (!isValid()) lost.abort();
  }

  const timer = setInterval(() => void renew(), leaseMs / 4);
  timer.unref();
  return { fence, signal: lost.signal, isValid, end: () => clearInterval(timer) };
}
