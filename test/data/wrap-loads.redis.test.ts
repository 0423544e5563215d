import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { wrap } from '../../src/data/wrap.ts';
import { testRedis } from '../support/connections.ts';
import { openSuite } from './backends.ts';
it('calls a wrapped function anew when told to, and drops by tags of the result', async () => {
  const { data, invalidate } = openSuite(testRedis());
  let calls = 0;
  const f = wrap(data, async (id: number) => ({ id, calls: ++calls }), {
    name: 'f',
    tags: (r, id) => [`r:${r.calls}`, `a:${id}`],
  });
  await f(1);
  await sleep(100);
  expect(await f.fresh(1)).toEqual({ id: 1, calls: 2 });
  await sleep(100);
  expect(await f(1)).toEqual({ id: 1, calls: 2 });
  await invalidate('r:1');
  expect(await f(1)).toEqual({ id: 1, calls: 2 });
  await invalidate('r:2');
  expect(await f(1)).toEqual({ id: 1, calls: 3 });
  await sleep(100);
  await invalidate('a:1');
  expect(await f(1)).toEqual({ id: 1, calls: 4 });
});
