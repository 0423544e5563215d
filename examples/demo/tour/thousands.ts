import type { Client } from '../http-client.ts';
import { cacheStatus } from '../http-client.ts';
import { formatCount, formatMs, note, progress, step } from '../print.ts';
import { largestCountries } from '../queries.ts';
import { watchRedis } from '../redis-commands.ts';
import type { Tour } from './context.ts';

const AT_A_TIME = 8;
const SAMPLE = 100;

/** Fills the cache with thousands of pages that carry one tag, then invalidates that tag. */
export async function showThousands(tour: Tour, pages: number): Promise<void> {
  step(
    'A tag carried by thousands of entries',
    'Every city page carries the tag of its country. However many entries that are, invalidating the tag costs the same: one record. (This process is client, API and database at once, so the pages per second say little about a server.)',
  );
  const [one, other] = await largestCountries(tour.db, pages);
  if (one === undefined || other === undefined) return;
  const others = other.ids.slice(0, SAMPLE);

  const all = [...one.ids, ...others];
  const bar = progress('Requesting city pages');
  const first = await requestAll(tour.http, all, (done) => bar.update(done, all.length));
  note(`first time   ${rateLine(first)}`);
  note(`second time  ${rateLine(await requestAll(tour.http, all))}`);

  const tag = `country:${one.code}`;
  const { result: ms, commands } = await watchRedis(tour.backend.redis, () =>
    timeOf(() => tour.suite.invalidate([tag])),
  );
  note(`suite.invalidate(['${tag}'])  ${formatMs(ms)} ms for ${formatCount(one.ids.length)} entries:  ${commands}`);

  const sample = one.ids.slice(0, SAMPLE);
  note(`${one.name}, ${sample.length} pages: ${outcomes(await requestAll(tour.http, sample))}`);
  note(`${other.name}, ${others.length} pages: ${outcomes(await requestAll(tour.http, others))}`);
}

interface Run {
  readonly ms: number;
  /** Pages by how the cache answered them: `hit`, `fwd=uri-miss`. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Requests city pages, a few at a time. */
async function requestAll(
  http: Client,
  ids: readonly number[],
  onDone: (done: number) => void = () => undefined,
): Promise<Run> {
  const counts = new Map<string, number>();
  const queue = ids.values();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const id of queue) {
      const answer = await http(`/cities/${id}`);
      const [word = 'nothing'] = cacheStatus(answer).split(';');
      counts.set(word, (counts.get(word) ?? 0) + 1);
      onDone(++done);
    }
  };
  const ms = await timeOf(() => Promise.all(Array.from({ length: AT_A_TIME }, work)));
  return { ms, counts };
}

async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

function rateLine(run: Run): string {
  const pages = [...run.counts.values()].reduce((sum, count) => sum + count, 0);
  const rate = `${formatCount(Math.round((pages / run.ms) * 1_000))} pages/s`;
  return `${rate.padStart(14)}  ${outcomes(run)}`;
}

function outcomes({ counts }: Run): string {
  return [...counts].map(([word, count]) => `${formatCount(count)} x ${word}`).join(', ');
}
