/** Changes all there is to be changed of a value: what is in it, its order, and its prototypes. */
export function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const part of Object.values(value)) spoil(part);
  if (Array.isArray(value)) value.unshift('spoilt');
  for (const name of Object.keys(value)) Object.defineProperty(value, name, { value: 'spoilt', enumerable: false });
  Reflect.set(value, 'spoilt', true);
  Object.setPrototypeOf(value, { spoilt: true });
}
