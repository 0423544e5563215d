import { expect, it } from '@jest/globals';
import { toWarmConfig } from '../../src/warm/config.ts';
import type { WarmedCache, WarmItem } from '../../src/warm/plan.ts';
import { openSource } from '../../src/warm/source.ts';

it('has items closed that were being asked when it was closed', async () => {
  let isOpen = false;
  let go: () => void = () => undefined;
  async function* generate(): AsyncGenerator<WarmItem> {
    isOpen = true;
    try {
      await new Promise<void>((resolve) => (go = resolve));
      yield { key: 'k', load: () => 1 };
    } finally {
      isOpen = false;
    }
  }
  const beginning = { from: undefined, signal: new AbortController().signal };
  const source = await openSource(toWarmConfig(generate(), {}), {} as WarmedCache, beginning);
  const taken = source.take();
  await new Promise(setImmediate);
  await source.close();
  expect(isOpen).toBe(true);
  go();
  await taken;
  expect(isOpen).toBe(false);
});
