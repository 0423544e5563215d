import type { TypedKey } from './typed-key.ts';

/** A method that answers with a promise, as whatever asks a cache does. */
type AsyncMethod = (...args: never) => Promise<unknown>;

/** The functions of a decorator's options that see the arguments of the method. */
export interface Asked {
  readonly key: unknown;
  readonly tags: unknown;
}

/**
 * Decorates a method, as the standard has it and as TypeScript's `experimentalDecorators` has it. Does not compile where `key` or `tags` do not take the arguments of the method, or `tags` not
 * what it resolves.
 */
export interface CheckedDecorator<Options extends Asked> {
  <This, M extends AsyncMethod>(method: M & Fit<Options, This, M>, context: ClassMethodDecoratorContext<This>): M;
  <This extends object, M extends AsyncMethod>(
    target: This,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & Fit<Options, This, M>,
  ): TypedPropertyDescriptor<M>;
}

/** Asks nothing more of a method that fits, and the impossible of one that does not: the error names the property. */
type Fit<Options extends Asked, This, M extends AsyncMethod> =
  FitsKey<Options['key'], This, M> extends true
    ? FitsTags<Options['tags'], This, M> extends true
      ? unknown
      : { readonly 'tags does not take the result and arguments of this method': never }
    : { readonly 'key does not take the arguments of this method': never };

/** A key that is no function stands for all arguments, so there may be none. */
type FitsKey<Key, This, M extends AsyncMethod> = [Key] extends [undefined]
  ? true
  : [Key] extends [string | TypedKey]
    ? Parameters<M> extends []
      ? true
      : false
    : [Key] extends [(this: This, ...args: Parameters<M>) => unknown]
      ? true
      : false;

type FitsTags<Tags, This, M extends AsyncMethod> = [Tags] extends [readonly string[] | undefined]
  ? true
  : [Tags] extends [(this: This, result: Awaited<ReturnType<M>>, ...args: Parameters<M>) => unknown]
    ? true
    : false;
