import calculateSlot from 'cluster-key-slot';
import { isCluster, keyPrefixOf, type RedisClient } from './client.ts';

/** So many keys are asked for by one command: a longer one would hold up others. */
const AT_ONCE = 256;

/** Keys in groups that one command may name: on Cluster those of one slot. */
export function bySlot(client: RedisClient, keys: readonly string[]): string[][] {
  const slots = isCluster(client) ? group(keys, (key) => calculateSlot(keyPrefixOf(client) + key)) : [[...keys]];
  return slots.flatMap(inChunks);
}

function group(keys: readonly string[], slotOf: (key: string) => number): string[][] {
  const slots = new Map<number, string[]>();
  for (const key of keys) {
    const slot = slotOf(key);
    const known = slots.get(slot);
    if (known === undefined) slots.set(slot, [key]);
    else known.push(key);
  }
  return [...slots.values()];
}

function inChunks(keys: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(keys.length / AT_ONCE) }, (_, i) => keys.slice(AT_ONCE * i, AT_ONCE * (i + 1)));
}
