import { MAX_DEPTH } from './plain-json.ts';

/** What the engine takes for an object or a list, at least, and for what is in them; as measured. */
const OBJECT_BYTES = 24;
const LIST_BYTES = 48;
const LEAST_BYTES = 56;
const PLACE_BYTES = 8;
const TEXT_BYTES = 24;
const NUMBER_BYTES = 16;
/** For each name of a layout. Other values may have the same, which nobody knows: so it is too much rather than too little. */
const NAME_BYTES = 110;
/** For each property of what the engine keeps as a table: objects with many properties, or with numbers for names. Their tables are up to two thirds empty. */
const TABLE_PLACE_BYTES = 72;

/** Objects with more properties are tables to the engine, which takes longer to copy them than to parse them. */
const MAX_PROPERTIES = 100;
/** So are objects that have numbers for names. Those names come first. */
const NUMBER = /^\d+$/;

/** Whether the engine keeps an object as a table, or may. */
export function isTable(part: object): boolean {
  if (Array.isArray(part)) return false;
  const names = Object.keys(part);
  return names.length > MAX_PROPERTIES || NUMBER.test(names[0] ?? '');
}

/** How many bytes a value takes that `JSON.parse` gave; infinitely many when it is deeper than what is stored. */
export function heapBytesOf(value: unknown): number {
  const layouts = new Set<string>();

  function bytesOf(part: unknown, depth: number): number {
    if (typeof part === 'string') return bytesOfText(part);
    if (typeof part === 'number') return Number.isInteger(part) && Math.abs(part) < 2 ** 30 ? 0 : NUMBER_BYTES;
    if (typeof part !== 'object' || part === null) return 0;
    if (depth >= MAX_DEPTH) return Infinity;
    const inner: unknown[] = Object.values(part);
    const placeBytes = isTable(part) ? TABLE_PLACE_BYTES : PLACE_BYTES;
    const own = (Array.isArray(part) ? LIST_BYTES : OBJECT_BYTES) + placeBytes * inner.length;
    const bytes = Math.max(LEAST_BYTES, own) + bytesOfNames(part, layouts);
    return inner.reduce<number>((sum, next) => sum + bytesOf(next, depth + 1), bytes);
  }

  return bytesOf(value, 0);
}

function bytesOfText(text: string): number {
  return TEXT_BYTES + (Buffer.byteLength(text) === text.length ? 1 : 2) * text.length;
}

/** What the engine keeps once for all objects that have the same names. */
function bytesOfNames(part: object, layouts: Set<string>): number {
  if (Array.isArray(part)) return 0;
  const names = Object.keys(part);
  const layout = names.join('\n');
  if (layouts.has(layout)) return 0;
  layouts.add(layout);
  return names.length * NAME_BYTES + layout.length;
}
