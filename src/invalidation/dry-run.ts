import { type Invalidation, type InvalidationFields, toFields, toPurges } from './purges.ts';

/** What would be invalidated, each name once. */
export interface Affected {
  readonly tags: readonly string[];
  /** Tags of which an entry must have all. */
  readonly tagSets: readonly (readonly string[])[];
  readonly urls: readonly string[];
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly patterns: readonly string[];
  /** Whether everything would go. */
  readonly all: boolean;
}

/** What an event would do. */
export interface DryRun extends Affected {
  /** The names of the rules that match, as they were given. */
  readonly rules: readonly string[];
  /** What would go only softly, served as stale while it is replaced. */
  readonly soft: Affected;
}

type Named = InvalidationFields & { readonly tags: readonly string[] };

/**
 * Puts together what rules have answered.
 *
 * @throws {TypeError} When one names nothing, or not in the way it should be named.
 */
export function toDryRun(rules: readonly string[], answers: readonly Invalidation[]): DryRun {
  answers.forEach(toPurges); // What `trigger` refuses is refused here too.
  const fields = answers.map((answer) => {
    const { tags = [], ...others } = toFields(answer);
    return { ...others, tags: unique(tags) };
  });
  const hard = fields.filter(({ mode }) => mode !== 'soft');
  const soft = fields.filter(({ mode }) => mode === 'soft');
  return { rules: [...new Set(rules)], ...toAffected(hard), soft: toAffected(soft) };
}

function toAffected(all: readonly Named[]): Affected {
  const isSet = ({ match, tags }: Named): boolean => match === 'all' && tags.length > 1;
  const sets = all.filter(isSet).map(({ tags }) => tags.toSorted());
  return {
    tags: unique(all.filter((fields) => !isSet(fields)).flatMap(({ tags }) => tags)),
    tagSets: [...new Map(sets.map((set) => [JSON.stringify(set), set])).values()],
    urls: unique(all.flatMap(({ urls = [] }) => urls)),
    keys: unique(all.flatMap(({ keys = [] }) => keys)),
    prefixes: unique(all.flatMap(({ prefix }) => prefix ?? [])),
    patterns: unique(all.flatMap(({ pattern }) => pattern ?? [])),
    all: all.some((fields) => fields.all === true),
  };
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
