import type { EventBus } from '../core/events.ts';
import type { Entry } from '../cache/entry.ts';
import { type Codec, type Encoded, isPlainJson, UNREADABLE } from '../codec/codec.ts';
import { checked, INVALID, type StandardSchema } from './schema.ts';

/** Whether every caller gets a value of his own, or all share one that nobody can change. */
export type ValueMode = 'copies' | 'frozen';

/** Turns what is stored into what callers get. */
export interface Values {
  /** The value of an entry; {@link UNREADABLE} when it cannot be read, or its schema refuses it. */
  ofEntry(entry: Entry, schema: StandardSchema | undefined): unknown;
  /** The value of what is about to be stored: what those who read it later get. */
  ofEncoded(encoded: Encoded, schema: StandardSchema | undefined): unknown;
}

/** Creates the values of one cache. Answers are promises only where decompressing or a schema needs one. */
export function createValues(codec: Codec, mode: ValueMode, events: EventBus): Values {
  const shared = new WeakMap<Entry, { readonly value: unknown }>();
  function onError(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    events.tell('cache:error', { operation: 'check a value with its schema', error: reason });
  }

  function ofEncoded({ flags, body }: Encoded, schema: StandardSchema | undefined): unknown {
    const value = codec.decode(flags, body);
    const mayFreeze = mode === 'frozen' && isPlainJson(flags);
    if (value instanceof Promise) return value.then((decoded: unknown) => finish(decoded, schema, mayFreeze));
    return finish(value, schema, mayFreeze);
  }

  function finish(value: unknown, schema: StandardSchema | undefined, mayFreeze: boolean): unknown {
    if (value === UNREADABLE) return UNREADABLE;
    if (schema === undefined) return mayFreeze ? deepFreeze(value) : value;
    const result = checked(schema, value, onError);
    const accept = (passed: unknown): unknown => (passed === INVALID ? UNREADABLE : passed);
    return result instanceof Promise ? result.then(accept) : accept(result);
  }

  return {
    ofEncoded,
    ofEntry(entry, schema) {
      if (mode === 'copies' || schema !== undefined || !isPlainJson(entry.flags)) return ofEncoded(entry, schema);
      const known = shared.get(entry);
      if (known !== undefined) return known.value;
      const value = ofEncoded(entry, undefined);
      if (!(value instanceof Promise)) shared.set(entry, { value });
      return value;
    },
  };
}

/** Of what JSON can hold, so there are no cycles. */
function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
