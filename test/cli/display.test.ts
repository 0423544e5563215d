import { describe, expect, it } from '@jest/globals';
import { lineOf } from '../../src/cli/display.ts';

const progress = { state: 'running', done: 0, failed: 0, resumedFrom: 0, rate: 0, errors: [] } as const;

describe('the line of the command', () => {
  it('shows how far it is, how fast, and how long it will take', () => {
    expect(lineOf({ ...progress, done: 118, failed: 2, total: 360, rate: 85.4, etaMs: 2_810 })).toBe(
      '[##########--------------------] 120/360 33% · 2 failed · 85/s · 3 s left',
    );
  });

  it('does without what is not known', () => {
    expect(lineOf({ ...progress, done: 7, rate: 1.25 })).toBe('7 · 1.3/s');
    expect(lineOf({ ...progress, total: 0 })).toBe('[##############################] 0/0 100% · 0.0/s');
  });

  it('fits into the terminal', () => {
    expect(lineOf({ ...progress, done: 7, total: 9 }, 20)).toHaveLength(19);
  });
});
