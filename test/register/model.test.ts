import { describe, expect, it } from '@jest/globals';
import { checkModel, type Mutant, type Scenario } from './model-checker.ts';

const NOTHING: Scenario = {
  processes: 2,
  reads: 2,
  writes: 1,
  strangers: 0,
  evictions: 0,
  losses: 0,
  cap: 100,
  hasMemory: false,
};

const SCENARIOS = {
  'an eviction': { ...NOTHING, evictions: 1 },
  'three reads': { ...NOTHING, reads: 3 },
  'two writes': { ...NOTHING, writes: 2 },
  'three processes': { ...NOTHING, processes: 3 },
  'a register that is lost': { ...NOTHING, losses: 1 },
  'a register that keeps no records': { ...NOTHING, cap: 0, strangers: 1 },
  'entries in memory': { ...NOTHING, hasMemory: true, evictions: 1 },
} satisfies Record<string, Scenario>;

/** Every fault shows in a scenario that shows nothing without it. */
const MUTANTS: Record<Mutant, keyof typeof SCENARIOS> = {
  'token taken at store time': 'an eviction',
  'no generation check': 'a register that is lost',
  'no floor on pruning': 'a register that keeps no records',
  'no delta in strong mode': 'an eviction',
  'joins a delta sent before the read': 'three reads',
  'memory hit without delta': 'entries in memory',
};

describe('every interleaving of two reads and a write', () => {
  it.each(Object.entries(SCENARIOS))('with %s serves nothing older than what was invalidated before', (_, scenario) => {
    const { violation, hits } = checkModel(scenario);
    expect(violation).toBeUndefined();
    expect(hits).toBeGreaterThan(0); // Else nothing was put to the test.
  });

  it.each(Object.entries(MUTANTS) as [Mutant, keyof typeof SCENARIOS][])('shows the fault "%s"', (mutant, name) => {
    const { violation } = checkModel(SCENARIOS[name], mutant);
    expect(violation).toContainEqual(expect.stringMatching(/^hit \d, must see \d$/));
  });
});
