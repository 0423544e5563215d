import type { Redis } from 'ioredis';

/** Moves a slot from one master to another as `redis-cli --cluster reshard` does. Between its steps it waits for what the caller wants to see happen there. */
export async function moveSlot(
  slot: number,
  source: Redis,
  target: Redis,
  between: () => Promise<unknown>,
): Promise<void> {
  const [sourceId, targetId] = await Promise.all([source.cluster('MYID'), target.cluster('MYID')]);
  await target.cluster('SETSLOT', slot, 'IMPORTING', sourceId);
  await source.cluster('SETSLOT', slot, 'MIGRATING', targetId);
  await between(); // What is not there yet is asked for, and made, at the target.
  for (let keys = await keysIn(source, slot); keys.length > 0; keys = await keysIn(source, slot)) {
    const { host = '', port = 0 } = target.options;
    await source.migrate(host, port, '', 0, 5_000, 'KEYS', ...keys);
    await between(); // Every question is sent on.
  }
  await target.cluster('SETSLOT', slot, 'NODE', targetId);
  await source.cluster('SETSLOT', slot, 'NODE', targetId);
  await between(); // Clients learn of it.
}

function keysIn(node: Redis, slot: number): Promise<string[]> {
  return node.cluster('GETKEYSINSLOT', slot, 10);
}
