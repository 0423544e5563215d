import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { checked, INVALID, type StandardSchema } from '../../src/data/schema.ts';

const untold = (error: unknown): never => {
  throw new Error('must not be told', { cause: error });
};

/** A schema whose library does `validate`. */
function schemaOf(validate: () => unknown): StandardSchema<number> {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as () => { value: number } } };
}

/** A promise as some libraries bring along. */
function ownPromise(settle: (resolve: (result: unknown) => void, reject: (error: Error) => void) => void): object {
  // eslint-disable-next-line unicorn/no-thenable
  return { then: settle };
}

describe('a schema', () => {
  const user = z.object({ id: z.number(), at: z.date(), tags: z.set(z.string()).default(new Set()) });

  it('gives the value as its library makes it', () => {
    const value = { id: 7, at: new Date(0), secret: 'x' };
    expect(checked(user, value, untold)).toEqual({ id: 7, at: new Date(0), tags: new Set() });
  });

  it.each([
    ['a wrong property', { id: '7', at: new Date(0) }],
    ['nothing', undefined],
  ])('refuses %s', (_what, value) => {
    expect(checked(user, value, untold)).toBe(INVALID);
  });

  it('keeps undefined that it allows', () => {
    expect(checked(z.undefined(), undefined, untold)).toBeUndefined();
  });

  it('may need time', async () => {
    const even = z.number().refine(async (value) => Promise.resolve(value % 2 === 0));
    const answers = [2, 3].map((value) => checked(even, value, untold));
    expect(answers.every((answer) => answer instanceof Promise)).toBe(true);
    expect(await Promise.all(answers.map((answer) => Promise.resolve(answer)))).toEqual([2, INVALID]);
  });

  it.each([
    [
      'throws',
      (): never => {
        throw new Error('broken');
      },
    ],
    ['is rejected', () => Promise.reject(new Error('broken'))],
    ['gives nothing', () => undefined],
    ['gives nothing after a while', () => Promise.resolve(null)],
    ['is rejected in its own kind of promise', () => ownPromise((_, reject) => reject(new Error('broken')))],
  ])('that %s refuses the value, and the error is told', async (_what, validate) => {
    const told: unknown[] = [];
    expect(await checked(schemaOf(validate), 1, (error) => told.push(error))).toBe(INVALID);
    expect(told).toEqual([expect.any(Error)]);
  });

  it('may make promises of its own kind', async () => {
    // eslint-disable-next-line unicorn/no-thenable
    const promise = { then: (resolve: (result: unknown) => void) => resolve({ value: 5 }) };
    expect(
      await checked(
        schemaOf(() => promise),
        1,
        untold,
      ),
    ).toBe(5);
  });
});
