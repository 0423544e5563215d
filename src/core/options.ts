import { ConfigError } from './errors.ts';

/**
 * Refuses misspelt options, which would otherwise be ignored in silence.
 *
 * @throws {ConfigError} When `options` is not an object or has a key that is not in `known`.
 */
export function checkOptions(factory: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || (options as unknown) === null || Array.isArray(options)) {
    throw new ConfigError(`${factory} takes an object of options.`);
  }
  for (const name in options) {
    if (!known.includes(name) && Object.hasOwn(options, name)) {
      throw new ConfigError(`${factory} has no option "${name}". It has: ${known.join(', ')}.`);
    }
  }
}
