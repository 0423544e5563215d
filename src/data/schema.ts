/** What a validation library gives: the part of Standard Schema that is used here. @see https://standardschema.dev */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly unknown[] };

/** What a schema refuses. */
export const INVALID: unique symbol = Symbol('invalid');

/** The value as a schema gives it; {@link INVALID} when it refuses it, or throws, which `onError` is told. A promise where the schema needs one; it is never rejected. */
export function checked<T>(
  schema: StandardSchema<T>,
  value: unknown,
  onError: (error: unknown) => void,
): T | typeof INVALID | Promise<T | typeof INVALID> {
  const toValue = (result: SchemaResult<T>): T | typeof INVALID =>
    result.issues === undefined ? result.value : INVALID;
  const refuse = (error: unknown): typeof INVALID => {
    onError(error);
    return INVALID;
  };
  try {
    const result = schema['~standard'].validate(value);
    return 'then' in result ? Promise.resolve(result).then(toValue).catch(refuse) : toValue(result);
  } catch (error) {
    return refuse(error);
  }
}
