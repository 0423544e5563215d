// What the data benchmark stores: records as a database gives them.
export const VALUE_SIZES = { '300B': 300, '4KB': 4_096 };

/** A record whose JSON is about so long; the same for the same key. */
export function valueOf(key, bytes) {
  const record = { id: key, name: `Product ${key}`, price: 19.9, inStock: true, tags: ['new', 'sale'], discount: null };
  const variant = (i) => ({ sku: `${key}-${i}`, size: i % 50, color: 'dark blue', weight: 1.25 * i, hidden: false });
  const variants = [];
  while (JSON.stringify({ ...record, variants }).length < bytes - 60) variants.push(variant(variants.length));
  return { ...record, variants };
}
