import type { EventBus } from '../core/events.ts';
import type { Entry } from '../cache/entry.ts';
import { type Codec, type Encoded, isPlainJson, UNREADABLE } from '../codec/codec.ts';
import { createKeepsakes, deepFreeze, type ValueMode, whenThere } from './keepsakes.ts';
import { checked, INVALID, type StandardSchema } from './schema.ts';

/** Turns what is stored into what callers get. */
export interface Values {
  /** The value of an entry; {@link UNREADABLE} when it cannot be read, or its schema refuses it. */
  ofEntry(entry: Entry, schema: StandardSchema | undefined): unknown;
  /** The value of what is about to be stored: what those who read it later get. */
  ofEncoded(encoded: Encoded, schema: StandardSchema | undefined): unknown;
}

/** Creates the values of one cache. Answers are promises only where decompressing or a schema needs one. */
export function createValues(codec: Codec, mode: ValueMode, events: EventBus): Values {
  const keepsakes = createKeepsakes(codec, mode);
  function onError(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    events.tell('cache:error', { operation: 'check a value with its schema', error: reason });
  }

  function ofEncoded({ flags, body }: Encoded, schema: StandardSchema | undefined): unknown {
    const mayFreeze = mode === 'frozen' && isPlainJson(flags);
    return whenThere(codec.decode(flags, body), (decoded) => finish(decoded, schema, mayFreeze));
  }

  function finish(value: unknown, schema: StandardSchema | undefined, mayFreeze: boolean): unknown {
    if (value === UNREADABLE) return UNREADABLE;
    if (schema === undefined) return mayFreeze ? deepFreeze(value) : value;
    return whenThere(checked(schema, value, onError), (passed) => (passed === INVALID ? UNREADABLE : passed));
  }

  return {
    ofEncoded,
    ofEntry(entry, schema) {
      const { beside, flags } = entry;
      // A schema may give back what it was given, and that must not be what all share.
      if (beside === undefined || !isPlainJson(flags) || (mode === 'frozen' && schema !== undefined))
        return ofEncoded(entry, schema);
      const value = keepsakes.valueOf(entry, beside);
      return schema === undefined ? value : whenThere(value, (own) => finish(own, schema, false));
    },
  };
}
