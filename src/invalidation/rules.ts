import type { EventEmitter } from 'node:events';
import type { Backend } from '../cache/backend.ts';
import { type Duration, toTimerMs } from '../core/duration.ts';
import { ConfigError, RedisError } from '../core/errors.ts';
import { matchesGlob } from '../core/glob.ts';
import { checkOptions } from '../core/options.ts';
import { type DryRun, toDryRun } from './dry-run.ts';
import type { Invalidation } from './purges.ts';
import { reclaimerOf } from './reclaim.ts';
import { createTriggers } from './triggers.ts';

/** What a rule says must go: what `invalidate` takes, a list of such, or nothing. */
export type RuleResult = Invalidation | readonly Invalidation[] | undefined;

/** Says what must go when something has happened. */
export type Rule<Event = never> = (event: Event, name: string) => RuleResult | Promise<RuleResult>;

/** Rules by the name of their event; the events' types are theirs. */
export type RuleSet<Events extends object = Record<string, never>> = {
  readonly [Name in keyof Events]: Rule<Events[Name]>;
};

/** How rules are applied. */
export interface RuleOptions {
  /** Events so close together are written as one. From the first of them on: a steady stream is not put off. Default: 0, each at once. */
  readonly debounce?: Duration | undefined;
}

type EventOf<Events, Name> = Name extends keyof Events ? Events[Name] : unknown;
type EventArgument<Event> = unknown extends Event
  ? [event?: Event]
  : undefined extends Event
    ? [event?: Event]
    : [Event];

/** From "this has happened" to "these entries are gone". `Events` are the events whose types are known. */
export interface Rules<Events extends object = object> {
  /**
   * Adds a rule for an event, `product.updated`, or for all that match: `product.*`.
   *
   * @returns The same rules, which know the type of the event now.
   * @throws {ConfigError} When an option is wrong.
   */
  when<Name extends string, Event = unknown>(
    name: Name,
    rule: Rule<Event>,
    options?: RuleOptions,
  ): Rules<Events & Record<Name, Event>>;
  /** Adds a set of rules. */
  use<Added extends object>(rules: RuleSet<Added>, options?: RuleOptions): Rules<Events & Added>;
  /**
   * Says that something has happened. Resolves once everything that the rules name is invalidated, in one write for all of them; debounced rules: once their write is done. An event without rules
   * resolves too, and `rules:unmatched` tells of it.
   *
   * Errors of rules pass through, and then nothing is invalidated.
   *
   * @throws {TypeError} When a rule names nothing, or not in the way it should be named: nothing is invalidated either.
   * @throws {RedisError} When Redis did not confirm it. This process heeds it all the same, and writes it as soon as Redis can be reached.
   */
  trigger<Name extends (keyof Events & string) | (string & {})>(
    name: Name,
    ...event: EventArgument<EventOf<Events, Name>>
  ): Promise<void>;
  /** What `trigger` would invalidate. Nothing is. */
  dryRun<Name extends (keyof Events & string) | (string & {})>(
    name: Name,
    ...event: EventArgument<EventOf<Events, Name>>
  ): Promise<DryRun>;
  /**
   * Triggers what an emitter tells, with the first argument as the event: the names given, else those of the rules there are now, patterns left out. What fails is told as `cache:error` and as a
   * process warning. Returns what ends it; closing the suite does as well.
   */
  listen(emitter: EventEmitter, names?: readonly string[]): () => void;
}

/** Rules, and how to end them. */
export interface ClosableRules extends Rules {
  /** Listens no more, and writes at once what is debounced. Never rejects: those who triggered it are told. */
  close(): Promise<void>;
}

interface Entry {
  readonly pattern: string;
  readonly rule: Rule;
  readonly debounceMs: number;
}

/** A set of rules as a value, its events typed: `defineRules({ 'product.updated': (event: { id: number }) => [`product:${event.id}`] })`. */
export function defineRules<Events extends object>(rules: RuleSet<Events>): RuleSet<Events> {
  return rules;
}

/** Creates the rules of a suite. */
export function createRules(backend: Backend): ClosableRules {
  const { store, events } = backend;
  const entries: Entry[] = [];
  const listening = new Set<() => void>();
  const triggers = createTriggers((purges) => store.register.invalidate(purges), reclaimerOf(backend).request);

  function add(pattern: string, rule: Rule, { debounce = 0 }: RuleOptions): void {
    if (pattern === '') throw new ConfigError("rules: an event needs a name, such as 'product.updated'.");
    if (typeof rule !== 'function') throw new ConfigError(`rules: the rule of "${pattern}" must be a function.`);
    entries.push({ pattern, rule, debounceMs: toTimerMs(debounce, 'debounce') });
  }

  /** Asks all rules first: when one throws, nothing has been done. */
  async function ask(name: string, event: unknown): Promise<{ results: readonly Invalidation[]; entry: Entry }[]> {
    const matching = entries.filter(({ pattern }) => matchesGlob(pattern, name));
    return Promise.all(
      matching.map(async (entry) => ({ entry, results: toList(await entry.rule(event as never, name)) })),
    );
  }

  async function trigger(name: string, event?: unknown): Promise<void> {
    const asked = await ask(name, event);
    if (asked.length === 0) return events.tell('rules:unmatched', { name });
    await triggers.write(asked.map(({ results, entry }) => ({ results, debounceMs: entry.debounceMs })));
  }

  const rules: ClosableRules = {
    when(name, rule, options = {}) {
      checkOptions('rules.when', options, ['debounce']);
      add(name, rule, options);
      return rules;
    },
    use(set, options = {}) {
      checkOptions('rules.use', options, ['debounce']);
      for (const [name, rule] of Object.entries(set)) add(name, rule as Rule, options);
      return rules;
    },
    trigger,
    async dryRun(name: string, event?: unknown) {
      const asked = await ask(name, event);
      return toDryRun(
        asked.map(({ entry }) => entry.pattern),
        asked.flatMap(({ results }) => results),
      );
    },
    listen(emitter, names = entries.map(({ pattern }) => pattern).filter((name) => !/[*?\\]/.test(name))) {
      const listeners = [...new Set(names)].map((name) => {
        const listener = (event: unknown): void =>
          void trigger(name, event).catch((error: unknown) => report(name, error));
        emitter.on(name, listener);
        return () => emitter.off(name, listener);
      });
      const end = (): void => {
        listening.delete(end);
        for (const stop of listeners) stop();
      };
      listening.add(end);
      return end;
    },
    async close() {
      for (const end of listening) end();
      await triggers.flush();
    },
  };

  function report(name: string, error: unknown): void {
    if (!(error instanceof RedisError)) events.report(`rules: ${name}`, error); // Else the guard has told.
  }

  return rules;
}

/** A list of texts is a list of tags either way. */
function toList(result: RuleResult): readonly Invalidation[] {
  if (result === undefined) return [];
  return Array.isArray(result) ? (result as readonly Invalidation[]) : [result as Invalidation];
}
