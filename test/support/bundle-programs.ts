/**
 * Programs that tests start as processes of their own, bundled once for the whole run: each start would otherwise compile the package anew, which takes a second of CPU.
 * Packages stay outside of the bundles and come from node_modules.
 */
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { PROGRAMS } from './programs.ts';

const root = resolve(__dirname, '../..');

/** Bundles them into a folder of the run's own. Returns what removes it. */
export async function bundlePrograms(): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'test-programs-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const examples = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.ts'));
  await build({
    absWorkingDir: root,
    entryPoints: [...examples.map((file) => `examples/${file}`), 'src/index.ts', 'test/http-cache/worker.ts'],
    outbase: '.',
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2023', // Decorators are syntax of a later one.
    platform: 'node',
    packages: 'external',
    logLevel: 'warning',
  });
  process.env[PROGRAMS] = folder;
  return async () => rmSync(folder, { recursive: true, force: true });
}
