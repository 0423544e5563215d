// Runs the tests on the supported versions of Node, Express and ioredis: in pairs, so that every version meets several others.
//   npm run test:matrix                  all cells
//   npm run test:matrix -- --only 2      one cell
//   npm run test:matrix -- --only 2 test/core    one cell, some tests
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CELLS = [
  { node: '20.19', express: '5', ioredis: '6' },
  { node: '20.19', express: '4', ioredis: '5.11' },
  { node: '22', express: '5', ioredis: '5.11' },
  { node: '24', express: '4', ioredis: '6' },
  { node: '26', express: '5', ioredis: '6' },
];

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });

function run(cwd, command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}\n${error ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** The files of the checkout, committed or not, without what is ignored. */
function sources() {
  const listed = run(root, 'git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z']);
  return listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
}

function copyOfCheckout() {
  const copy = mkdtempSync(join(tmpdir(), 'test-matrix-'));
  for (const file of sources()) cpSync(join(root, file), join(copy, file));
  // Hard links are made at once. npm replaces the files of packages, so the originals stay as they are; its own list it would overwrite.
  const linked = existsSync(join(root, 'node_modules')) && tryRun(copy, 'cp', ['-al', join(root, 'node_modules'), '.']);
  if (linked) {
    rmSync(join(copy, 'node_modules/.package-lock.json'), { force: true });
  } else {
    rmSync(join(copy, 'node_modules'), { recursive: true, force: true });
    run(copy, 'npm', ['ci', '--no-audit', '--no-fund']);
  }
  return copy;
}

function tryRun(cwd, command, args) {
  return spawnSync(command, args, { cwd }).status === 0;
}

function installPeers(copy, { express, ioredis }) {
  const peers = [`express@${express}`, `@types/express@${express}`, `ioredis@${ioredis}`];
  run(copy, 'npm', [
    'install',
    '--no-audit',
    '--no-fund',
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    ...peers,
  ]);
}

function versionIn(copy, name) {
  return JSON.parse(readFileSync(join(copy, 'node_modules', name, 'package.json'), 'utf8')).version;
}

/** Runs the tests of one cell and says how they went. Their output goes to the terminal. */
function test(cell) {
  const copy = copyOfCheckout();
  try {
    installPeers(copy, cell);
    const versions = { express: versionIn(copy, 'express'), ioredis: versionIn(copy, 'ioredis') };
    for (const [name, version] of Object.entries(versions)) {
      if (!version.startsWith(`${cell[name]}.`))
        throw new Error(`${name} is ${version} in a cell that asks for ${cell[name]}`);
    }
    const jest = [
      'node',
      'node_modules/jest/bin/jest.js',
      ...positionals, // First: behind --testPathIgnorePatterns they would be taken for more of those.
      '--ci',
      '--reporters=summary',
      '--json',
      '--outputFile=result.json',
    ];
    // The demo is an Express 5 program: it relies on errors of asynchronous handlers being passed on.
    if (cell.express === '4')
      jest.push('--testPathIgnorePatterns=test/examples/demo', '--testPathIgnorePatterns=/node_modules/');
    const args = ['-y', '-p', `node@${cell.node}`, '--', ...jest];
    spawnSync('npx', args, { cwd: copy, stdio: ['ignore', 'inherit', 'inherit'] });
    const node = run(copy, 'npx', ['-y', '-p', `node@${cell.node}`, '--', 'node', '--version']).trim();
    const result = JSON.parse(readFileSync(join(copy, 'result.json'), 'utf8'));
    return { node, ...versions, passed: result.numPassedTests, failed: result.numFailedTests, ok: result.success };
  } catch (error) {
    console.error(String(error));
    return { ...cell, passed: 0, failed: 0, ok: false };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const chosen = CELLS.map((cell, index) => ({ number: index + 1, ...cell })).filter(
  ({ number }) => values.only === undefined || String(number) === values.only,
);
if (chosen.length === 0) {
  console.error(`--only takes a number from 1 to ${CELLS.length}`);
  process.exit(1);
}
const rows = chosen.map(({ number, ...cell }) => {
  console.log(`\n== cell ${number}: node ${cell.node}, express ${cell.express}, ioredis ${cell.ioredis}`);
  return [number, test(cell)];
});
console.table(Object.fromEntries(rows));
if (rows.some(([, { ok }]) => !ok)) process.exitCode = 1;
