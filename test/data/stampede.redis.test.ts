import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { testRedis, testRedisUrl } from '../support/connections.ts';
import { describeStampedes, openProcesses } from './stampede.ts';
import { gate, until } from '../support/waiting.ts';
import { runningTime } from '../support/running-time.ts';

const processes = openProcesses(4, () => ({ redis: testRedisUrl() }));
const { tell, burst, workers } = processes;

describeStampedes('Redis', processes);

describe('processes that wait for the load of another', () => {
  async function asks(): Promise<number> {
    const counts = await Promise.all(workers.slice(1).map((worker) => worker.do<number>({ do: 'countAsks' })));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** How often those who wait ask for a lease again once the value is there, in so many rounds. */
  async function asksAfterwards(rounds: number): Promise<number> {
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
      const door = gate();
      const story = tell('woken', async (run) => door.passed.then(() => `run ${run}`));
      const leading = burst(story, 1, workers.slice(0, 1));
      await until(() => story.runs.length === 1);
      const before = await asks();
      const waiting = burst(story, 3, workers.slice(1));
      for (let asked = before; asked < before + 3;) asked = await asks();
      const opened = await asks();
      door.open();
      expect(new Set([...(await leading), ...(await waiting)])).toEqual(new Set(['run 1']));
      expect(story.runs).toHaveLength(1);
      sum += (await asks()) - opened;
    }
    return sum;
  }

  it('are woken when it is there', async () => {
    await asksAfterwards(1); // They begin to listen.
    await sleep(50);
    expect(await asksAfterwards(6)).toBeLessThan(9); // Three in a round, if they only asked again after a moment.
  });

  it('find it a moment later where nothing wakes them', async () => {
    const admin = testRedis();
    const list = (await admin.client('LIST', 'TYPE', 'PUBSUB')) as string;
    const ids = list.split('\n').filter((line) => line.includes(` name=${processes.prefix} `));
    expect(ids.length).toBeGreaterThan(0);
    const door = gate();
    const story = tell('asleep', async (run) => door.passed.then(() => `run ${run}`));
    const all = burst(story, 3);
    await until(() => story.runs.length === 1);
    await Promise.all(ids.map((line) => admin.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] ?? '')));
    door.open();
    expect(new Set(await all)).toEqual(new Set(['run 1']));
    expect(story.runs).toHaveLength(1);
  });

  // The last one: a process is missing then.
  it('go on when that process is killed', async () => {
    const [victim, ...others] = workers;
    if (victim === undefined) throw new Error('There is no worker');
    const story = tell('killed', async (run) => (run === 1 ? new Promise<never>(() => undefined) : `run ${run}`));
    void burst(story, 3, [victim]);
    await until(() => story.runs.length === 1);
    const waiting = burst(story, 5, others);
    await sleep(50);
    const killedAt = runningTime();
    victim.child.kill('SIGKILL');
    expect(new Set(await waiting)).toEqual(new Set(['run 2']));
    expect(runningTime() - killedAt).toBeLessThan(8_000); // Its lease ends after three seconds.
    expect([story.runs.length, story.runs[0]]).toEqual([2, victim]);
  });
});
