import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ConfigError } from '../../src/core/errors.ts';
import { planOf, type Query, type QueryParams } from '../../src/queries/query-key.ts';
import { createSqlReader } from '../../src/queries/sql.ts';

const read = createSqlReader('postgres');
const orders = { sql: 'SELECT * FROM orders WHERE id = $1', tables: ['orders'] };
const keyOf = (query: Partial<Query>): string => planOf({ ...orders, ...query } as Query, read).key;
const keyWith = (params: unknown): string => keyOf({ params: params as QueryParams });

class Money {
  constructor(private readonly text: string) {}
  toJSON(): string {
    return this.text;
  }
}

class Interval {
  constructor(private readonly text: string) {}
  toJSON(): string {
    return '[interval]';
  }
  toPostgres(): string {
    return this.text;
  }
}

describe('the key of a query', () => {
  it('tells all types and values of params apart', () => {
    const bytes = Uint8Array.of(49);
    const values = [
      [1, '1', 1n, true, 'true', null, 'null', undefined, 'undefined', 0, -0, Number.NaN, Infinity, '', 1.5],
      [
        new Date(1),
        new Date(2),
        new Date(Number.NaN),
        new Date(1).toISOString(),
        bytes,
        Float64Array.of(1),
        new Uint8Array(8),
        new Float64Array(1),
      ],
      [[], [[]], [1], ['1'], [1, 2], [[1], 2], [1, [2]], [undefined], [null], '[1]', '["1"]'],
      [{}, { a: 1 }, { a: '1' }, { a: undefined }, { b: 1 }, { a: { b: 1 } }, '{"a":1}', { 'a:1,b': 1 }],
      [new Map([[1, 2]]), new Map([[1, [2]]]), new Set([1, 2]), new Map(), new Set()],
      [new Money('1'), new Money('2'), new Interval('1 day'), new Interval('2 days'), '\ud800', '\ufffd', 'a', 'A'],
    ].flat();
    const keys = new Set([...values.map((value) => keyWith([value])), keyWith([]), keyWith([1, 2, 3])]);
    expect(keys.size).toBe(values.length + 2);
  });

  it('does not heed what makes no difference', () => {
    expect(keyWith({ a: 1, b: { c: 2, d: 3 } })).toBe(keyWith({ b: { d: 3, c: 2 }, a: 1 }));
    expect(keyWith(undefined)).toBe(keyWith([]));
    expect(keyWith([Buffer.from('x')])).toBe(keyWith([new Uint8Array([120])]));
    expect(keyOf({ tables: ['B', 'a', 'b'] })).toBe(keyOf({ tables: ['a', 'b'] }));
    expect(keyOf({ sql: ` select * -- all\n from ORDERS where id=$1;` })).toBe(keyOf({}));
  });

  it('is another for another tenant, other tables, another use, and an operation of the same name', () => {
    const others: Partial<Query>[] = [
      {},
      { tenant: 'a' },
      { tenant: 'A' },
      { tables: ['orders', 'items'] },
      { tables: ['items+orders'] },
      { tables: [] },
      { as: 'count' },
      { sql: undefined, operation: orders.sql },
    ];
    expect(new Set(others.map(keyOf)).size).toBe(others.length);
    expect(keyOf({ sql: undefined, operation: 'select 1' })).not.toBe(keyOf({ sql: 'select 1' }));
  });

  it('begins with its tables, so that a person can tell what it is', () => {
    expect(keyOf({ tables: ['orders', 'Items'] })).toMatch(/^query:items\+orders:[\w-]{22}$/);
  });

  it('of nested params is one if, and only if, they are equal', () => {
    const leaf = fc.oneof(
      fc.constantFrom<unknown>(1, '1', 1n, true, null, undefined, '', ',', ']', '}', '"', 'n', '1n', 'Date(1)'),
      fc.integer().map((ms) => new Date(ms)),
    );
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', '"', ':1'), tie('node'), { maxKeys: 2, noNullPrototype: true }),
      ),
    })).node;
    const isEqual = (a: unknown, b: unknown): boolean => {
      try {
        expect(a).toStrictEqual(b);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(tree, tree, (one, other) => expect(keyWith([one]) === keyWith([other])).toBe(isEqual(one, other))),
      { numRuns: 300 },
    );
  });

  const circle: unknown[] = [];
  circle.push(circle);
  it.each<[string, unknown]>([
    ['functions', [() => 1]],
    ['symbols', [Symbol('s')]],
    ['circles', [circle]],
    ['classes that extend a built-in one', [new (class Rows extends Array<number> {})()]],
    ['instances that say nothing about themselves', [new URLSearchParams('a=1')]],
    ['properties named by symbols', [{ [Symbol('gt')]: 5 }]],
  ])('is refused for %s, which it could not tell apart', (_what, params) => {
    expect(() => keyWith(params)).toThrow(ConfigError);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no tables', { tables: undefined }, /name the tables/],
    ['an empty name', { tables: [''] }, /name the tables/],
    ['no statement', { sql: undefined }, /give either sql/],
    ['two of them', { operation: 'x' }, /give either sql/],
    ['a tenant without a name', { tenant: '' }, /tenant must be/],
    ['a tenant that is a number', { tenant: 7 }, /tenant must be/],
    ['null for a tenant', { tenant: null }, /tenant must be/],
    ['a misspelt field', { table: 'x' }, /no option "table"/],
  ])('is refused for %s', (_what, query, message) => {
    expect(() => keyOf(query as Partial<Query>)).toThrow(message);
    expect(() => keyOf(query as Partial<Query>)).toThrow(ConfigError);
  });
});
