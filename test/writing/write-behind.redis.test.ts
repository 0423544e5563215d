import { describe, expect, it } from '@jest/globals';
import { WriteBehindClosedError, WriteBehindFullError } from '../../src/core/errors.ts';
import { eventually } from '../support/outages.ts';
import { BACKENDS } from '../data/backends.ts';
import { collect, createSink, openBehind } from './write-behinds.ts';

describe.each(BACKENDS)('a write-behind on %s', (_name, connect) => {
  const redis = connect();

  it('answers with what waits, then with what was written', async () => {
    const sink = createSink<{ n: number }>();
    const { behind, cache } = openBehind(redis, { write: sink.write });
    await behind.set('a', { n: 1 });
    await cache.delete('a');
    expect(await behind.get('a')).toEqual({ n: 1 });
    expect([await behind.pending(), sink.batches.length]).toEqual([1, 0]);
    expect(await behind.drain()).toBe(true);
    expect(sink.all()).toEqual([['a', { n: 1 }]]);
    expect([await behind.pending(), await behind.get('a')]).toEqual([0, { n: 1 }]);
    expect(await behind.get('b')).toBeUndefined();
  });

  it('caches what it was given and what it has written, not what a reader loaded in between', async () => {
    const { behind, cache } = openBehind<string>(redis, { write: createSink<string>().write });
    await behind.set('a', 'new');
    expect(await cache.get('a')).toBe('new');
    await cache.delete('a');
    await cache.getOrSet('a', () => 'old, read before it was written');
    expect(await behind.get('a')).toBe('new');
    await behind.drain();
    expect([await cache.get('a'), await behind.get('a')]).toEqual(['new', 'new']);
  });

  it('writes deletions as such, in their turn', async () => {
    const sink = createSink<number>();
    const { behind, cache } = openBehind(redis, { write: sink.write, collapse: 'none', partitions: 1 });
    await behind.set('a', 1);
    await behind.delete('a');
    expect([await behind.get('a'), await cache.get('a')]).toEqual([undefined, undefined]);
    await behind.set('b', 2);
    await behind.drain();
    expect(sink.batches.flat().map(({ key, value, deleted }) => [key, value, deleted])).toEqual([
      ['a', 1, undefined],
      ['a', undefined, true],
      ['b', 2, undefined],
    ]);
    expect(await behind.get('a')).toBeUndefined();
  });

  it('writes the last of several changes of a key, or all of them in order', async () => {
    const last = createSink<number>();
    const all = createSink<number>();
    const one = openBehind(redis, { write: last.write, partitions: 1 });
    const other = openBehind(redis, { write: all.write, partitions: 1, collapse: 'none' });
    for (const behind of [one.behind, other.behind]) {
      await Promise.all([behind.set('a', 1), behind.set('b', 1), behind.set('a', 2), behind.set('a', 3)]);
      await behind.drain();
    }
    expect(Object.fromEntries(last.all())).toEqual({ a: 3, b: 1 });
    expect(last.all()).toHaveLength(2);
    expect(all.all().filter(([key]) => key === 'a')).toEqual([1, 2, 3].map((n) => ['a', n]));
  });

  it('writes as soon as a batch is full, and what is left after the interval', async () => {
    const full = createSink<number>();
    const { behind } = openBehind(redis, { write: full.write, partitions: 1, batchSize: 3 });
    for (const n of [1, 2, 3, 4]) await behind.set(`k${n}`, n);
    await eventually('a batch', () => full.batches[0]);
    expect(full.batches[0]).toHaveLength(3);
    await eventually('it to be settled', async () => ((await behind.pending()) === 1 ? true : undefined));

    const soon = createSink<number>();
    const quick = openBehind(redis, { write: soon.write, flushInterval: '20ms' });
    await quick.behind.set('k', 1);
    await eventually('the interval', () => soon.batches[0]);
  });

  it('tries a batch again, and has what comes after it wait', async () => {
    let failures = 3;
    const sink = createSink<number>(() => (failures-- > 0 ? 'storage is away' : undefined));
    const { behind, backend } = openBehind(redis, { write: sink.write, partitions: 1, collapse: 'none', batchSize: 2 });
    const attempts: number[] = [];
    backend.events.on('write:failed', ({ attempt }) => attempts.push(attempt));
    for (const n of [1, 2, 3]) await behind.set('a', n);
    expect(await behind.drain()).toBe(true);
    expect(sink.all().map(([, n]) => n)).toEqual([1, 2, 3]);
    expect(attempts).toEqual([1, 2, 3]);
    expect(behind.stats()).toEqual({ recorded: 3, rejected: 0, written: 3, failures: 3, dead: 0, lost: 0 });
  });

  it('gives up the record that fails, and writes the others', async () => {
    const sink = createSink<number>((batch) => (batch.some(({ value }) => value === 13) ? 'unlucky' : undefined));
    const { behind, backend, cache } = openBehind(redis, { write: sink.write, partitions: 1, attempts: 2 });
    const dead: string[] = [];
    backend.events.on('write:dead', ({ key }) => dead.push(key));
    for (const [key, n] of Object.entries({ a: 1, b: 13, c: 3 })) await behind.set(key, n);
    expect(await behind.drain()).toBe(true);
    expect(sink.all()).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
    const expected = { key: 'b', value: 13, error: 'unlucky', attempts: 3, isReplaced: false };
    expect(await collect(behind.deadLetters())).toEqual([{ ...expected, at: expect.any(Date) as unknown }]);
    expect(dead).toEqual(['b']);
    expect(await cache.get('b')).toBeUndefined(); // It never became so.
  });

  it('writes dead letters once more when asked, but not over something newer', async () => {
    let isAway = true;
    const sink = createSink<number>(() => (isAway ? 'storage is away' : undefined));
    const { behind } = openBehind(redis, { write: sink.write, attempts: 1 });
    await behind.set('a', 1);
    await behind.set('b', 1);
    await behind.drain();
    isAway = false;
    await behind.set('a', 2);
    await behind.drain();
    expect((await collect(behind.deadLetters())).map(({ key, isReplaced }) => [key, isReplaced])).toEqual(
      expect.arrayContaining([
        ['a', true],
        ['b', false],
      ]),
    );
    expect(await behind.retryDeadLetters()).toBe(1);
    expect(await behind.get('b')).toBe(1);
    await behind.drain();
    expect(sink.all()).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(await collect(behind.deadLetters())).toEqual([]);
  });

  it('discards dead letters when asked', async () => {
    const { behind } = openBehind(redis, { write: createSink(() => 'never').write, attempts: 1 });
    await behind.set('a', 1);
    await behind.drain();
    expect(await behind.discardDeadLetters()).toBe(1);
    expect([await collect(behind.deadLetters()), await behind.retryDeadLetters()]).toEqual([[], 0]);
  });

  it('drops no dead letter to make room for another: the partition waits', async () => {
    let isAway = true;
    const sink = createSink<number>(() => (isAway ? 'storage is away' : undefined));
    const { behind, backend } = openBehind(redis, {
      write: sink.write,
      attempts: 1,
      maxDeadLetters: 1,
      partitions: 1,
      backoff: 0,
    });
    let attempts = 0;
    backend.events.on('write:failed', ({ attempt }) => (attempts = attempt));
    await behind.set('a', 1);
    await behind.set('b', 2);
    await eventually('many attempts', async () => {
      expect(await behind.drain({ timeout: '50ms' })).toBe(false);
      return attempts > 15 || undefined;
    });
    expect([await behind.pending(), (await collect(behind.deadLetters())).length]).toEqual([1, 1]);
    isAway = false;
    await behind.drain();
    expect(sink.all()).toEqual([['b', 2]]); // None of these attempts has ended the process.
    await behind.retryDeadLetters();
    await behind.drain();
    expect(Object.fromEntries(sink.all())).toEqual({ a: 1, b: 2 });
  });

  it('refuses what a partition has no room for, or lets it wait', async () => {
    const sink = createSink<number>();
    const { behind } = openBehind(redis, { write: sink.write, partitions: 1, maxPending: 2, batchSize: 100 });
    await behind.set('a', 1);
    await behind.set('b', 1);
    const full = await behind.set('c', 1).catch((error: unknown) => error);
    expect(full).toBeInstanceOf(WriteBehindFullError);
    expect(full).toMatchObject({ status: 503, code: 'ERR_WRITE_BEHIND_FULL' });
    await behind.drain();
    expect(sink.all().map(([key]) => key)).not.toContain('c');

    const patient = createSink<number>();
    const options = { write: patient.write, partitions: 1, maxPending: 2, batchSize: 2, onFull: 'wait' } as const;
    const waiting = openBehind(redis, options);
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key, i) => waiting.behind.set(key, i)));
    await waiting.behind.drain();
    expect(
      patient
        .all()
        .map(([key]) => key)
        .toSorted(),
    ).toEqual(keys.toSorted());
  });

  it('writes what waits before it is closed, and takes no more', async () => {
    const sink = createSink<number>();
    const { behind } = openBehind(redis, { write: sink.write, closeTimeout: '5s' });
    const under = behind.set('a', 1);
    await behind.set('b', 2);
    const closed = behind.close();
    await expect(behind.set('c', 3)).rejects.toThrow(WriteBehindClosedError);
    await Promise.all([under, closed]);
    expect(Object.fromEntries(sink.all())).toEqual({ a: 1, b: 2 });

    const recorder = openBehind(redis, { write: sink.write, consumer: 'off', closeTimeout: '5s' });
    const ends: string[] = [];
    const recorded = recorder.behind.set('a', 1).then(() => ends.push('recorded'));
    await recorder.behind.close().then(() => ends.push('closed'));
    await recorded;
    expect(ends).toEqual(['recorded', 'closed']);
  });

  it('does not wait for ever to be closed', async () => {
    const { behind } = openBehind(redis, { write: () => new Promise(() => undefined), closeTimeout: '50ms' });
    await behind.set('a', 1);
    const drained = behind.drain({ timeout: '30ms' });
    await behind.close();
    expect(await drained).toBe(false);
  });

  it('tells `write` what it needs to know', async () => {
    const contexts: unknown[] = [];
    const { behind } = openBehind<number>(redis, { write: (_batch, context) => contexts.push(context), partitions: 1 });
    await behind.set('a', 1);
    await behind.drain();
    expect(contexts).toEqual([
      { partition: 0, fence: expect.any(Number), attempt: 1, signal: expect.any(AbortSignal) },
    ]);
    expect(Number.isSafeInteger((contexts[0] as { fence: number }).fence)).toBe(true);
  });

  it('refuses a value that has no JSON form, a key that is no text, a name that is in use, and times that no timer takes', async () => {
    const { behind, backend, cache } = openBehind(redis, { write: () => undefined });
    await expect(behind.set('a', () => 1)).rejects.toThrow(TypeError);
    await expect(behind.set(1 as unknown as string, 1)).rejects.toThrow(TypeError);
    const { createWriteBehind } = await import('../../src/writing/write-behind.ts');
    expect(() => createWriteBehind(backend, cache, 'test', { write: () => undefined })).toThrow(/another name/);
    for (const option of ['flushInterval', 'lease', 'closeTimeout']) {
      const endless = { write: () => undefined, [option]: '25d' };
      expect(() => createWriteBehind(backend, cache, 'endless', endless)).toThrow(`${option}: a timer takes at most`);
    }
    await behind.close();
    await createWriteBehind(backend, cache, 'test', { write: () => undefined }).close();
  });
});
