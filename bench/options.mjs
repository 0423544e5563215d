import { parseArgs } from 'node:util';
import { contestants } from './contestants.mjs';
import { SIZES } from './payload.mjs';

const PARTS = ['http', 'invalidation', 'limits'];

export const USAGE = `npm run bench -- [options]
  --quick              two to three minutes: this Node version only, fewer rounds, no profiles
  --rounds <n>         rounds (120)
  --slice <ms>         time of one contestant in a round (100)
  --warmup <s>         seconds of warm-up per contestant, by autocannon (3)
  --connections <n>    concurrent connections (50)
  --sizes <list>       of ${Object.keys(SIZES).join(',')} (all)
  --nodes <list>       Node majors (20,24)
  --only <list>        of ${Object.keys(contestants).join(',')} (all)
  --parts <list>       of http,invalidation,limits (all)
  --entries <list>     entries per tag (10,10000,1000000)
  --calls <n>          timed invalidations per tag (300)
  --no-profile         do not profile where an aim was missed (not done with --quick)
  --no-pin             let the system place the processes
  --no-report          leave docs/benchmarks.md and bench/results alone`;

const listed = (text) => text.split(',').map((part) => part.trim());

function oneOf(flag, known, values) {
  const unknown = values.filter((value) => !known.includes(value));
  if (unknown.length > 0) throw new Error(`--${flag}: unknown ${unknown.join(', ')}; known are ${known.join(', ')}`);
  return values;
}

function positive(flag, text) {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${flag} must be a number above 0, got ${text}`);
  return value;
}

/** The options of a run from the command line. */
export function readOptions(args) {
  const text = { type: 'string' };
  const flag = { type: 'boolean' };
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      quick: flag,
      rounds: text,
      slice: text,
      warmup: text,
      connections: text,
      sizes: text,
      nodes: text,
      only: text,
      parts: text,
      entries: text,
      calls: text,
      profile: flag,
      pin: flag,
      report: flag,
      help: flag,
    },
  });
  const quick = values.quick === true;
  const own = process.versions.node.split('.')[0];
  const number = (name, normal, short = normal) => positive(name, values[name] ?? (quick ? short : normal));
  return {
    help: values.help === true,
    quick,
    rounds: number('rounds', 120, 30),
    slice: number('slice', 100),
    warmup: number('warmup', 3, 1),
    connections: number('connections', 50),
    sizes: oneOf('sizes', Object.keys(SIZES), listed(values.sizes ?? Object.keys(SIZES).join(','))),
    nodes: listed(values.nodes ?? (quick ? own : '20,24')).map((major) => positive('nodes', major)),
    contestants: oneOf('only', Object.keys(contestants), listed(values.only ?? Object.keys(contestants).join(','))),
    parts: oneOf('parts', PARTS, listed(values.parts ?? PARTS.join(','))),
    entries: listed(values.entries ?? '10,10000,1000000').map((count) => positive('entries', count)),
    calls: number('calls', 300, 200),
    profile: values.profile ?? !quick,
    pin: values.pin !== false,
    report: values.report !== false,
  };
}
