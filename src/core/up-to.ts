/**
 * Bound of an LRUCache by the number of its entries. Unlike `max` it takes memory as the cache fills, and none when it is made: `max` reserves tables for every entry
 * there may ever be, which is 25 ms and some megabytes for 100,000.
 *
 * @see https://github.com/isaacs/node-lru-cache#storage-bounds-safety
 */
export function upTo(entries: number): { readonly maxSize: number; readonly sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: () => 1 };
}
