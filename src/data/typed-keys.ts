import { toTtlMs, type Ttl } from '../core/duration.ts';
import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { ParameterType, ParameterValue } from './key-parameter.ts';
import { fill, fillPrefix, type KeyTemplate, mayMeet, readTemplate } from './key-template.ts';
import type { TypedKey } from './typed-key.ts';

/** How what a key stands for is kept. */
export interface KeyOptions<Values> {
  /** How long. Default: what the call says, else the cache's `defaultTtl`. */
  readonly ttl?: Ttl | undefined;
  /** What it depends on. Tags of the call are added. */
  readonly tags?: readonly string[] | ((values: Values) => readonly string[]) | undefined;
}

/** Names of the parameters of a template, in order. */
type NamesIn<Template extends string> = Template extends `${string}{${infer Name}}${infer Rest}`
  ? [Name, ...NamesIn<Rest>]
  : [];

type TypesFor<Template extends string> = Readonly<Record<NamesIn<Template>[number], ParameterType>>;

type ValuesOf<Types> = { readonly [Name in keyof Types]: ParameterValue<Types[Name]> };

/** The first parameters, but never all. */
type FirstOf<Names extends readonly unknown[], Values> = Names extends readonly [...infer First, unknown]
  ? | (Pick<Values, First[number] & keyof Values> & {
        readonly [Later in Exclude<keyof Values, First[number]>]?: undefined;
      })
    | FirstOf<First, Values>
  : never;

/** Makes the keys of a template. */
export interface KeyBuilder<Names extends readonly unknown[], Values> {
  /** @throws {TypeError} When a parameter is missing or not of its type. */
  (...values: Names extends readonly [] ? [] : [values: Values]): TypedKey & { toString(): string };
  /**
   * What keys with these values of the first parameters begin with, for `invalidate({ prefix })`.
   *
   * @throws {TypeError} When a parameter is not of its type, one before it is missing, or all are given.
   */
  prefix(
    ...values: FirstOf<Names, Values> extends infer First
      ? Names extends readonly []
        ? [never]
        : [values?: First]
      : never
  ): string;
  /** As it was declared. */
  readonly template: string;
}

/** A key that was declared and not yet built: see {@link keys}. */
export interface KeyDeclaration<Names extends readonly unknown[] = readonly unknown[], Values = unknown> {
  readonly read: KeyTemplate;
  readonly builder: KeyBuilder<Names, Values>;
}

/**
 * Declares keys: `key('jobs:{city}:{page}', { city: String, page: Number }, { ttl: '5m', tags: ({ city }) => [`jobs:${city}`] })`. Parameters are escaped and end at a colon or the end of the
 * template; a key has at most 256 bytes, of which each parameter has the same share: a longer value is its beginning and a hash.
 *
 * @throws {ConfigError} When the template cannot be read, its parameters are not those of `types`, or an option is wrong.
 */
export function key<
  const Template extends string,
  const Types extends TypesFor<Template> & Readonly<Record<Exclude<keyof Types, NamesIn<Template>[number]>, never>>,
>(
  template: Template,
  types: Types = {} as Types,
  options: KeyOptions<ValuesOf<Types>> = {},
): KeyDeclaration<NamesIn<Template>, ValuesOf<Types>> {
  checkOptions(`key "${template}"`, types, Object.keys(types));
  checkOptions(`key "${template}"`, options, ['ttl', 'tags']);
  const read = readTemplate(template, types);
  const { ttl, tags } = options;
  if (ttl !== undefined) toTtlMs(ttl, 'ttl');
  if (tags !== undefined && typeof tags !== 'function' && !Array.isArray(tags)) {
    throw new ConfigError(`key "${template}": tags is a list, or a function of the values.`);
  }
  const tagsOf = typeof tags === 'function' ? tags : (): typeof tags => tags;

  function build(values = {} as ValuesOf<Types>): TypedKey {
    const made = Object.create(PROTOTYPE) as typeof PROTOTYPE;
    return Object.assign(made, { key: fill(read, values), ttl, tags: tagsOf(values) });
  }
  const prefix = (values: Readonly<Record<string, unknown>> = {}): string => fillPrefix(read, values);
  const builder = Object.assign(build, { prefix, template }) as KeyBuilder<NamesIn<Template>, ValuesOf<Types>>;
  return { read, builder };
}

/** In a template literal a typed key is its text. Not a property of its own: `const { key, ...options } = k.user({ id: 7 })` gives options. */
const PROTOTYPE = {
  toString(): string {
    return (this as unknown as TypedKey).key;
  },
};

/**
 * Builders of typed keys: `const k = keys({ user: key('user:{id}', { id: Number }, { ttl: '1h' }) })`, then `k.user({ id: 7 })` where a cache takes a key.
 * No two of them can make the same key.
 *
 * @throws {ConfigError} When two could.
 */
export function keys<
  Declarations extends Readonly<Record<string, Pick<KeyDeclaration, 'read'> & { readonly builder: unknown }>>,
>(declarations: Declarations): { readonly [Name in keyof Declarations]: Declarations[Name]['builder'] } {
  const all = Object.values(declarations);
  for (const [i, { read }] of all.entries()) {
    const twin = all.slice(i + 1).find((other) => mayMeet(read, other.read));
    if (twin !== undefined) {
      throw new ConfigError(
        `keys: "${read.template}" and "${twin.read.template}" can make the same key. Let one begin differently.`,
      );
    }
  }
  const builders = Object.entries(declarations).map(([name, { builder }]) => [name, builder]);
  return Object.fromEntries(builders) as { readonly [Name in keyof Declarations]: Declarations[Name]['builder'] };
}
