/** Those who wait for something. Everyone may leave at any time. */
export interface WaitingList<T> {
  /** Returns what takes it off the list again. Safe to call twice. */
  add(item: T): () => void;
  /** Takes all off the list, in the order they came. */
  takeAll(): readonly T[];
  readonly isEmpty: boolean;
}

interface Link<T> {
  readonly item: T | undefined;
  before: Link<T>;
  after: Link<T>;
}

/**
 * Creates an empty list: a ring of links. Not a `Set`: V8 chains the tables that a `Set` has outgrown, so that once one of them is old, what passed through those after it survives,
 * with all that it refers to, until the next full collection.
 */
export function createWaitingList<T>(): WaitingList<T> {
  const ring = alone<T>(undefined);
  return {
    add(item) {
      const link = alone(item);
      link.before = ring.before;
      link.after = ring;
      ring.before.after = link;
      ring.before = link;
      return () => unlink(link);
    },
    takeAll() {
      const items: T[] = [];
      while (ring.after !== ring) {
        items.push(ring.after.item as T);
        unlink(ring.after);
      }
      return items;
    },
    get isEmpty() {
      return ring.after === ring;
    },
  };
}

function alone<T>(item: T | undefined): Link<T> {
  const link = { item } as Link<T>;
  link.before = link;
  link.after = link;
  return link;
}

/** Alone afterwards: what has left must keep nobody alive. */
function unlink<T>(link: Link<T>): void {
  link.before.after = link.after;
  link.after.before = link.before;
  link.before = link;
  link.after = link;
}
