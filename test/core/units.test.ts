import { describe, expect, it, jest } from '@jest/globals';
import { type Bytes, toBytes } from '../../src/core/bytes.ts';
import { createCircuitBreaker } from '../../src/core/circuit-breaker.ts';
import { digest } from '../../src/core/digest.ts';
import { type Duration, toMs, toTtlMs, type Ttl } from '../../src/core/duration.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { EventBus } from '../../src/core/events.ts';
import { checkOptions } from '../../src/core/options.ts';
import { startDeadline, within } from '../../src/core/deadline.ts';

describe('a duration', () => {
  it.each<[Duration, number]>([
    [0, 0],
    [1.5, 1.5],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
  ])('of %j is %d ms', (value, ms) => {
    expect(toMs(value, 'ttl')).toBe(ms);
  });

  it.each(['5', '5 m', 'm', '', '-1s', '1e3s', '5M', '１s', -1, Number.NaN, Infinity, null, undefined, {}])(
    'is not %j',
    (value) => {
      expect(() => toMs(value as Duration, 'maxStaleness')).toThrow(ConfigError);
      expect(() => toMs(value as Duration, 'maxStaleness')).toThrow('maxStaleness');
    },
  );

  it.each<[Ttl, number]>([
    ['short', 60_000],
    ['week', 604_800_000],
    [1_000, 1_000],
    ['1ms', 1],
  ])('as a lifetime %j is %d ms', (value, ms) => {
    expect(toTtlMs(value, 'ttl')).toBe(ms);
  });

  it.each([300, 0, '0s', '0.5ms', 'toString', 'shortly'])('is no lifetime as %j', (value) => {
    expect(() => toTtlMs(value as Ttl, 'ttl')).toThrow(ConfigError);
  });
});

describe('a size', () => {
  it.each<[Bytes, number]>([
    [1, 1],
    ['1b', 1],
    ['1.5kb', 1_536],
    ['64mb', 67_108_864],
    ['1gb', 1_073_741_824],
  ])('of %j is %d bytes', (value, bytes) => {
    expect(toBytes(value, 'memory')).toBe(bytes);
  });

  it.each(['1', '1 kb', '1KB', '', 0, -1, Number.NaN, Infinity, null, undefined])('is not %j', (value) => {
    expect(() => toBytes(value as Bytes, 'memory')).toThrow('memory');
  });
});

describe('a circuit breaker', () => {
  it('opens after five failures in a row, says so once, and closes at the first answer', () => {
    const breaker = createCircuitBreaker(() => 0);
    expect([1, 2, 3, 4].map(() => breaker.fail())).toEqual([false, false, false, false]);
    expect(breaker.succeed()).toBe(false);
    expect([1, 2, 3, 4, 5, 6].map(() => breaker.fail())).toEqual([false, false, false, false, true, false]);
    expect(breaker.isOpen).toBe(true);
    expect([breaker.succeed(), breaker.isOpen, breaker.succeed()]).toEqual([true, false, false]);
  });

  it('opens when more than half of the calls of a window fail, not when few of many do', () => {
    const few = createCircuitBreaker(() => 0);
    const openedByFew = Array.from({ length: 200 }, () => {
      few.succeed();
      few.succeed();
      return few.fail();
    });
    expect(openedByFew).not.toContain(true);
    const many = createCircuitBreaker(() => 0);
    const opened = Array.from({ length: 20 }, () => {
      many.succeed();
      return [many.fail(), many.fail()];
    });
    expect(opened.flat()).toContain(true);
  });

  it('forgets failures of earlier windows', () => {
    let now = 0;
    const breaker = createCircuitBreaker(() => now);
    const opened = Array.from({ length: 100 }, () => {
      now += 2_000;
      breaker.succeed();
      return [breaker.fail(), breaker.fail()];
    });
    expect(opened.flat()).not.toContain(true);
  });

  it('can be opened at once', () => {
    const breaker = createCircuitBreaker(() => 0);
    expect([breaker.open(), breaker.open(), breaker.isOpen]).toEqual([true, false, true]);
  });
});

describe('a deadline', () => {
  it('calls once it has passed, and not when it was called off', async () => {
    let calls = 0;
    startDeadline(5, () => calls++);
    startDeadline(5, () => calls++)();
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(calls).toBe(1);
  });

  it('lets what has arrived be read first when the event loop was blocked', async () => {
    const outcome = within(
      5,
      new Promise((resolve) => setTimeout(() => setImmediate(() => resolve('answer')), 1)),
      'late',
    );
    const until = performance.now() + 30;
    while (performance.now() < until);
    expect(await outcome).toBe('answer');
  });

  it('gives the stand-in for what fails or takes too long', async () => {
    expect(await within(1_000, Promise.resolve(1), 2)).toBe(1);
    expect(await within(1_000, Promise.reject(new Error('no')), 2)).toBe(2);
    expect(await within(5, new Promise<number>(() => undefined), 2)).toBe(2);
  });
});

describe('events', () => {
  it('reach every listener, and a listener that throws breaks nobody', () => {
    const bus = new EventBus();
    const heard: unknown[] = [];
    bus.on('cache:hit', (event) => heard.push(event));
    bus.tell('cache:hit', { route: '/a', key: 'k' });
    bus.tell('cache:miss', { route: '/a', key: 'k' });
    expect(heard).toEqual([{ route: '/a', key: 'k' }]);
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    bus.on('cache:miss', () => {
      throw new Error('listener');
    });
    expect(() => bus.tell('cache:miss', { route: '/a', key: 'k' })).not.toThrow();
    expect(warn.mock.lastCall?.[0]).toContain('cache:miss');
    warn.mockRestore();
  });
});

describe('a digest', () => {
  it('is short, safe in a key, and the same for text and its bytes', () => {
    expect(digest('a'.repeat(10_000))).toMatch(/^[\w-]{22}$/);
    expect(digest('é')).toBe(digest(Buffer.from('é')));
    expect(digest('a')).not.toBe(digest('b'));
  });
});

describe('options', () => {
  it('are refused when misspelt or not an object', () => {
    expect(() => checkOptions('createThing', { tll: 1 }, ['ttl'])).toThrow(
      'createThing has no option "tll". It has: ttl.',
    );
    for (const wrong of [null, [], 'text', 1])
      expect(() => checkOptions('createThing', wrong as object, [])).toThrow(ConfigError);
    expect(() => checkOptions('createThing', { ttl: undefined }, ['ttl'])).not.toThrow();
  });
});
