import type { Rules } from './policy.ts';

/** What was used since the window began. */
export interface FixedWindow {
  readonly startUs: number;
  readonly used: number;
}

/** Counts from a client's first request on, and begins anew when the window has passed. Around that edge up to twice the limit passes within one window's length. */
export const fixedWindow: Rules<FixedWindow> = {
  newestOf: ({ startUs }) => startUs,
  look(window, { limit, windowUs, cost }, nowUs) {
    const live = liveWindow(window, windowUs, nowUs);
    const used = live?.used ?? 0;
    const endUs = (live?.startUs ?? nowUs) + windowUs;
    const fits = used + cost <= limit;
    return {
      fits,
      remaining: Math.max(0, limit - used),
      retryAtUs: fits ? 0 : cost > limit ? -1 : endUs,
      resetAtUs: used > 0 ? endUs : 0,
    };
  },
  take(window, { windowUs, cost }, { atUs }) {
    const live = liveWindow(window, windowUs, atUs) ?? { startUs: atUs, used: 0 };
    return { startUs: live.startUs, used: live.used + cost };
  },
  refund(window, { cost }, { atUs }) {
    return atUs < window.startUs ? window : { startUs: window.startUs, used: Math.max(0, window.used - cost) };
  },
  expiresAt: ({ startUs }, { windowUs }) => startUs + windowUs,
};

function liveWindow(window: FixedWindow | undefined, windowUs: number, nowUs: number): FixedWindow | undefined {
  return window === undefined || nowUs >= window.startUs + windowUs ? undefined : window;
}
