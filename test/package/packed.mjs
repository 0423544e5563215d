// Packs the package, installs the tarball beside Express and ioredis into an empty folder, and uses it there as its users do: from JavaScript
// and TypeScript, as ES module and as CommonJS, every subpath, one cached request; and bundled for browsers, where it is meant for them.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entries = Object.keys(own.exports)
  .filter((subpath) => !subpath.endsWith('.json'))
  .map((subpath) => own.name + subpath.slice(1));

const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
  },
  files: ['typed-esm.mts', 'typed-cjs.cts'],
};

const folder = mkdtempSync(join(tmpdir(), 'packed-'));
try {
  step('packs nothing but what users need', () => pack());
  step('installs beside Express and ioredis', () => install());
  step('compiles, strictly and with every declaration checked', () => compile());
  for (const program of ['plain-esm.mjs', 'plain-cjs.cjs', 'typed-esm.mjs', 'typed-cjs.cjs']) {
    step(`serves a cached request: ${program}`, () => run(process.execPath, [program]));
  }
  step('runs its command', () => command());
  step('is bundled for browsers', () => bundle());
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function step(what, work) {
  try {
    work();
    console.log(`ok   ${what}`);
  } catch (error) {
    console.error(`FAIL ${what}\n${error.message}`);
    process.exitCode = 1;
  }
}

function pack() {
  const [{ filename, files }] = JSON.parse(
    run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], root),
  );
  const strays = files
    .map(({ path }) => path)
    .filter((path) => !/^(?:dist|src)\/|^[A-Z]+(?:\.md)?$|^package\.json$/.test(path));
  if (strays.length > 0) throw new Error(`not meant for users: ${strays.join(', ')}`);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, dependencies: { [own.name]: `file:${filename}` } }),
  );
}

function install() {
  const peers = ['express', 'ioredis', '@types/express', '@types/node'].map((name) => `${name}@${versionOf(name)}`);
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...peers]);
}

/** The versions this checkout was developed with. */
function versionOf(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
}

function compile() {
  const source = readFileSync(join(here, 'consumer.ts.txt'), 'utf8');
  const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}';`).join('\n');
  const list = `const entries = { ${entries.map((entry, index) => `'${entry}': entry${index}`).join(', ')} };`;
  for (const name of TSCONFIG.files)
    writeFileSync(join(folder, name), `${imports}\n${source}\n${list}\ncheckEntries(entries);\n`);
  for (const name of ['plain-esm.mjs', 'plain-cjs.cjs']) copyFileSync(join(here, name), join(folder, name));
  writeFileSync(join(folder, 'entries.json'), JSON.stringify(entries));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']);
}

/** As `npx` would: by the link that npm has made. */
function command() {
  const plan = `import { createSuite, definePlan } from '${own.name}';
export const suite = createSuite({ backend: 'memory' });
export const plan = definePlan({ items: [{ key: 'a', load: () => 1 }] });`;
  writeFileSync(join(folder, 'plan.mjs'), plan);
  const told = run(join(folder, 'node_modules/.bin', own.name), ['warm', 'plan.mjs']);
  if (!told.includes('Done: 1 of 1 warmed')) throw new Error(told);
  writeFileSync(join(folder, 'plan.mts'), plan);
  const script = join(folder, 'node_modules/.bin', own.name);
  const { stdout, stderr } = spawnSync(script, ['warm', 'plan.mts'], { cwd: folder, encoding: 'utf8' });
  if (!/Done: 1 of 1 warmed|TypeScript needs Node 22\.18/.test(stdout + stderr)) throw new Error(stdout + stderr);
}

/** Fails when a module of Node or of a package without use there is in it. */
function bundle() {
  const contents = `import { keyPrefixOf, staleTimeOf } from '${own.name}/tanstack'; console.log(keyPrefixOf, staleTimeOf);`;
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: folder },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    minify: true,
    write: false,
    logLevel: 'silent',
  });
  const { length } = outputFiles[0].contents;
  if (length > 6_000) throw new Error(`${length} bytes`);
}

function run(command, args, cwd = folder) {
  const env = { ...process.env, NODE_ENV: 'test' };
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}\n${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
}
