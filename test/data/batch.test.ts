import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createBatch } from '../../src/data/batch.ts';
import type { LoadContext } from '../../src/data/data.ts';

const contextOf = (key: string, signal: AbortSignal = new AbortController().signal): LoadContext<string> =>
  ({ key, signal }) as LoadContext<string>;

describe('a batch', () => {
  it('loads once all of its keys have come to load, or passed', async () => {
    const asked: (readonly string[])[] = [];
    const { load, pass } = createBatch<string>(
      ['a', 'b', 'c'],
      (keys) => {
        asked.push(keys);
        return keys.map((key) => `<${key}>`);
      },
      String,
    );
    const c = load(contextOf('c'));
    const a = load(contextOf('a'));
    await nextTurn();
    expect(asked).toEqual([]);
    pass('b');
    expect([await a, await c]).toEqual(['<a>', '<c>']);
    pass('b');
    expect(asked).toEqual([['a', 'c']]);
  });

  it('gathers those who come to load later', async () => {
    const asked: (readonly string[])[] = [];
    const { load, pass } = createBatch<string>(
      ['a', 'b'],
      (keys) => {
        asked.push(keys);
        return new Map(keys.map((key) => [key, key]));
      },
      String,
    );
    pass('a');
    pass('b'); // They waited for others, in vain.
    const late = [load(contextOf('a')), load(contextOf('b'))];
    expect([await late[0], await late[1]]).toEqual(['a', 'b']);
    expect(asked).toEqual([['a', 'b']]);
  });

  it('is told to stop once nobody wants any of it', async () => {
    let signal: AbortSignal | undefined;
    const left = new AbortController();
    const { load } = createBatch<string>(
      ['a', 'b'],
      async (keys, context) => {
        ({ signal } = context);
        await nextTurn();
        return keys.map(String);
      },
      String,
    );
    const loading = [load(contextOf('a', AbortSignal.abort())), load(contextOf('b', left.signal))];
    await nextTurn();
    expect(signal?.aborted).toBe(false);
    left.abort();
    expect(signal?.aborted).toBe(true);
    await loading[1];
  });
});
