// What writing and reading values costs beside bare JSON, in alternating short rounds.
import { tsImport } from 'tsx/esm/api';
import { valueOf } from './data-values.mjs';

const ROUNDS = 60;
const SLICE_MS = 8;

/** Ratios of time to bare JSON, by round: 1 is as fast, 2 takes twice as long. */
export async function measureCodec() {
  const { createCodec } = await tsImport('../src/codec/codec.ts', import.meta.url);
  const rows = [];
  for (const [size, bytes] of Object.entries({ '300B': 300, '20KB': 20_480 })) {
    const plain = valueOf('a key', bytes);
    const rich = { ...plain, at: new Date(0) };
    for (const [what, value] of Object.entries({ plain, 'with a Date': rich })) {
      rows.push({ size, what, ...measureValue(createCodec({}), value) });
    }
  }
  return rows;
}

function measureValue(codec, value) {
  const bytes = Buffer.from(JSON.stringify(value));
  const { flags, body } = codec.encode(value);
  const ways = {
    stringify: () => Buffer.from(JSON.stringify(value)),
    encode: () => codec.encode(value),
    parse: () => JSON.parse(bytes.toString()),
    decode: () => codec.decode(flags, body),
  };
  const times = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (let round = -10; round < ROUNDS; round++) {
    for (const [way, run] of Object.entries(ways)) {
      const us = microseconds(run);
      if (round >= 0) times[way].push(us);
    }
  }
  const ratios = (way, to) => times[way].map((us, round) => Number((us / times[to][round]).toFixed(3)));
  return { encode: ratios('encode', 'stringify'), decode: ratios('decode', 'parse') };
}

function microseconds(run) {
  const startedAt = performance.now();
  let done = 0;
  while (performance.now() - startedAt < SLICE_MS) {
    for (let i = 0; i < 20; i++) run();
    done += 20;
  }
  return ((performance.now() - startedAt) * 1_000) / done;
}
