import { afterEach, expect, it, jest } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { waitFor } from '../../src/data/patience.ts';

afterEach(() => void jest.useRealTimers());

it('who waited leaves no timer and no listener behind', async () => {
  jest.useFakeTimers();
  const { signal } = new AbortController();
  const none = (): undefined => undefined;
  const patience = {
    key: 'k',
    softMs: Infinity,
    hardMs: 60_000,
    signal,
    standIn: undefined,
    onLeave: none,
    onLateFailure: none,
  };
  expect(await waitFor(Promise.resolve(1), patience)).toBe(1);
  expect([jest.getTimerCount(), getEventListeners(signal, 'abort')]).toEqual([0, []]);
});
