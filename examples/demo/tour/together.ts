import { cacheStatus } from '../http-client.ts';
import { formatMs, note, step } from '../print.ts';
import type { Tour } from './context.ts';

const CLIENTS = 20;
const PAGE = '/cities/search?q=san';

/** What happens to a page that is not cached when many ask for it in the same moment. */
export async function showTogether({ http }: Tour): Promise<void> {
  step(
    `${CLIENTS} clients at once`,
    'When a popular page expires, everybody misses it in the same moment. One request runs the handler, the others wait for what it answers ("collapsed"), or hit if they come a little later.',
  );
  const startedAt = performance.now();
  const answers = await Promise.all(Array.from({ length: CLIENTS }, () => http(PAGE)));
  note(`GET ${PAGE}, ${CLIENTS} times, all answered after ${formatMs(performance.now() - startedAt)} ms:`);

  const counts = new Map<string, number>();
  for (const status of answers.map(cacheStatus)) counts.set(status, (counts.get(status) ?? 0) + 1);
  for (const [status, count] of counts) note(`${String(count).padStart(4)} x ${status}`);
}
