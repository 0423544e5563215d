/** How the demo looks in a terminal. Colours and the moving bar only where there is a terminal to show them. */
import { styleText } from 'node:util';
import { Presets, SingleBar } from 'cli-progress';

type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'cyan';

const isTerminal = process.stdout.isTTY;
const isColoured = isTerminal && (process.env['NO_COLOR'] ?? '') === '';
const INDENT = '    ';
const WIDTH = 96;

export function style(name: Style, text: string): string {
  return isColoured ? styleText(name, text) : text;
}

export function line(text = ''): void {
  console.log(text);
}

/** A paragraph, broken into lines that fit. */
export function paragraph(text: string, indent = INDENT): void {
  let current = '';
  for (const word of text.split(' ')) {
    if (current !== '' && indent.length + current.length + 1 + word.length > WIDTH) {
      line(indent + current);
      current = '';
    }
    current += (current === '' ? '' : ' ') + word;
  }
  line(indent + current);
}

let steps = 0;

/** The beginning of a step: its number and title, and why it matters. */
export function step(title: string, why: string): void {
  line();
  line(style('bold', `${String(++steps).padStart(2)}  ${title}`));
  paragraph(why);
  line();
}

export interface ExchangeLine {
  readonly request: string;
  readonly says: string;
  readonly status: number;
  readonly ms: number;
  readonly cache: string;
  readonly redis: string;
}

/** One request: what was asked and answered, and below it how. */
export function exchange({ request, says, status, ms, cache, redis }: ExchangeLine): void {
  line(`${INDENT}${style('cyan', request.padEnd(48))} ${says}`);
  const colour = cache.startsWith('hit') ? 'green' : 'yellow';
  const how = [String(status), `${formatMs(ms)} ms`.padStart(11), style(colour, cache.padEnd(25))];
  const [first = '', ...more] = redis.split('\n');
  line(`${INDENT}  ${[...how, first].join('  ')}`);
  for (const rest of more) line(INDENT + ' '.repeat(47) + style('dim', rest));
}

/** A remark, indented like the text of its step. */
export function note(text: string): void {
  const [first = '', ...more] = text.split('\n');
  line(`${INDENT}${style('dim', '·')} ${first}`);
  for (const rest of more) line(`${INDENT}  ${style('dim', rest)}`);
}

export function formatMs(ms: number): string {
  return ms < 100 ? ms.toFixed(1) : formatCount(Math.round(ms));
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A progress bar on a terminal, else a line per quarter. */
export function progress(what: string): { update(done: number, total: number): void } {
  return isTerminal ? movingBar(what) : quarterLines(what);
}

function movingBar(what: string): { update(done: number, total: number): void } {
  const bar = new SingleBar({ format: `${INDENT}${what} {bar} {value} of {total}` }, Presets.shades_classic);
  let started = false;
  return {
    update(done, total) {
      if (!started) bar.start(total, done);
      started = true;
      bar.update(done);
      if (done >= total) bar.stop();
    },
  };
}

function quarterLines(what: string): { update(done: number, total: number): void } {
  let told = 0;
  return {
    update(done, total) {
      const quarter = Math.floor((done / total) * 4);
      if (quarter > told) line(`${INDENT}${what}: ${formatCount(done)} of ${formatCount(total)}`);
      told = quarter;
    },
  };
}
