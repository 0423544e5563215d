import { afterAll, describe, expect, it } from '@jest/globals';
import { ask, askCache, originOf, type Program, run } from './program.ts';

let program: Program | undefined;
afterAll(() => program?.end('SIGKILL'));

describe('examples/cluster.ts', () => {
  it('caches on a Cluster, forgets when told to, and ends cleanly', async () => {
    const nodes = process.env['TEST_REDIS_CLUSTER'] ?? '';
    program = run('cluster.ts', { env: { REDIS_CLUSTER_NODES: nodes, REDIS_KEY_PREFIX: `examples-${process.pid}:` } });
    const origin = await originOf(program);

    for (const city of ['Paris', 'Rome', 'Berlin', 'Madrid']) {
      expect((await askCache(`${origin}/time/${city}`)).cache).toContain('stored');
      expect((await askCache(`${origin}/time/${city}`)).cache).toContain('hit');
    }
    await ask(`${origin}/time/Paris/forget`, { method: 'POST' });
    expect((await askCache(`${origin}/time/Paris`)).cache).toContain('fwd=');
    expect((await askCache(`${origin}/time/Rome`)).cache).toContain('hit');
    expect(await program.end()).toBe(0);
  });

  it('says what to set when it is told of no Cluster', async () => {
    const lost = run('cluster.ts');
    expect(await lost.ended()).toBe(1);
    expect(lost.output()).toMatch(/^Set REDIS_CLUSTER_NODES .*\n$/);
  });
});
