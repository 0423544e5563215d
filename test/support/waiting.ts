import { setTimeout as sleep } from 'node:timers/promises';

/** A gate that others wait at until it is opened. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

/** Waits until something holds; fails after twenty seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error('It did not happen within twenty seconds.');
    await sleep(5);
  }
}
