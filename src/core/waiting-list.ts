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
 * Creates an empty list: a ring of links. A `Set` that many pass through keeps what it held, because V8 chains the tables that it has outgrown: none of them is freed, with all that its
 * members refer to, before the next full collection. That had been a third of the CPU time of a decision about a limit.
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
