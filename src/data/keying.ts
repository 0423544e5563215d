import { ConfigError } from '../core/errors.ts';
import { typedText } from '../core/typed-text.ts';
import { textOf, type TypedKey } from './typed-key.ts';

/** A function that makes the key of a call's arguments. */
export type KeyFunction = (this: never, ...args: never) => string | TypedKey;

/** A function that names what a result depends on. */
export type TagFunction = (this: never, result: never, ...args: never) => readonly string[];

/** How the key of a call is made: of its arguments by `key`, or by `name` and all of them. */
export interface KeyingOptions {
  readonly name?: string | undefined;
  readonly key?: string | TypedKey | KeyFunction | undefined;
}

/** A call: what `this` is, and its arguments. */
export interface Call {
  readonly self: unknown;
  readonly args: readonly unknown[];
}

/** Makes the key of a call. @throws {TypeError} When its arguments have none. */
export type Keying = (call: Call) => string | TypedKey;

/**
 * How keys of calls are made.
 *
 * @throws {ConfigError} When there is neither `key` nor `name`, or both.
 */
export function createKeying(where: string, { name, key }: KeyingOptions): Keying {
  if ((name === undefined) === (key === undefined)) {
    throw new ConfigError(
      `${where} takes key, a function that makes the key of the arguments, or name, which the arguments are written behind: one of the two.`,
    );
  }
  if (name !== undefined) {
    const checked = toName(where, name);
    return ({ args }) =>
      `${checked}:${args.map((value, i) => argumentText(value, `${checked}: argument ${i + 1}`)).join(',')}`;
  }
  if (typeof key === 'function') return (call) => checkedKey(apply(key, call), where);
  return fixedKey(where, key);
}

function argumentText(value: unknown, where: string): string {
  return typedText(value, {
    refusal: (what) =>
      new TypeError(
        `${where}: ${what} cannot be part of a key. Give key: a function that makes the key of the arguments.`,
      ),
  });
}

/** @throws {ConfigError} When it is no name. */
export function toName(where: string, name: unknown): string {
  if (typeof name !== 'string' || name === '') throw new ConfigError(`${where}: name is a text such as 'users.find'.`);
  return name;
}

/** Calls with different arguments must not share a key. */
function fixedKey(where: string, key: unknown): Keying {
  if (typeof key !== 'string' && (typeof key !== 'object' || key === null)) {
    throw new ConfigError(`${where}: key is a function, a string or a typed key.`);
  }
  const fixed = checkedKey(key, where);
  return ({ args }) => {
    if (args.length === 0) return fixed;
    throw new TypeError(
      `${where}: "${textOf(fixed)}" is one key for all arguments. Give key: a function that makes it of them.`,
    );
  };
}

function checkedKey(key: unknown, where: string): string | TypedKey {
  if (textOf(key, `${where}: the key`) === '') throw new TypeError(`${where}: the key is empty.`);
  return key as string | TypedKey;
}

/** Calls a function whose parameters were compared with the arguments by the compiler. */
export function apply<Result>(call: (this: never, ...args: never) => Result, { self, args }: Call): Result {
  return call.apply(self as never, args as never);
}
