import { ConfigError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { Invalidation } from './purges.ts';
import type { RuleSet } from './rules.ts';

/** Options of {@link entityRules}. */
export interface EntityRuleOptions {
  /** Tags of what lists such entities. Default: its name with an `s`: `products`. */
  readonly lists?: readonly string[] | undefined;
}

/** An event about one entity. */
export interface EntityEvent {
  readonly id: string | number;
}

type EntityEvents<Name extends string> = Record<`${Name}.${'created' | 'updated' | 'deleted'}`, EntityEvent>;

/**
 * Rules of an entity: `product.created`, `product.updated` and `product.deleted` with an `id` invalidate the tags `product:<id>` and `products`. A created one has its own tag invalidated too, because
 * its absence may be cached.
 *
 * @throws {ConfigError} When the name is empty or an option is wrong.
 */
export function entityRules<Name extends string>(
  name: Name,
  options: EntityRuleOptions = {},
): RuleSet<EntityEvents<Name>> {
  checkOptions('entityRules', options, ['lists']);
  if (typeof name !== 'string' || name === '') throw new ConfigError("entityRules needs a name, such as 'product'.");
  const { lists = [`${name}s`] } = options;
  const tagsOf = ({ id }: EntityEvent): string[] => {
    if (!['string', 'number'].includes(typeof id)) {
      throw new TypeError(`An event about a ${name} needs its id, a string or a number: { id: 7 }.`);
    }
    return [`${name}:${id}`, ...lists];
  };
  const events = ['created', 'updated', 'deleted'].map((what) => [`${name}.${what}`, tagsOf]);
  return Object.fromEntries(events) as RuleSet<EntityEvents<Name>>;
}

/**
 * Names what belongs together: `suite.rules.use(defineGroups({ catalog: { tags: ['products', 'categories'], prefix: 'menu:' } }))`, and then `suite.rules.trigger('catalog')` invalidates all of it in one
 * write.
 */
export function defineGroups<Name extends string>(
  groups: Readonly<Record<Name, Invalidation | readonly Invalidation[]>>,
): RuleSet<Record<Name, undefined>> {
  const rules = Object.entries(groups).map(([name, what]) => [name, () => what]);
  return Object.fromEntries(rules) as RuleSet<Record<Name, undefined>>;
}
