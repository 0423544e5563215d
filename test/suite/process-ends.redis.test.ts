import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { testRedisUrl, uniquePrefix } from '../support/connections.ts';
import { programFile } from '../support/programs.ts';

const SUITE = pathToFileURL(programFile('src/index.ts')).href;

/** Runs a program that uses a suite and closes it; resolves with what it wrote when it has ended by itself. */
function run(program: string): Promise<string> {
  const source = `
    import { Redis } from 'ioredis';
    import { createRedis, createSuite } from ${JSON.stringify(SUITE)};
    const url = ${JSON.stringify(testRedisUrl())};
    const prefix = ${JSON.stringify(uniquePrefix())};
    async function main() { ${program} }
    main().then(() => console.log('done'));
  `;
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ['--input-type=module', '--eval', source],
      { timeout: 8_000, cwd: join(__dirname, '../..') },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout.trim());
        else reject(new Error(`${error.killed === true ? 'It did not end.' : 'It failed.'} ${stdout} ${stderr}`));
      },
    );
  });
}

const USE = `
  await suite.data.set('k', 1, { tags: ['t'] });
  await suite.data.get('k');
  await suite.data.getOrSet('l', () => 2);
  await suite.invalidate(['t']);
`;

describe('a process that has closed its suite', () => {
  it.each([
    ['in memory', `const suite = createSuite({ prefix, backend: 'memory' }); ${USE} await suite.close();`],
    ['in memory, even without closing', `const suite = createSuite({ prefix, backend: 'memory' }); ${USE}`],
    [
      'on Redis',
      `const redis = createRedis({ url }); const suite = createSuite({ redis, prefix }); ${USE} await suite.close(); await redis.quit();`,
    ],
    [
      'on Redis, long before the deadline of its calls',
      `const redis = createRedis({ url }); const suite = createSuite({ redis, prefix, deadline: '30s' }); ${USE} await suite.close(); await redis.quit();`,
    ],
    [
      'on Redis with news of invalidations',
      `const redis = createRedis({ url }); const suite = createSuite({ redis, prefix, maxStaleness: '20ms' }); ${USE}
       await new Promise((resolve) => setTimeout(resolve, 50)); await suite.data.get('k'); await suite.close(); await redis.quit();`,
    ],
    [
      'on Redis with news of invalidations, even without closing',
      `const redis = createRedis({ url }); const suite = createSuite({ redis, prefix, maxStaleness: '20ms' }); ${USE}
       await new Promise((resolve) => setTimeout(resolve, 50)); await suite.data.get('k'); await redis.quit();`,
    ],
    [
      'while Redis is away',
      `const redis = createRedis({ url: 'redis://127.0.0.1:1', logger: { info() {}, warn() {} } }); const suite = createSuite({ redis, prefix });
       await suite.data.get('k'); await suite.invalidate('t').catch(() => undefined); await suite.close(); redis.disconnect();`,
    ],
  ])('ends (%s)', async (_how, program) => {
    expect(await run(program)).toBe('done');
  });
});
