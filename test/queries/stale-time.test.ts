import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { staleTimeOf } from '../../src/queries/stale-time.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toUTCString();

describe('the stale time of a response', () => {
  beforeEach(() => void jest.useFakeTimers({ now: NOW }));
  afterEach(() => void jest.useRealTimers());

  it.each<[string, Record<string, string>, number]>([
    ['its max-age', { 'Cache-Control': 'max-age=60' }, 60_000],
    ['less its age', { 'Cache-Control': 'public, max-age=60', Age: '45' }, 15_000],
    ['nothing when it is past it', { 'Cache-Control': 'max-age=60', Age: '61' }, 0],
    ['less the time since its date', { 'Cache-Control': 'max-age=60', Date: at(-20), Age: '5' }, 40_000],
    ['nothing of a date to come', { 'Cache-Control': 'max-age=60', Date: at(20) }, 60_000],
    ['of a browser, not of shared caches', { 'Cache-Control': 's-maxage=600, Max-Age="30"' }, 30_000],
    ['nothing without max-age', { 'Cache-Control': 's-maxage=600' }, 0],
    ['nothing with no-store', { 'Cache-Control': 'no-store, max-age=60' }, 0],
    ['nothing with no-cache', { 'Cache-Control': 'max-age=60, no-cache' }, 0],
    ['nothing when it is no number', { 'Cache-Control': 'max-age=-1', Expires: at(60) }, 0],
    ['the first of two', { 'Cache-Control': 'max-age=1, max-age=60' }, 1_000],
    ['not what is quoted', { 'Cache-Control': 'x="a, no-store", max-age=5' }, 5_000],
    ['until it expires', { Expires: at(30), Date: at(0) }, 30_000],
    ['until it expires, less its age', { Expires: at(20), Date: at(-10) }, 20_000],
    ['nothing when it expires at no date', { Expires: '0', Date: at(0) }, 0],
    ['max-age before Expires', { 'Cache-Control': 'max-age=5', Expires: at(60), Date: at(0) }, 5_000],
    ['nothing without a word', {}, 0],
  ])('is %s', (_what, headers, expected) => {
    expect(staleTimeOf(new Response('', { headers }))).toBe(expected);
    expect(staleTimeOf(new Headers(headers))).toBe(expected);
  });
});
